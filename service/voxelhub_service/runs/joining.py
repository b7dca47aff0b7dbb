"""When all items of a batch have ended, a run of kind `join` is made in the same transaction: it will publish one table of all.

The batch's tables are those of the newest run of each item. A retry makes runs with higher numbers, and at their end one more
join; a join reads only what has a lower number than its own, so what is tried again meanwhile does not enter it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..context import Context, emit
from ..models import TERMINAL_STATES, Batch, Dataset, DatasetVersion, Entry, Run
from .numbers import next_number

JOINABLE = ("csv", "tsv")


def after_items(context: Context, session: Session, batch_id: str) -> Run | None:
    """After items ended: the join, where they were the last. None where others go on, or none has succeeded."""
    session.flush()
    batch = session.get_one(Batch, batch_id)
    emit(session, "batch", batch.id, project_id=batch.project_id)
    going = select(Run.id).where(Run.batch_id == batch.id, Run.kind == "tool", Run.state.not_in(TERMINAL_STATES)).limit(1)
    return make_join(context, session, batch) if session.scalar(going) is None else None


def make_join(context: Context, session: Session, batch: Batch) -> Run | None:
    """The run that makes the table of what there is now; None where no item has succeeded: there is nothing to read."""
    newest = newest_runs(session, batch.id)
    if not any(run.state == "succeeded" for run in newest):
        return None
    batch.joined += 1
    tables = [entry.id for entry in tables_of(session, newest)]
    run = Run(
        number=next_number(session, batch.project_id), project_id=batch.project_id, owner=batch.owner, kind="join",
        title=f"Table of {batch.title}"[:200], reason="Waits for its turn.", batch_id=batch.id, inputs={"tables": tables},
        output_dataset=table_title(batch.title))
    session.add(run)
    session.flush()
    context.audit.append(session, "system", "run.create", f"run:{run.id}", detail={
        "number": run.number, "kind": "join", "owner": batch.owner, "batch": batch.id, "items": len(newest),
        "tables": len(tables)})
    emit(session, "run", run.id, project_id=run.project_id, payload={"state": run.state, "batch": batch.id})
    return run


def table_title(batch_title: str) -> str:
    """Of the dataset that the joined table becomes; no item's result is called so."""
    return f"{batch_title[:160]} · joined table"


def newest_runs(session: Session, batch_id: str, before: int | None = None) -> list[Run]:
    """The newest run of each item, in the items' order; with `before`, of those with a lower number."""
    query = select(Run).where(Run.batch_id == batch_id, Run.kind == "tool")
    if before is not None:
        query = query.where(Run.number < before)
    newest = {run.batch_item: run for run in session.scalars(query.order_by(Run.number))}
    return [newest[item] for item in sorted(newest, key=lambda item: item or 0)]


def tables_of(session: Session, runs: Sequence[Run]) -> list[Entry]:
    """The tables among the runs' results, outside the trash, in the order of the runs and then of their paths."""
    versions = [run.output_version_id for run in runs if run.output_version_id and run.state == "succeeded"]
    found: dict[str, list[Entry]] = {}
    for start in range(0, len(versions), 500):
        some = select(Entry).join(DatasetVersion, DatasetVersion.id == Entry.version_id).join(
            Dataset, Dataset.id == DatasetVersion.dataset_id).where(
            Entry.version_id.in_(versions[start:start + 500]), Entry.kind == "table", Entry.file_format.in_(JOINABLE),
            Dataset.trashed_at.is_(None))
        for entry in session.scalars(some.order_by(Entry.path)):
            found.setdefault(entry.version_id, []).append(entry)
    return [entry for version in versions for entry in found.get(version or "", [])]
