"""Dask clusters: what they may be made of, what they would cost, make, list, scale, pin, close, logs, credentials."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from ..checkpoints import reached
from ..clusters import choices, store
from ..clusters.bell import ring
from ..clusters.local import LocalClusters
from ..clusters.prices import counts, per_hour
from ..context import Context
from ..database import reading, writing
from ..errors import Problem, conflict, forbidden
from ..ledger.budgets import in_force, refusal_of, states
from ..ledger.estimating import between, sentence
from ..models import Cluster
from ..policy.authorize import require
from ..wire import Identifier, ProjectName
from ..wire_clusters import (
    ClusterChoices,
    ClusterCredentials,
    ClusterEstimate,
    ClusterIn,
    ClusterKept,
    ClusterLogs,
    ClusterOut,
    ClusterPage,
    ClusterPatch,
    ClusterState,
)
from .deps import CallerDep, ContextDep
from .routes_runs import RequestKey

router = APIRouter(tags=["clusters"])
LOG_SIZE = 64 * 1024  # bytes of the end of a log
CLOSED_BY = "Closed by {}."


@router.get("/clusters/choices")
def read_choices(context: ContextDep, actor: CallerDep) -> ClusterChoices:
    """What a form offers: environments, kinds of workers with their prices, and its bounds."""
    require(actor, "cluster.choose")
    prices, _ = in_force(context.settings)
    return choices.choices(context, prices)


@router.post("/clusters/estimate")
def estimate_cluster(body: ClusterIn, context: ContextDep, actor: CallerDep) -> ClusterEstimate:
    """What it would cost an hour, what is left of the budgets that bear on it, and why it would be refused."""
    with reading(context.engine) as session:
        prices, _ = in_force(context.settings)
        plan = store.planned(context, session, actor, body, prices)
        most = body.maximum if body.adaptive else plan.floor
        floor, ceiling = (per_hour(prices, counts(plan.kind.name, each, plan.groups)) for each in (plan.floor, most))
        budgets = states(context, session, actor.name, plan.project)
        return ClusterEstimate(
            price_per_hour_floor=floor.per_hour, price_per_hour_maximum=ceiling.per_hour, currency=ceiling.currency,
            sentence=sentence(between(floor, ceiling), budgets), budgets=budgets,
            refused=choices.unavailable(context.settings, prices) or refusal_of(budgets))


@router.post("/clusters", status_code=201)
def create_cluster(body: ClusterIn, context: ContextDep, actor: CallerDep, key: RequestKey = None) -> ClusterOut:
    """Make one. Sent twice with the same Idempotency-Key, it is made once."""
    request_id = f"{actor.name}:{key}" if key else None
    with writing(context.engine) as session:
        known = session.query(Cluster).filter_by(request_id=request_id).one_or_none() if request_id else None
        if known is not None and known.title != body.title:
            raise conflict("key_used_before", "This Idempotency-Key already made another cluster.", "Send a new one.")
        cluster = known or store.create_cluster(context, session, actor, body, request_id)
        store.cluster_for(session, actor, cluster.id)
        answer = store.cluster_out(context, session, actor, cluster)
    if known is None:
        reached("cluster.created")
        ring(context.settings.clusters_dir)
    return answer


@router.get("/clusters")
def read_clusters(
    context: ContextDep, actor: CallerDep, scope: store.Scope = "mine", project: ProjectName | None = None,
    state: ClusterState | Literal["open"] | None = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0, limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> ClusterPage:
    """Newest first; `open` stands for all states before the end.

    `mine`; `project`: also those of others in projects that the caller owns; `all`: all that the caller may see.
    """
    with reading(context.engine) as session:
        total, rows = store.list_clusters(session, actor, scope=scope, project=project, state=state, offset=offset, limit=limit)
        return ClusterPage(total=total, items=store.clusters_out(context, session, actor, rows))


@router.get("/clusters/{cluster_id}")
def read_cluster(cluster_id: Identifier, context: ContextDep, actor: CallerDep) -> ClusterOut:
    with reading(context.engine) as session:
        cluster, _ = store.cluster_for(session, actor, cluster_id)
        return store.cluster_out(context, session, actor, cluster)


@router.patch("/clusters/{cluster_id}")
def change_cluster(cluster_id: Identifier, body: ClusterPatch, context: ContextDep, actor: CallerDep) -> ClusterOut:
    """Scale (a number of workers), adapt (floor and ceiling), pin or unpin, rename. What is left out stays."""
    with writing(context.engine) as session:
        cluster, project = store.cluster_for(session, actor, cluster_id)
        store.change_cluster(context, session, actor, cluster, project, body)
        answer = store.cluster_out(context, session, actor, cluster)
    ring(context.settings.clusters_dir)
    return answer


@router.delete("/clusters/{cluster_id}", status_code=202)
def close_cluster(cluster_id: Identifier, context: ContextDep, actor: CallerDep) -> ClusterOut:
    """Ask for its end. One that has ended stays as it is."""
    with writing(context.engine) as session:
        cluster, project = store.cluster_for(session, actor, cluster_id)
        store.require_manage(actor, cluster, project)
        if store.ask_close(session, cluster, CLOSED_BY.format(actor.name)):
            context.audit.append(session, actor, "cluster.close", f"cluster:{cluster.id}", detail={"project": project.name})
        answer = store.cluster_out(context, session, actor, cluster)
    ring(context.settings.clusters_dir)
    return answer


@router.post("/clusters/{cluster_id}/keep")
def keep_cluster(cluster_id: Identifier, context: ContextDep, actor: CallerDep) -> ClusterKept:
    """The kernel lives that it belongs to. For those made in a notebook, by its owner, every ten seconds."""
    with writing(context.engine) as session:
        cluster = store.keep(session, actor, cluster_id)
        return ClusterKept(state=cluster.state, kept=store.is_kept(cluster))  # type: ignore[arg-type]


@router.delete("/clusters/{cluster_id}/keep")
def let_cluster_go(cluster_id: Identifier, context: ContextDep, actor: CallerDep) -> ClusterKept:
    """It goes on without a kernel, whichever kept it: until its server ends, or after its time without work."""
    with writing(context.engine) as session:
        cluster = store.let_go(session, actor, cluster_id)
        return ClusterKept(state=cluster.state, kept=store.is_kept(cluster))  # type: ignore[arg-type]


@router.get("/clusters/{cluster_id}/logs")
def read_logs(
    cluster_id: Identifier, context: ContextDep, actor: CallerDep, name: Annotated[str, Query(max_length=64)] = "scheduler",
) -> ClusterLogs:
    """What happened to it, with the values that caused it, and the end of one process's log."""
    with reading(context.engine) as session:
        cluster, _ = store.cluster_for(session, actor, cluster_id)
        events = store.events_of(session, cluster)
    driver = _driver(context)
    names = driver.log_names(cluster_id)
    text = driver.log(cluster_id, name, LOG_SIZE) if name in names else ""
    return ClusterLogs(events=events, names=names, name=name, text=text)


@router.get("/clusters/{cluster_id}/credentials")
def read_credentials(cluster_id: Identifier, context: ContextDep, actor: CallerDep) -> ClusterCredentials:
    """For a client of its owner, and for nobody else. 409 until its scheduler answers."""
    with writing(context.engine) as session:
        cluster, project = store.cluster_for(session, actor, cluster_id)
        if cluster.owner != actor.name:
            problem = forbidden("Only the owner of a cluster connects to it.")
            problem.denied = ("cluster.credentials", f"cluster:{cluster_id}")
            raise problem
        require(actor, "cluster.manage", project)
        address = cluster.seen.get("address", "")
        if cluster.state != "running" or not address:
            raise conflict("cluster_not_running", f"This cluster is {cluster.state}; it can be connected to while it runs.",
                           cluster.reason)
        try:
            authority, certificate, key = _driver(context).credentials(cluster_id)
        except KeyError:
            raise Problem(409, "cluster_not_running", "This cluster has just ended.") from None
        context.audit.append(session, actor, "cluster.credentials", f"cluster:{cluster.id}", detail={"project": project.name})
    environment = context.settings.envs_dir / cluster.environment
    versions = {"distributed": choices.dask_version(environment), "python": choices.python_version(environment)}
    return ClusterCredentials(address=address, ca=authority, certificate=certificate, key=key, versions=versions)


def _driver(context: Context) -> LocalClusters:
    return LocalClusters(context.settings.clusters_dir)


