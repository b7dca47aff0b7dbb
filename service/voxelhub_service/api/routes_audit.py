"""The audit log: one's own trail for everybody, all of it for administrators and data-protection officers; told by the hub."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from starlette.responses import StreamingResponse

from ..audit import search
from ..audit.checkpoint import NotWhole
from ..audit.intake import take
from ..audit.proof import NotCovered, prove
from ..audit.search import Wanted, recorded
from ..audit.sentences import sentences
from ..audit.tending import evidence
from ..context import Context
from ..database import reading, writing
from ..errors import Problem, conflict, invalid
from ..identity.actor import Actor
from ..policy.authorize import require
from ..wire_evidence import AuditEventIn, AuditEventOut, AuditPage, AuditProof, AuditState
from .deps import CallerDep, ContextDep
from .sending import SAFE, disposition

router = APIRouter(tags=["audit"])
Text = Annotated[str | None, Query(max_length=500)]
Action = Annotated[str | None, Query(max_length=500, description="one that ends in a full stop: all that begin so")]
Outcome = Literal["success", "denied", "failure"]
Offset = Annotated[int, Query(ge=0, le=2**53)]
Limit = Annotated[int, Query(ge=1, le=1000)]


def _wanted(
    actor: Text = None, action: Action = None, resource: Text = None, outcome: Outcome | None = None,
    since: datetime | None = None, until: datetime | None = None,
) -> Wanted:
    try:
        times = [recorded(moment) if moment else None for moment in (since, until)]
    except (OverflowError, ValueError):
        raise invalid("invalid_request", "This time lies outside the calendar.") from None
    return Wanted(actor, action, resource, outcome, *times)


WantedDep = Annotated[Wanted, Depends(_wanted)]


@router.get("/audit/events")
def list_audit_events(
    context: ContextDep, caller: CallerDep, wanted: WantedDep, offset: Offset = 0, limit: Limit = 100,
) -> AuditPage:
    """Newest first. Times without a zone are UTC."""
    require(caller, "audit.read")
    return _page(context, caller, wanted, offset, limit)


@router.get("/audit/mine")
def list_own_audit_events(
    context: ContextDep, caller: CallerDep,
    action: Action = None, outcome: Outcome | None = None,
    since: datetime | None = None, until: datetime | None = None, offset: Offset = 0, limit: Limit = 100,
) -> AuditPage:
    """What the caller did, newest first. Times without a zone are UTC."""
    require(caller, "audit.read_own")
    return _page(context, caller, _wanted(caller.name, action, None, outcome, since, until), offset, limit)


def _page(context: Context, caller: Actor, wanted: Wanted, offset: int, limit: int) -> AuditPage:
    with reading(context.engine) as session:
        total, records = search.page(session, wanted, offset, limit)
        told = sentences(session, caller, records)
        items = [_out(record, text) for record, text in zip(records, told, strict=True)]
    return AuditPage(total=total, items=items)


def _out(record: Any, sentence: str) -> AuditEventOut:
    fields = {name: getattr(record, name) for name in ("seq", "at", "actor", "action", "resource", "outcome", "detail", "key")}
    return AuditEventOut(**fields, sentence=sentence)


@router.get("/audit/csv", response_class=StreamingResponse)
def download_audit_events(context: ContextDep, caller: CallerDep, wanted: WantedDep) -> Response:
    """All that fits the filter, oldest first, for a spreadsheet; recorded as `audit.export`."""
    require(caller, "audit.read")
    with writing(context.engine) as session:
        asked = {name: value for name, value in vars(wanted).items() if value is not None}
        context.audit.append(session, caller, "audit.export", "audit:log", detail={"filter": asked})
    headers = {**SAFE, "Content-Disposition": disposition("audit-log.csv", attachment=True)}
    return StreamingResponse(search.table(context.engine, wanted), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/audit/state")
def read_audit_state(context: ContextDep, caller: CallerDep) -> AuditState:
    """How far the log is signed, and how far its second place has it."""
    require(caller, "audit.read")
    try:
        found = evidence(context)
    except ValueError:
        raise _not_whole() from None
    newest, second = found.newest, found.second
    return AuditState(
        records=found.records, size=newest.size if newest else 0, root=newest.root if newest else "",
        time=datetime.fromisoformat(newest.time) if newest else None, key=newest.key if newest else "",
        origin=newest.origin if newest else "",
        late=found.late, second_size=second.size if second else None, second_problem=second.problem if second else "")


@router.get("/audit/proof/{seq}")
def prove_audit_event(seq: int, context: ContextDep, caller: CallerDep, earlier: int | None = None) -> AuditProof:
    """That the record is in the tree of the newest checkpoint (RFC 9162), and that this tree begins with an earlier one's.

    `earlier` is the number of records of an older checkpoint; without it, the oldest one that covers the record is taken.
    """
    require(caller, "audit.read")
    try:
        return AuditProof.model_validate(prove(context.audit, context.engine, seq, earlier))
    except NotCovered:
        raise Problem(404, "not_covered", "No checkpoint covers this record, or there is none of that size.",
                      f"One is made every {context.settings.audit_checkpoint_seconds} s.") from None
    except NotWhole:
        raise _not_whole() from None


def _not_whole() -> Problem:
    return conflict("not_whole", "The audit log is not as it was signed.", "An administrator runs `voxelhub audit verify`.")


@router.post("/internal/audit", status_code=204, response_class=Response, include_in_schema=False)
def tell(event: AuditEventIn, context: ContextDep) -> None:
    """Take one event of the hub in; the same event_id twice makes one record. Needs the events-token, checked by the Gate."""
    try:
        with writing(context.engine) as session:
            take(context, session, event)
    except ValueError:
        raise invalid("invalid_event", "The event's detail cannot be written as canonical JSON.") from None
