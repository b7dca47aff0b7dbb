"""The service's figures for Prometheus, in its text format (version 0.0.4). No name of a person, project or dataset is here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from .. import __version__
from ..context import Context
from ..models import (
    ENDED_CLUSTERS,
    AuditEvent,
    BudgetMark,
    Cluster,
    Event,
    Lease,
    LedgerEntry,
    QuarantineItem,
    Run,
    Upload,
    utcnow,
)
from .budgets import REACHED, month_of

Sample = tuple[dict[str, str], float]


@dataclass(frozen=True)
class Family:
    """One metric with its samples."""

    name: str
    help: str
    samples: Iterable[Sample]
    kind: str = "gauge"


def text(context: Context, session: Session) -> str:
    began = time.monotonic()
    families = list(_families(context, session))
    spent = time.monotonic() - began
    families.append(Family("voxelhub_database_read_seconds", "Seconds that reading these figures took.", [({}, spent)]))
    return "".join(line for family in families for line in lines(family))


def lines(family: Family) -> Iterator[str]:
    name = family.name
    yield f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n"
    for labels, value in family.samples:
        inside = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        yield f"{name}{{{inside}}} {value:.17g}\n" if inside else f"{name} {value:.17g}\n"


def _families(context: Context, session: Session) -> Iterator[Family]:
    dialect = session.get_bind().dialect.name
    yield Family("voxelhub_info", "Version and database.", [({"version": __version__, "database": dialect}, 1)])
    runs = session.execute(select(Run.kind, Run.state, func.count()).group_by(Run.kind, Run.state)).all()
    yield Family("voxelhub_runs", "Runs by kind and state, the ended ones among them.",
                 [({"kind": kind, "state": state}, count) for kind, state, count in runs])
    waiting = select(Run.kind, func.count(), func.min(Run.created_at)).where(Run.state == "queued").group_by(Run.kind)
    queue = session.execute(waiting).all()
    yield Family("voxelhub_queue_length", "Runs that wait for their turn.", [({"kind": kind}, count) for kind, count, _ in queue])
    yield Family("voxelhub_queue_oldest_seconds", "Seconds that the one that was made first waits.",
                 [({"kind": kind}, (utcnow() - made).total_seconds()) for kind, _, made in queue])
    yield from _clusters(session)
    yield from _spend(session)
    yield Family("voxelhub_uploads", "Uploads by state.", _counted(session, Upload.state))
    yield Family("voxelhub_quarantine", "Files in quarantine by state.", _counted(session, QuarantineItem.state))
    yield Family("voxelhub_events_total", "Events that were ever written to the feed.",
                 [({}, session.scalar(select(func.max(Event.id))) or 0)], "counter")
    yield Family("voxelhub_audit_records_total", "Records of the audit log.",
                 [({}, session.scalar(select(func.max(AuditEvent.seq))) or 0)], "counter")
    until = session.scalar(select(func.max(Lease.expires_at)))
    left = (until - utcnow()).total_seconds() if until else 0.0
    yield Family("voxelhub_worker_lease_seconds", "Seconds until the worker's lease ends; not above 0: none works.", [({}, left)])


def _clusters(session: Session) -> Iterator[Family]:
    yield Family("voxelhub_clusters", "Dask clusters by state, the ended ones among them.", _counted(session, Cluster.state))
    open_ones = session.execute(select(Cluster.workers, Cluster.seen).where(Cluster.state.not_in(ENDED_CLUSTERS))).all()
    living = sum(len(seen.get("workers") or ()) for _, seen in open_ones)
    yield Family("voxelhub_cluster_workers", "Workers of open clusters: wanted, and seen.",
                 [({"of": "wanted"}, sum(count for count, _ in open_ones)), ({"of": "seen"}, living)])


def _spend(session: Session) -> Iterator[Family]:
    month = month_of(utcnow())
    entry = LedgerEntry
    this = entry.day.between(f"{month}-01", f"{month}-31")
    sums = (func.sum(entry.core_seconds), func.sum(entry.gpu_seconds), func.sum(entry.used_cpu_seconds))
    hours = session.execute(select(entry.kind, *sums).where(this).group_by(entry.kind)).all()
    for place, name, what in ((1, "cpu_hours", "CPU hours that were held"), (2, "gpu_hours", "GPU hours that were held"),
                              (3, "used_cpu_hours", "CPU hours that were computed")):
        samples = [({"kind": str(row[0])}, float(row[place]) / 3600) for row in hours]
        yield Family(f"voxelhub_month_{name}", f"{what} this month (UTC).", samples)
    priced = select(entry.kind, entry.currency, func.sum(entry.seconds * entry.price_per_hour) / 3600)
    money = session.execute(priced.where(this, entry.price_per_hour.is_not(None)).group_by(entry.kind, entry.currency)).all()
    yield Family("voxelhub_month_spend", "Money that was spent this month (UTC).",
                 [({"kind": kind, "currency": currency or ""}, amount) for kind, currency, amount in money])
    growing = select(entry.kind, func.count()).where(entry.ended_at.is_(None)).group_by(entry.kind)
    yield Family("voxelhub_ledger_growing", "Entries of the ledger that grow: what runs now.",
                 [({"kind": kind}, count) for kind, count in session.execute(growing)])
    reached = select(func.count()).select_from(BudgetMark).where(BudgetMark.month == month, BudgetMark.level == REACHED)
    yield Family("voxelhub_budgets_reached", "Budgets of this month that are spent.", [({}, session.scalar(reached) or 0)])


def _counted(session: Session, column: object) -> list[Sample]:
    found = session.execute(select(column, func.count()).group_by(column)).all()  # type: ignore[call-overload]
    return [({"state": state}, count) for state, count in found]


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
