"""Clusters are made here: what was asked for is checked, completed from price list and settings, and written as a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from voxelhub_sandbox.profiles import gib

from ..context import Context
from ..errors import Problem, conflict, invalid
from ..identity.actor import Actor
from ..ledger.budgets import in_force, refuse_if_reached
from ..ledger.prices import PriceList, WorkerKind
from ..models import ENDED_CLUSTERS, Cluster, Project, utcnow
from ..policy.authorize import require
from ..projects.store import project_by_name
from ..wire_clusters import ClusterIn
from . import choices
from .sharing import Room, Share, promised
from .telling import tell

LONGEST_PIN = timedelta(days=30)


@dataclass(frozen=True)
class Plan:
    """What a cluster will be: everything that was left open is decided."""

    project: Project
    environment: str
    kind: WorkerKind
    groups: list[dict[str, Any]]
    workers: int  # at the start
    floor: int  # that it is sure of


def create_cluster(context: Context, session: Session, actor: Actor, wanted: ClusterIn, request_id: str | None) -> Cluster:
    """The row; its processes follow. Raises Problem where it cannot be."""
    prices, _ = in_force(context.settings)
    plan = planned(context, session, actor, wanted, prices)
    if reason := choices.unavailable(context.settings, prices):
        raise Problem(503, "no_clusters", f"No cluster can be made here: {reason}")
    refuse_if_reached(context, session, actor.name, plan.project)
    _refuse_many(context, session, actor)
    refuse_full(context, session, plan, None)
    cluster = Cluster(
        title=wanted.title, project_id=plan.project.id, owner=actor.name, server=actor.server, made_in=wanted.made_in,
        environment=plan.environment, kind=plan.kind.name, cpu=plan.kind.cpu, memory=plan.kind.memory, gpus=plan.kind.gpus,
        resources=dict(wanted.resources), groups=plan.groups, adaptive=wanted.adaptive, minimum=wanted.minimum,
        maximum=wanted.maximum, workers=plan.workers, pinned_until=checked_pin(wanted.pinned_until), request_id=request_id,
        kept_at=utcnow() if wanted.made_in == "notebook" else None,
        seen={"projects": sorted(actor.project_roles), "by": actor.kind})
    session.add(cluster)
    session.flush()
    context.audit.append(session, actor, "cluster.create", f"cluster:{cluster.id}", detail={
        "project": plan.project.name, "environment": plan.environment, "kind": plan.kind.name, "minimum": wanted.minimum,
        "maximum": wanted.maximum, "adaptive": wanted.adaptive, "workers": plan.workers,
        "groups": {one["name"]: one["workers"] for one in plan.groups}})
    tell(session, cluster)
    return cluster


def planned(context: Context, session: Session, actor: Actor, wanted: ClusterIn, prices: PriceList) -> Plan:
    """Raises Problem for what is not offered here; the same for an estimate as for a start."""
    project = project_by_name(session, wanted.project)
    require(actor, "cluster.create", project)
    assert project is not None
    settings = context.settings
    offered = {one.name: one for one in choices.environments(settings)}
    environment = wanted.environment or next(iter(offered), "")
    if offered and environment not in offered:
        fix = f"Take {_or(offered)}."
        raise invalid("unknown_environment", "There is no such environment with Dask here.", fix, "environment")
    default = choices.default_kind(settings, prices)
    kind = _kind(context, prices, wanted.kind or (default.name if default else prices.default_kind.name), "kind")
    checked_ceiling(context, wanted.maximum)
    if len({group.name for group in wanted.groups}) < len(wanted.groups):
        raise invalid("group_twice", "Two groups of workers have the same name.", "Give each its own.", "groups")
    groups = [{"name": one.name, "kind": one.kind, "workers": one.workers, "resources": dict(one.resources),
               **_size(_kind(context, prices, one.kind, f"groups.{number}.kind"))} for number, one in enumerate(wanted.groups)]
    if sum(group.workers for group in wanted.groups) > settings.cluster_workers:
        raise invalid("too_many_workers", f"A cluster may have {settings.cluster_workers} workers here.", "", "groups")
    floor = wanted.minimum if wanted.adaptive else wanted.minimum if wanted.workers is None else wanted.workers
    start = max(wanted.minimum, wanted.workers or 0)
    return Plan(project, environment, kind, groups, start, floor)


def refuse_full(context: Context, session: Session, plan: Plan, other_than: str | None) -> None:
    """What this machine has promised to others, and this one on top, must fit."""
    room = choices.room(context.settings)
    rows = session.scalars(select(Cluster).where(Cluster.state.not_in(ENDED_CLUSTERS), Cluster.wanted == "open"))
    taken = promised([share_of(row) for row in rows if row.id != other_than])
    left = room.minus(taken)
    asked = promised([Share("", Room(plan.kind.cpu, plan.kind.memory), plan.floor, 0, plan.floor, of_groups(plan.groups))])
    if asked.cpus <= left.cpus + 1e-9 and asked.memory <= left.memory:
        return
    raise conflict(
        "clusters_full",
        f"This machine has {left.cpus:g} of {room.cpus:g} cores and {gib(left.memory)} of {gib(room.memory)} left for "
        f"clusters; this one needs {asked.cpus:g} cores and {gib(asked.memory)} at least.",
        "Take fewer or smaller workers, or close a cluster.")


def share_of(row: Cluster) -> Share:
    """As the machine is divided: what runs now is what its driver saw last."""
    now = sum(1 for worker in row.seen.get("workers", ()) if not worker.get("group"))
    floor, ceiling = (row.minimum, row.maximum) if row.adaptive else (row.workers, row.workers)
    return Share(row.id, Room(row.cpu, row.memory), floor, now, ceiling, of_groups(row.groups))


def of_groups(groups: list[Any]) -> Room:
    return Room(sum(one["cpu"] * one["workers"] for one in groups), sum(one["memory"] * one["workers"] for one in groups))


def checked_ceiling(context: Context, maximum: int) -> None:
    ceiling = context.settings.cluster_workers
    if maximum > ceiling:
        raise invalid("too_many_workers", f"A cluster may have {ceiling} workers here.", f"Take a ceiling of {ceiling} or less.",
                      "maximum")


def checked_pin(until: datetime | None) -> datetime | None:
    if until is None:
        return None
    if until.tzinfo is None:
        raise invalid("no_time_zone", "The end time has no time zone.", "Write it as 2026-11-30T18:00:00Z.", "pinned_until")
    if until <= utcnow():
        raise invalid("pin_over", "The end time is over already.", "Take a later one.", "pinned_until")
    if until > utcnow() + LONGEST_PIN:
        raise invalid("pin_long", f"A cluster is pinned for at most {LONGEST_PIN.days} days.", "Take an earlier end time.",
                      "pinned_until")
    return until


def _refuse_many(context: Context, session: Session, actor: Actor) -> None:
    own = session.scalar(select(func.count()).select_from(Cluster).where(
        Cluster.owner == actor.name, Cluster.wanted == "open", Cluster.state.not_in(ENDED_CLUSTERS))) or 0
    if own >= context.settings.cluster_max:
        raise conflict("too_many_clusters", f"You have {own} clusters open, which is as many as one person may have here.",
                       "Close one of them.")


def _kind(context: Context, prices: PriceList, name: str, field: str) -> WorkerKind:
    found = prices.kind(name)
    if found is None:
        names = _or([one.name for one in prices.kinds])
        raise invalid("unknown_kind", "There is no such kind of worker.", f"Take {names}.", field)
    if found.gpus:
        raise invalid("no_gpus", "This machine gives no GPUs to clusters.", "Take a kind of worker without GPUs.", field)
    if found not in choices.kinds(context.settings, prices):
        raise invalid("kind_too_large", f"A worker of the kind {name} is larger than what this machine has for clusters.",
                      "Take a smaller kind.", field)
    return found


def _size(kind: WorkerKind) -> dict[str, Any]:
    return {"cpu": kind.cpu, "memory": kind.memory, "gpus": kind.gpus}


def _or(names: Any) -> str:
    return " or ".join(names)
