"""Batches: made, listed, cancelled, tried again. A batch has no state of its own; it follows from its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..context import Context, emit
from ..errors import conflict, invalid, not_found
from ..identity.actor import Actor
from ..models import TERMINAL_STATES, Batch, Dataset, Project, Run, new_id
from ..policy.authorize import decide, require
from ..runs.endings import end_run
from ..runs.joining import after_items, make_join, newest_runs, table_title
from ..runs.making import Order, make_recipe, make_runs
from ..runs.next_step import NEVER_STARTED
from ..wire_runs import BatchIn, BatchItemIn
from .pairing import free

RETRYABLE = ("failed", "cancelled")


def create_batch(context: Context, session: Session, actor: Actor, body: BatchIn, request_id: str | None) -> Batch:
    """The row and a run for each item, or nothing at all; raises Problem: of the first item that does not fit."""
    most = context.settings.batch_max
    if len(body.items) > most:
        raise invalid("too_many_items", f"A batch holds at most {most} items, not {len(body.items)}.", "Begin it in parts.")
    recipe = make_recipe(context, session, actor, tool=body.tool, version=body.version, project=body.project,
                         arguments=body.arguments, priority=body.priority)
    labels = _labels(body.items)
    batch = Batch(
        id=new_id(), project_id=recipe.project.id, owner=actor.name, title=_free_title(session, recipe.project, body.title),
        tool=recipe.manifest.name, tool_version=recipe.manifest.version, tool_digest=recipe.manifest.digest,
        arguments=recipe.arguments, request_id=request_id,
        items=[{"label": label, "inputs": _inputs(one)} for label, one in zip(labels, body.items, strict=True)],
    )
    session.add(batch)
    session.flush()
    make_runs(context, session, actor, recipe, [_order(batch, number) for number in range(1, len(labels) + 1)])
    context.audit.append(session, actor, "batch.create", f"batch:{batch.id}", detail={
        "project": recipe.project.name, "tool": batch.tool, "tool_version": batch.tool_version, "tool_digest": batch.tool_digest,
        "items": len(labels)})
    emit(session, "batch", batch.id, project_id=batch.project_id)
    return batch


def cancel_batch(context: Context, session: Session, actor: Actor, batch: Batch, project: Project) -> None:
    """All its runs that have not ended; those that wait end at once. A conflict where all have ended."""
    _may_stop(actor, batch, project)
    live = select(Run).where(Run.batch_id == batch.id, Run.kind == "tool", Run.state.not_in(TERMINAL_STATES))
    going = list(session.scalars(live.order_by(Run.number)))
    if not going:
        raise conflict("batch_ended", f"All runs of “{batch.title}” have ended already.")
    fresh = [run for run in going if run.wanted != "cancel"]
    if not fresh:
        return
    context.audit.append(session, actor, "batch.cancel", f"batch:{batch.id}", detail={"runs": len(fresh)})
    for run in fresh:
        run.wanted = "cancel"
        if run.state == "queued":
            end_run(context, session, run, "cancelled", NEVER_STARTED, by=actor.name, alone=False)
        else:
            run.reason = "It is being cancelled."
    after_items(context, session, batch.id)


def retry_batch(context: Context, session: Session, actor: Actor, batch: Batch, project: Project, request_id: str | None) -> int:
    """New runs of the items that failed or were cancelled; how many. Where only its table failed, the table is made again."""
    require(actor, "run.create", project)
    newest = newest_runs(session, batch.id)
    again = [run for run in newest if run.state in RETRYABLE]
    if not again:
        _table_again(context, session, batch, newest, request_id)
        return 0
    priority = min(run.priority for run in again)
    if not decide(actor, "run.prioritise", project).allowed:
        priority = min(priority, 0)
    recipe = make_recipe(context, session, actor, tool=batch.tool, version=batch.tool_version, digest=batch.tool_digest,
                         project=project.name, arguments=batch.arguments, priority=priority)
    orders = [_order(batch, run.batch_item or 1, rerun_of=run.id) for run in again]
    if request_id:
        orders[0] = _order(batch, again[0].batch_item or 1, rerun_of=again[0].id, request_id=request_id)
    make_runs(context, session, actor, recipe, orders)
    context.audit.append(session, actor, "batch.retry", f"batch:{batch.id}", detail={"items": [run.batch_item for run in again]})
    emit(session, "batch", batch.id, project_id=batch.project_id)
    return len(again)


def _table_again(context: Context, session: Session, batch: Batch, newest: Sequence[Run], request_id: str | None) -> None:
    last = last_join(session, batch.id)
    if all(run.state in TERMINAL_STATES for run in newest) and last is not None and last.state in RETRYABLE:
        join = make_join(context, session, batch)
        if join is not None:
            join.request_id = request_id
        return
    raise conflict("nothing_to_retry", f"No item of “{batch.title}” has failed or was cancelled.")


def last_join(session: Session, batch_id: str) -> Run | None:
    query = select(Run).where(Run.batch_id == batch_id, Run.kind == "join")
    return session.scalar(query.order_by(Run.number.desc()).limit(1))


def batch_for(session: Session, actor: Actor, batch_id: str, action: str = "run.read") -> tuple[Batch, Project]:
    """The batch and its project; not_found for what does not exist and for what the actor may not see."""
    batch = session.get(Batch, batch_id)
    project = session.get(Project, batch.project_id) if batch is not None else None
    require(actor, action, project)
    if batch is None or project is None:
        raise not_found()
    return batch, project


def same(session: Session, batch: Batch, body: BatchIn) -> bool:
    """Whether a request that comes again is the one that made this batch; its title may have been numbered since."""
    project = session.get_one(Project, batch.project_id)
    given = [{"label": label, "inputs": _inputs(one)} for label, one in zip(_labels(body.items), body.items, strict=True)]
    arguments = all(name in batch.arguments and batch.arguments[name] == value for name, value in body.arguments.items())
    return arguments and (batch.tool, project.name, batch.items) == (body.tool, body.project, given)


def _may_stop(actor: Actor, batch: Batch, project: Project) -> None:
    require(actor, "run.cancel", project)
    if batch.owner != actor.name:
        require(actor, "run.cancel_others", project)


def _order(batch: Batch, number: int, **more: Any) -> Order:
    item: Mapping[str, Any] = batch.items[number - 1]
    return Order(item["inputs"], f"{batch.title[:120]} · {item['label'][:70]}", label=item["label"], batch_id=batch.id,
                 batch_item=number, **more)


def _inputs(item: BatchItemIn) -> dict[str, list[str]]:
    return {name: list(dict.fromkeys(many)) for name, many in item.inputs.items()}


def _labels(items: Sequence[BatchItemIn]) -> list[str]:
    """Never two alike, also where they are cut for a title: each result becomes a dataset of its own."""
    taken: set[str] = {"joined table"}
    labels = []
    for one in items:
        labels.append(free(one.label.strip()[:62] or "item", taken))
        taken.add(labels[-1])
    return labels


def _free_title(session: Session, project: Project, wanted: str) -> str:
    """Numbered where a batch of the project is called so, or a dataset as its table will be."""
    base = wanted.strip()[:110] or "Batch"
    alike = select(Batch.title).where(Batch.project_id == project.id, Batch.title.startswith(base, autoescape=True))
    taken = set(session.scalars(alike))
    tables = {table_title(base)} | {table_title(f"{base} ({n})") for n in range(2, len(taken) + 3)}
    made = set(session.scalars(select(Dataset.title).where(Dataset.project_id == project.id, Dataset.title.in_(tables))))
    return free(base, taken | {title.removesuffix(table_title("")) for title in made})
