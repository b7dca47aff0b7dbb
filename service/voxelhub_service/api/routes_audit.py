"""The audit log: read by administrators and data-protection officers, told by the hub."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy import Select, func, select

from ..audit.intake import take
from ..database import reading, writing
from ..errors import invalid
from ..models import AuditEvent
from ..policy.authorize import require
from ..wire import AuditEventIn, AuditEventOut, AuditPage
from .deps import CallerDep, ContextDep

router = APIRouter(tags=["audit"])
Text = Annotated[str | None, Query(max_length=500)]


@router.get("/audit/events")
def list_audit_events(
    context: ContextDep, caller: CallerDep,
    actor: Text = None, action: Text = None, resource: Text = None,
    outcome: Literal["success", "denied", "failure"] | None = None,
    since: datetime | None = None, until: datetime | None = None,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AuditPage:
    """Newest first. Times without a zone are UTC."""
    require(caller, "audit.read")
    wanted = select(AuditEvent)
    for name, value in {"actor": actor, "action": action, "resource": resource, "outcome": outcome}.items():
        wanted = wanted if value is None else wanted.where(getattr(AuditEvent, name) == value)
    wanted = _between(wanted, since, until)
    with reading(context.engine) as session:
        total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
        records = session.scalars(wanted.order_by(AuditEvent.seq.desc()).offset(offset).limit(limit))
        return AuditPage(total=total, items=[AuditEventOut.model_validate(record) for record in records])


def _between(wanted: Select[AuditEvent], since: datetime | None, until: datetime | None) -> Select[AuditEvent]:
    """Records carry RFC 3339 texts in UTC with microseconds, which sort as they are."""
    if since is not None:
        wanted = wanted.where(AuditEvent.at >= _as_recorded(since))
    if until is not None:
        wanted = wanted.where(AuditEvent.at < _as_recorded(until))
    return wanted


def _as_recorded(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC).isoformat(timespec="microseconds")
    except (OverflowError, ValueError):
        raise invalid("invalid_request", "This time lies outside the calendar.") from None


@router.post("/internal/audit", status_code=204, response_class=Response, include_in_schema=False)
def tell(event: AuditEventIn, context: ContextDep) -> None:
    """Take one event of the hub in; the same event_id twice makes one record. Needs the events-token, checked by the Gate."""
    try:
        with writing(context.engine) as session:
            take(context, session, event)
    except ValueError:
        raise invalid("invalid_event", "The event's detail cannot be written as canonical JSON.") from None
