"""Batches: one tool over many inputs, from the plan to the joined table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from ..batches import pairing, planning, reading, store, table
from ..checkpoints import reached
from ..database import reading as snapshot
from ..database import writing
from ..errors import conflict
from ..models import Batch, Run
from ..policy.authorize import require
from ..tools import catalogue
from ..wire import Identifier, ProjectName, RunState
from ..wire_runs import BatchDetail, BatchIn, BatchItemIn, BatchOut, BatchPage, BatchPlanIn, BatchPlanOut, BatchTable
from .deps import CallerDep, ContextDep
from .routes_runs import RequestKey
from .sending import SAFE, disposition

router = APIRouter(tags=["batches"])
Offset = Annotated[int, Query(ge=0, le=10**9)]


@router.post("/batches/plan")
def plan_batch(body: BatchPlanIn, context: ContextDep, actor: CallerDep) -> BatchPlanOut:
    """How a selection becomes items, one run each. It begins nothing; send its items to POST /batches, as they are or changed."""
    require(actor, "tool.read")
    with snapshot(context.engine) as session:
        candidates = planning.candidates(session, actor, body.entries)
        manifest = catalogue.wanted(context, session, actor, body.tool, body.version).manifest
    found = pairing.plan(manifest.inputs, candidates, manifest.combinations)
    sizes = {one.id: one.size for one in candidates}
    output = sum(min(manifest.resources.output(sum(sizes[entry] for many in one.inputs.values() for entry in many)),
                     context.settings.run_max_output) for one in found.items)
    items = [BatchItemIn(label=one.label, inputs=one.inputs) for one in found.items]
    return BatchPlanOut(items=items, left_out=found.left_out, reason=found.reason, output=output)


@router.post("/batches", status_code=201)
def create_batch(body: BatchIn, context: ContextDep, actor: CallerDep, key: RequestKey = None) -> BatchOut:
    """A run for each item, all or none. Sent twice with the same Idempotency-Key, it begins once."""
    request_id = f"{actor.name}:{key}" if key else None
    with writing(context.engine) as session:
        known = session.scalar(select(Batch).where(Batch.request_id == request_id)) if request_id else None
        if known is not None:
            batch, _ = store.batch_for(session, actor, known.id)
            if not store.same(session, batch, body):
                raise conflict("key_used_before", "This Idempotency-Key already made another batch.", "Send a new one.")
        else:
            batch = store.create_batch(context, session, actor, body, request_id)
        answer = _out(session, batch)
    if known is None:
        reached("batch.created")
    return answer


@router.get("/batches")
def list_batches(
    context: ContextDep, actor: CallerDep, project: ProjectName | None = None, offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> BatchPage:
    """The batches of the caller's projects, newest first."""
    with snapshot(context.engine) as session:
        total, rows = reading.list_batches(session, actor, project=project, offset=offset, limit=limit)
        return BatchPage(total=total, items=reading.batches_out(session, rows))


@router.get("/batches/{batch_id}")
def read_batch(
    batch_id: Identifier, context: ContextDep, actor: CallerDep, state: RunState | None = None, offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> BatchDetail:
    """With its items, all or those whose newest run is in a state."""
    with snapshot(context.engine) as session:
        batch, _ = store.batch_for(session, actor, batch_id)
        return reading.detail_out(session, batch, state=state, offset=offset, limit=limit)


@router.post("/batches/{batch_id}/cancel", status_code=202)
def cancel_batch(batch_id: Identifier, context: ContextDep, actor: CallerDep) -> BatchOut:
    """Ask for the end of all its runs. Members cancel their own batches, stewards and owners of the project all."""
    with writing(context.engine) as session:
        batch, project = store.batch_for(session, actor, batch_id)
        store.cancel_batch(context, session, actor, batch, project)
        return _out(session, batch)


@router.post("/batches/{batch_id}/retry", status_code=201)
def retry_batch(batch_id: Identifier, context: ContextDep, actor: CallerDep, key: RequestKey = None) -> BatchOut:
    """New runs of the items that failed or were cancelled, in the tool's recorded version; the others stay as they are."""
    request_id = f"{actor.name}:{key}" if key else None
    with writing(context.engine) as session:
        batch, project = store.batch_for(session, actor, batch_id)
        known = session.scalar(select(Run).where(Run.request_id == request_id)) if request_id else None
        if known is not None and known.batch_id != batch.id:
            raise conflict("key_used_before", "This Idempotency-Key already made another run.", "Send a new one.")
        if known is None:
            store.retry_batch(context, session, actor, batch, project, request_id)
        answer = _out(session, batch)
    if known is None:
        reached("batch.retried")
    return answer


@router.get("/batches/{batch_id}/table")
def read_table(
    batch_id: Identifier, context: ContextDep, actor: CallerDep, offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> BatchTable:
    """The joined table, a page of it; until there is one, the state of each item. Every look is in the audit log."""
    with writing(context.engine) as session:
        batch, project = store.batch_for(session, actor, batch_id)
        found = table.source(context, session, batch)
        context.audit.append(session, actor, "file.view", f"batch:{batch.id}", detail={"project": project.name})
    return table.page(found, offset, limit)


@router.get("/batches/{batch_id}/table/csv", response_class=StreamingResponse)
def download_table(batch_id: Identifier, context: ContextDep, actor: CallerDep) -> Response:
    """The joined table for a spreadsheet: text that it would run as a formula begins with an apostrophe. Open projects only.

    The table as it was published, without that change, is the file of its dataset.
    """
    with writing(context.engine) as session:
        batch, project = store.batch_for(session, actor, batch_id)
        require(actor, "file.download", project)
        found = table.source(context, session, batch)
        context.audit.append(session, actor, "file.download", f"batch:{batch.id}", detail={"project": project.name})
    headers = {**SAFE, "Content-Disposition": disposition(f"{batch.title}.csv", attachment=True)}
    return StreamingResponse(table.for_spreadsheets(found), media_type="text/csv; charset=utf-8", headers=headers)


def _out(session: Session, batch: Batch) -> BatchOut:
    session.flush()
    (answer,) = reading.batches_out(session, [batch])
    return answer
