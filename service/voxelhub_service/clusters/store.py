"""Clusters as the API sees them: found, listed, scaled, pinned, asked to end; and as they cross the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from ..context import Context
from ..errors import conflict, forbidden, invalid, not_found
from ..identity.actor import Actor
from ..ledger.budgets import shown_prices
from ..ledger.metering import cost_of
from ..ledger.prices import PriceList
from ..models import ENDED_CLUSTERS, Cluster, ClusterEvent, LedgerEntry, Project, utcnow
from ..policy.authorize import decide, require
from ..projects.store import project_by_name
from ..wire_clusters import ClusterEventOut, ClusterOut, ClusterPatch, WorkerOut
from .making import Plan, checked_ceiling, checked_pin, create_cluster, planned, refuse_full
from .prices import counts, per_hour
from .telling import tell

Scope = Literal["mine", "project", "all"]
EVENTS = 200  # the newest that are shown


def cluster_for(session: Session, actor: Actor, cluster_id: str) -> tuple[Cluster, Project]:
    """The cluster and its project; not_found for what does not exist and for what the actor may not see."""
    cluster = session.get(Cluster, cluster_id)
    project = session.get(Project, cluster.project_id) if cluster is not None else None
    if cluster is None or project is None:
        raise not_found()
    if cluster.owner == actor.name:
        require(actor, "cluster.read", project)
    elif not decide(actor, "cluster.read_others", project).allowed:
        raise not_found()
    return cluster, project


def manageable(actor: Actor, cluster: Cluster, project: Project) -> bool:
    action = "cluster.manage" if cluster.owner == actor.name else "cluster.manage_others"
    return decide(actor, action, project).allowed


def require_manage(actor: Actor, cluster: Cluster, project: Project) -> None:
    require(actor, "cluster.manage" if cluster.owner == actor.name else "cluster.manage_others", project)


def list_clusters(
    session: Session, actor: Actor, *, scope: Scope, project: str | None, state: str | None, offset: int, limit: int,
) -> tuple[int, list[Cluster]]:
    """Newest first. `mine`; `project`: also those of others in the projects that the actor owns; `all`: all that they may see."""
    projects = list(session.scalars(select(Project)))
    if project is not None:
        named = project_by_name(session, project)
        require(actor, "cluster.read", named) if not actor.admin else None
        if named is None:
            raise not_found()
        projects = [named]
    own = [one.id for one in projects if decide(actor, "cluster.read", one).allowed]
    visible: list[ColumnElement[bool]] = [(Cluster.owner == actor.name) & Cluster.project_id.in_(own)]
    if scope != "mine":
        visible.append(Cluster.project_id.in_([one.id for one in projects if decide(actor, "cluster.read_others", one).allowed]))
    where = [or_(*visible)]
    if state == "open":
        where.append(Cluster.state.not_in(ENDED_CLUSTERS))
    elif state:
        where.append(Cluster.state == state)
    total = session.scalar(select(func.count()).select_from(Cluster).where(*where)) or 0
    newest = select(Cluster).where(*where).order_by(Cluster.created_at.desc(), Cluster.id)
    return total, list(session.scalars(newest.offset(offset).limit(limit)))


def change_cluster(
    context: Context, session: Session, actor: Actor, cluster: Cluster, project: Project, patch: ClusterPatch,
) -> None:
    """Scale, adapt, pin, rename. What the machine has no room for is refused; nothing changes then."""
    require_manage(actor, cluster, project)
    if cluster.state in ENDED_CLUSTERS or cluster.wanted == "closed":
        raise conflict("cluster_ended", "This cluster is closed, or is being closed.")
    before = _sizes(cluster)
    adaptive = patch.adaptive if patch.adaptive is not None else cluster.adaptive and patch.workers is None
    minimum = cluster.minimum if patch.minimum is None else patch.minimum
    maximum = cluster.maximum if patch.maximum is None else patch.maximum
    workers = cluster.workers if patch.workers is None else patch.workers
    if minimum > maximum:
        raise invalid("floor_above_ceiling", "The floor is above the ceiling.", "Take a lower floor.", "minimum")
    checked_ceiling(context, max(maximum, workers))
    if (adaptive, minimum, maximum, workers) != tuple(before.values()):
        prices = shown_prices(context.settings)
        kind = prices.kind(cluster.kind)
        if kind is not None:
            floor = minimum if adaptive else workers
            refuse_full(context, session, Plan(project, cluster.environment, kind, cluster.groups, workers, floor), cluster.id)
        cluster.adaptive, cluster.minimum, cluster.maximum, cluster.workers = adaptive, minimum, maximum, workers
        context.audit.append(session, actor, "cluster.scale", f"cluster:{cluster.id}",
                             detail={"project": project.name, "from": before, "to": _sizes(cluster)})
    if patch.pinned_until is not None or patch.unpin:
        cluster.pinned_until = None if patch.unpin else checked_pin(patch.pinned_until)
    cluster.title = patch.title or cluster.title
    tell(session, cluster)


def ask_close(session: Session, cluster: Cluster, reason: str) -> bool:
    """It ends as soon as the worker sees it; False where that was asked before, or it has ended."""
    if cluster.state in ENDED_CLUSTERS or cluster.wanted == "closed":
        return False
    cluster.wanted, cluster.reason = "closed", reason
    tell(session, cluster)
    return True


def keep(session: Session, actor: Actor, cluster_id: str) -> Cluster:
    """A kernel of its owner says that it lives. Nothing changes where the cluster ends with no kernel, or ends now."""
    cluster = _own(session, actor, cluster_id)
    if is_kept(cluster):
        cluster.kept_at = utcnow()
    return cluster


def let_go(session: Session, actor: Actor, cluster_id: str) -> Cluster:
    """From now on it ends with no kernel."""
    cluster = _own(session, actor, cluster_id)
    cluster.kept_at = None
    return cluster


def is_kept(cluster: Cluster) -> bool:
    """Whether a kernel that speaks up keeps it open."""
    return cluster.kept_at is not None and cluster.wanted == "open" and cluster.state not in ENDED_CLUSTERS


def _own(session: Session, actor: Actor, cluster_id: str) -> Cluster:
    cluster, project = cluster_for(session, actor, cluster_id)
    if cluster.owner != actor.name:
        raise forbidden("A cluster is kept by the kernels of its owner.")
    require(actor, "cluster.manage", project)
    return cluster


def events_of(session: Session, cluster: Cluster) -> list[ClusterEventOut]:
    """The newest, in their order."""
    newest = select(ClusterEvent).where(ClusterEvent.cluster_id == cluster.id).order_by(ClusterEvent.number.desc()).limit(EVENTS)
    return [ClusterEventOut(id=one.number, at=one.at, kind=one.kind, text=one.text, measured=one.measured)  # type: ignore[arg-type]
            for one in reversed(session.scalars(newest).all())]


def cluster_out(context: Context, session: Session, actor: Actor, cluster: Cluster) -> ClusterOut:
    return clusters_out(context, session, actor, [cluster])[0]


def clusters_out(context: Context, session: Session, actor: Actor, rows: Sequence[Cluster]) -> list[ClusterOut]:
    """Rows as they cross the wire, with two queries however many there are."""
    prices = shown_prices(context.settings)
    projects = {one.id: one for one in session.scalars(select(Project).where(Project.id.in_({row.project_id for row in rows})))}
    costs: dict[str, float] = {}
    for entry in session.scalars(select(LedgerEntry).where(
            LedgerEntry.kind == "cluster", LedgerEntry.subject.in_([row.id for row in rows]))):
        if (cost := cost_of(entry)) is not None:
            costs[entry.subject] = costs.get(entry.subject, 0.0) + cost
    return [_out(context, actor, row, projects[row.project_id], prices, costs.get(row.id)) for row in rows]


def _out(
    context: Context, actor: Actor, row: Cluster, project: Project, prices: PriceList, cost: float | None,
) -> ClusterOut:
    mine, open_ = row.owner == actor.name, row.state not in ENDED_CLUSTERS
    workers = [WorkerOut(**one) for one in row.seen.get("workers", ())] if open_ else []
    floor, most = (row.minimum, row.maximum) if row.adaptive else (row.workers, row.workers)
    now, lowest, highest = (per_hour(prices, each) for each in (
        row.seen.get("running", {}) if open_ else {}, counts(row.kind, floor, row.groups), counts(row.kind, most, row.groups)))
    fields: dict[str, Any] = {name: getattr(row, name) for name in (
        "id", "title", "owner", "server", "environment", "kind", "state", "reason", "adaptive", "minimum", "maximum", "made_in",
        "created_at", "started_at", "ended_at", "pinned_until")}
    return ClusterOut(
        **fields, project=project.name, mine=mine, manageable=open_ and row.wanted == "open" and manageable(actor, row, project),
        wanted_workers=row.seen.get("wanted", floor) if open_ else 0, workers=workers,
        threads=sum(one.threads for one in workers), memory=sum(one.memory for one in workers),
        memory_limit=sum(one.memory_limit for one in workers),
        tasks_waiting=row.seen.get("waiting", 0) if open_ else 0, price_per_hour=now.per_hour,
        price_per_hour_maximum=highest.per_hour, price_per_hour_floor=lowest.per_hour, cost=cost, currency=prices.currency,
        dashboard_path=f"clusters/{row.id}/dashboard/status" if mine and row.state == "running" else None,
        closes_at=_closes_at(context, row) if open_ else None)


def _closes_at(context: Context, row: Cluster) -> Any:
    """For want of work; None while it works, while it is pinned, or where that never happens."""
    idle = context.settings.cluster_idle
    pinned = row.pinned_until is not None and row.pinned_until > utcnow()
    if not idle or pinned or row.state != "running" or row.active_at is None or row.seen.get("waiting", 0):
        return None
    return row.active_at + timedelta(seconds=idle)


def _sizes(cluster: Cluster) -> dict[str, Any]:
    return {"adaptive": cluster.adaptive, "minimum": cluster.minimum, "maximum": cluster.maximum, "workers": cluster.workers}


__all__ = [
    "ask_close", "change_cluster", "cluster_for", "cluster_out", "clusters_out", "create_cluster", "events_of", "is_kept", "keep",
    "let_go", "list_clusters", "manageable", "planned", "require_manage",
]
