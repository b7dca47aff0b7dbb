"""Which records somebody asks for, a page of them, or all as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, Select, func, select
from sqlalchemy.orm import Session

from ..database import reading
from ..models import AuditEvent

BATCH = 1000
COLUMNS = ("seq", "at", "actor", "action", "resource", "outcome", "detail")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


@dataclass(frozen=True)
class Wanted:
    """None asks for all. An action that ends in a full stop stands for all that begin so, as `run.`"""

    actor: str | None = None
    action: str | None = None
    resource: str | None = None
    outcome: str | None = None
    since: str | None = None  # as recorded(…) writes it
    until: str | None = None

    def query(self) -> Select[AuditEvent]:
        query = select(AuditEvent)
        for name in ("actor", "resource", "outcome"):
            value = getattr(self, name)
            query = query if value is None else query.where(getattr(AuditEvent, name) == value)
        if self.action is not None:
            group = self.action.endswith(".")
            query = query.where(AuditEvent.action.startswith(self.action, autoescape=True) if group
                                else AuditEvent.action == self.action)
        query = query if self.since is None else query.where(AuditEvent.at >= self.since)
        return query if self.until is None else query.where(AuditEvent.at < self.until)


def recorded(moment: datetime) -> str:
    """As records carry it: RFC 3339 in UTC with microseconds, which sorts as it is. OverflowError, ValueError."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


def page(session: Session, wanted: Wanted, offset: int, limit: int) -> tuple[int, list[AuditEvent]]:
    """How many there are, and some of them, newest first."""
    query = wanted.query()
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return total, list(session.scalars(query.order_by(AuditEvent.seq.desc()).offset(offset).limit(limit)))


def table(engine: Engine, wanted: Wanted) -> Iterator[bytes]:
    """All of them as CSV, oldest first, a batch at a time. Text that a spreadsheet would run begins with an apostrophe."""
    yield _rows([list(COLUMNS)])
    last = 0
    while True:
        with reading(engine) as session:
            query = wanted.query().where(AuditEvent.seq > last).order_by(AuditEvent.seq).limit(BATCH)
            records = session.scalars(query).all()
        if not records:
            return
        yield _rows([_cells(record) for record in records])
        last = records[-1].seq


def _cells(record: AuditEvent) -> list[str]:
    texts = [record.at, record.actor, record.action, record.resource, record.outcome,
             json.dumps(record.detail, ensure_ascii=False, sort_keys=True)]
    return [str(record.seq), *(f"'{text}" if text.startswith(FORMULA) else text for text in texts)]


def _rows(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
