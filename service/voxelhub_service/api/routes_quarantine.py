"""The quarantine: what arrived and was not released, and what stewards decide about it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from ..database import reading
from ..imports import deciding
from ..wire import Identifier, ProjectName
from ..wire_datasets import DecisionIn, NameOut, QuarantineOut, QuarantinePage
from .deps import CallerDep, ContextDep

router = APIRouter(tags=["quarantine"])
State = Literal["held", "releasing", "released", "rejected", "expired"]


@router.get("/quarantine")
def list_quarantine(
    context: ContextDep, actor: CallerDep, project: ProjectName | None = None, state: State | None = None,
    run: Identifier | None = None, offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> QuarantinePage:
    """What imports held, newest first: the caller's own files, and all of the projects in which they are steward or owner."""
    with reading(context.engine) as session:
        return deciding.list_items(session, actor, project=project, state=state, run=run, offset=offset, limit=limit)


@router.get("/quarantine/{item_id}")
def read_item(item_id: Identifier, context: ContextDep, actor: CallerDep) -> QuarantineOut:
    with reading(context.engine) as session:
        item, _ = deciding.item_for(session, actor, item_id)
        return deciding.items_out(session, actor, [item])[0]


@router.post("/quarantine/{item_id}/name")
def reveal_name(item_id: Identifier, context: ContextDep, actor: CallerDep) -> NameOut:
    """The file's own name, which may name a patient: for who brought it in and for stewards. Every look is audited."""
    return NameOut(name=deciding.reveal_name(context, actor, item_id))


@router.post("/quarantine/{item_id}/release")
def release(item_id: Identifier, decision: DecisionIn, context: ContextDep, actor: CallerDep) -> QuarantineOut:
    """Stewards let a file in despite its reason; `release_run_id` is the import that does it. Asked again, the same answer."""
    return deciding.release(context, actor, item_id, decision.reason)


@router.post("/quarantine/{item_id}/reject")
def reject(item_id: Identifier, decision: DecisionIn, context: ContextDep, actor: CallerDep) -> QuarantineOut:
    """Stewards refuse a file for good: its bytes and its name are removed, its record stays."""
    return deciding.reject(context, actor, item_id, decision.reason)
