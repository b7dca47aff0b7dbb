"""Batches as they cross the wire: their state follows from the newest run of each item."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Subquery, func, select
from sqlalchemy.orm import Session, defer

from ..identity.actor import Actor
from ..models import TERMINAL_STATES, Batch, Dataset, DatasetVersion, Entry, Project, Run
from ..policy.authorize import decide, require
from ..projects.store import project_by_name
from ..wire_runs import BatchDetail, BatchItemOut, BatchOut
from .store import RETRYABLE


@dataclass
class Tally:
    """What the newest runs of a batch's items say together."""

    counts: dict[str, int] = field(default_factory=dict)
    progress: float = 0.0  # of those that have not ended, added up
    ended_at: datetime | None = None

    @property
    def going(self) -> int:
        return sum(number for state, number in self.counts.items() if state not in TERMINAL_STATES)

    def state(self, join: Run | None) -> str:
        if self.going:
            return "queued" if set(self.counts) == {"queued"} else "running"
        if join is not None and join.state not in TERMINAL_STATES:
            return "joining"
        if self.counts.get("failed") or (join is not None and join.state == "failed"):
            return "failed"
        return "cancelled" if self.counts.get("cancelled") else "succeeded"


def list_batches(
    session: Session, actor: Actor, *, project: str | None, offset: int, limit: int
) -> tuple[int, list[Batch]]:
    """Newest first, of the projects whose runs the actor may read."""
    if project is not None:
        require(actor, "run.read", project_by_name(session, project))
    readable = [one.id for one in session.scalars(select(Project)) if project in (None, one.name)
                and decide(actor, "run.read", one).allowed]
    total = session.scalar(select(func.count()).select_from(Batch).where(Batch.project_id.in_(readable))) or 0
    rows = session.scalars(select(Batch).options(defer(Batch.items)).where(Batch.project_id.in_(readable)).order_by(
        Batch.created_at.desc(), Batch.id).offset(offset).limit(limit))
    return total, list(rows)


def batches_out(session: Session, batches: Sequence[Batch]) -> list[BatchOut]:
    return [BatchOut(**fields) for fields in _fields(session, batches)]


def detail_out(session: Session, batch: Batch, *, state: str | None, offset: int, limit: int) -> BatchDetail:
    """With the items in their order, of one state or of all."""
    (fields,) = _fields(session, [batch])
    newest = _newest([batch.id])
    query = select(Run, newest.c.attempts).join(newest, _is_newest(newest)).order_by(Run.batch_item).offset(offset).limit(limit)
    rows = session.execute(query.where(Run.state == state) if state else query).all()
    runs = [run for run, _ in rows]
    datasets = dict(session.execute(select(DatasetVersion.id, DatasetVersion.dataset_id).where(
        DatasetVersion.id.in_([run.output_version_id for run in runs if run.output_version_id]))).all())
    items = [
        BatchItemOut(
            number=run.batch_item or 1, label=batch.items[(run.batch_item or 1) - 1]["label"], state=run.state,
            reason=run.reason, progress=run.progress, run_id=run.id, run=run.label, attempts=attempts,
            output_dataset_id=datasets.get(run.output_version_id or ""))
        for run, attempts in rows
    ]
    return BatchDetail(**fields, items=items)


def _fields(session: Session, batches: Sequence[Batch]) -> list[dict[str, Any]]:
    """What a batch and its detail have in common, with a few queries however many there are."""
    ids = [batch.id for batch in batches]
    tallies, joins = _tallies(session, ids), _joins(session, ids)
    projects = dict(session.execute(select(Project.id, Project.name)).all())
    tables = _tables(session, [run for runs in joins.values() for run in runs])
    out = []
    for batch in batches:
        tally, own = tallies[batch.id], joins.get(batch.id, [])
        made = next((run for run in own if run.id in tables), None)
        dataset, entry = tables[made.id] if made is not None else (None, None)
        last = own[0] if own else None
        total, going = sum(tally.counts.values()), tally.going
        over = not going and (last is None or last.state in TERMINAL_STATES)
        ends = [one for one in (tally.ended_at, last.ended_at if last else None) if one is not None]
        out.append({
            "id": batch.id, "project": projects[batch.project_id], "owner": batch.owner, "title": batch.title, "tool": batch.tool,
            "tool_version": batch.tool_version, "arguments": batch.arguments, "state": tally.state(last), "counts": tally.counts,
            "total": total, "progress": min(1.0, (total - going + tally.progress) / max(total, 1)),
            "table_run_id": made.id if made else None, "table_dataset_id": dataset, "table_entry_id": entry,
            "table_state": last.state if last else None, "table_reason": last.reason if last else "",
            "created_at": batch.created_at, "ended_at": max(ends) if over and ends else None, "cancellable": going > 0,
            "retryable": sum(tally.counts.get(state, 0) for state in RETRYABLE),
        })
    return out


def _newest(ids: Sequence[str]) -> Subquery:
    """Of each item of these batches: the number of its newest run, and how many it has."""
    return select(Run.batch_id, Run.batch_item, func.max(Run.number).label("number"), func.count().label("attempts")).where(
        Run.batch_id.in_(ids), Run.kind == "tool").group_by(Run.batch_id, Run.batch_item).subquery()


def _is_newest(newest: Subquery) -> ColumnElement[bool]:
    return (Run.batch_id == newest.c.batch_id) & (Run.batch_item == newest.c.batch_item) & (Run.number == newest.c.number)


def _tallies(session: Session, ids: Sequence[str]) -> dict[str, Tally]:
    newest = _newest(ids)
    query = select(Run.batch_id, Run.state, func.count(), func.sum(Run.progress), func.max(Run.ended_at)).join(
        newest, _is_newest(newest))
    found: dict[str, Tally] = defaultdict(Tally)
    for batch, state, count, progress, ended_at in session.execute(query.group_by(Run.batch_id, Run.state)):
        tally = found[str(batch)]
        tally.counts[state] = count
        if state not in TERMINAL_STATES:
            tally.progress += progress or 0.0
        if ended_at is not None and (tally.ended_at is None or ended_at > tally.ended_at):
            tally.ended_at = ended_at
    return found


def _joins(session: Session, ids: Sequence[str]) -> dict[str, list[Run]]:
    """By batch, the newest first."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in session.scalars(select(Run).where(Run.batch_id.in_(ids), Run.kind == "join").order_by(Run.number.desc())):
        found[run.batch_id or ""].append(run)
    return found


def _tables(session: Session, joins: Sequence[Run]) -> dict[str, tuple[str, str]]:
    """Of the joins whose table is there, outside the trash: its dataset and its entry."""
    query = select(DatasetVersion.run_id, Dataset.id, Entry.id).join(Dataset, Dataset.id == DatasetVersion.dataset_id).join(
        Entry, Entry.version_id == DatasetVersion.id)
    rows = session.execute(query.where(DatasetVersion.run_id.in_([run.id for run in joins]), Dataset.trashed_at.is_(None)))
    return {run: (dataset, entry) for run, dataset, entry in rows}
