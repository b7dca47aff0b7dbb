"""From counters that only grow to entries of the ledger: the difference to what was counted so far, on the day it fell into.

The seconds come from the monotonic clock of whoever ran the thing; the wall clock only names the day. So a second reading
adds nothing, a restart of the service neither loses nor doubles a second, and a jump of the clock only moves some to another day.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..models import LedgerEntry, utcnow
from .prices import Price


@dataclass(frozen=True)
class Counters:
    """What one thing used since it was started; of a cluster's kind the sum over its processes, the ended ones among them."""

    seconds: float = 0.0  # that it ran
    core_seconds: float = 0.0  # cores that it held, times seconds
    gpu_seconds: float = 0.0
    used_cpu_seconds: float = 0.0  # that it computed
    peak_memory: int = 0  # bytes; of a cluster's kind that of its largest process

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Counters:
        """From JSON that a program wrote; what is missing, negative or no number counts as 0."""
        known: dict[str, Any] = {one.name: max(0.0, _number(document.get(one.name))) for one in fields(cls)}
        return cls(**known | {"peak_memory": int(known["peak_memory"])})


@dataclass(frozen=True)
class Meter:
    """One reading of one thing of one size.

    `epoch` names whose counters these are: one that begins at 0 again (a next attempt, a supervisor that was started again) has
    another. Within one, lower counters than before are an old reading, and add nothing. `since` is when it was started, by the
    wall clock. `price` is taken by a day's row when it is opened; a new price list is in force from the next row.
    """

    kind: Literal["server", "cluster", "run"]
    subject: str
    title: str
    owner: str
    project_id: str | None
    profile: str
    counters: Counters
    price: Price
    running: bool
    tool: str = ""
    epoch: str = ""
    since: datetime | None = None
    at: datetime | None = None  # now, where it is not told


@dataclass(frozen=True)
class Part:
    """What of a difference fell into one day."""

    day: str
    begins: datetime
    ends: datetime
    fraction: float


def meter(session: Session, reading: Meter) -> None:
    """Bring the ledger up to a reading, in the caller's transaction. Idempotent: the same reading twice adds nothing."""
    at = (reading.at or utcnow()).astimezone(UTC)
    rows = _rows(session, reading)
    before = _mark(rows, reading.epoch)
    grown = _grown(before, reading.counters)
    if not rows and not reading.running and not any(asdict(grown).values()):
        return
    seen = _seen(rows) or reading.since
    counted = {reading.epoch: asdict(_highest(before, reading.counters))}
    for part in shares(seen, at, grown.seconds):
        row = _row(session, reading, rows, part)
        for name in ("seconds", "core_seconds", "gpu_seconds", "used_cpu_seconds"):
            setattr(row, name, getattr(row, name) + getattr(grown, name) * part.fraction)
        row.peak_memory = max(row.peak_memory, reading.counters.peak_memory)
    _close(rows, row, reading.running, at, anew=any(asdict(grown).values()))
    row.mark = {"at": at.isoformat(), "epochs": row.mark.get("epochs", {}) | counted}
    session.flush()


def close_all(session: Session, kind: str, subjects: Iterable[str], at: datetime | None = None) -> None:
    """Entries of things that are gone and will not be read again end now; what was counted stays."""
    growing = select(LedgerEntry).where(LedgerEntry.kind == kind, LedgerEntry.ended_at.is_(None))
    for row in session.scalars(growing.where(LedgerEntry.subject.in_(list(subjects)))):
        seen = row.mark.get("at")
        row.ended_at = max(row.started_at, datetime.fromisoformat(seen) if seen else at or utcnow())


def shares(seen: datetime | None, at: datetime, seconds: float) -> list[Part]:
    """How what was counted between two looks is shared among the days (UTC) between them, by wall time.

    A gap that is longer than what was counted is a clock that jumped, or time in which it did not run: the last `seconds` before
    `at` are taken. A clock that went back shares nothing: all falls into the day of `at`.
    """
    gap = (at - seen).total_seconds() if seen is not None else seconds
    length = timedelta(seconds=max(0.0, min(gap, seconds)))
    begins = at - length
    cuts = [begins]
    while (midnight := _midnight_after(cuts[-1])) < at:
        cuts.append(midnight)
    cuts.append(at)
    whole = length.total_seconds()
    parts = [Part(one.date().isoformat(), one, two, (two - one).total_seconds() / whole if whole else 1.0)
             for one, two in itertools.pairwise(cuts)]
    rest = 1.0 - math.fsum(part.fraction for part in parts[:-1])
    return [*parts[:-1], Part(parts[-1].day, parts[-1].begins, parts[-1].ends, rest)]


def cost_of(entry: LedgerEntry) -> float | None:
    return None if entry.price_per_hour is None else entry.seconds * entry.price_per_hour / 3600


def _rows(session: Session, reading: Meter) -> list[LedgerEntry]:
    return list(session.scalars(select(LedgerEntry).where(
        LedgerEntry.kind == reading.kind, LedgerEntry.subject == reading.subject, LedgerEntry.profile == reading.profile)))


def _mark(rows: Sequence[LedgerEntry], epoch: str) -> Counters:
    """The highest that was counted of this epoch: of whichever day's row, as the wall clock may have gone either way."""
    known = Counters()
    for row in rows:
        if (one := row.mark.get("epochs", {}).get(epoch)) is not None:
            known = _highest(known, Counters.of(one))
    return known


def _seen(rows: Sequence[LedgerEntry]) -> datetime | None:
    """When it was read last: by the row that grows, for the others may have been written under another clock."""
    marks = [row.mark["at"] for row in sorted(rows, key=lambda row: (row.ended_at is None, row.day)) if "at" in row.mark]
    return datetime.fromisoformat(marks[-1]) if marks else None


def _highest(one: Counters, two: Counters) -> Counters:
    return Counters(**{name: max(value, getattr(two, name)) for name, value in asdict(one).items()})


def _grown(before: Counters, now: Counters) -> Counters:
    return Counters(**{name: max(0, getattr(now, name) - value) for name, value in asdict(before).items()})


def _row(session: Session, reading: Meter, rows: list[LedgerEntry], part: Part) -> LedgerEntry:
    row = next((one for one in rows if one.day == part.day), None)
    if row is None:
        row = LedgerEntry(
            kind=reading.kind, subject=reading.subject, title=reading.title, owner=reading.owner, project_id=reading.project_id,
            profile=reading.profile, tool=reading.tool, day=part.day, started_at=part.begins,
            seconds=0.0, core_seconds=0.0, gpu_seconds=0.0, used_cpu_seconds=0.0, peak_memory=0, mark={},
            price_per_hour=reading.price.per_hour, currency=reading.price.currency, price_date=reading.price.date)
        session.add(row)
        rows.append(row)
    row.title = reading.title
    return row


def _close(rows: Sequence[LedgerEntry], newest: LedgerEntry, running: bool, at: datetime, *, anew: bool) -> None:
    """Only the newest row may grow; the end of another day's is that day's, or where the clock jumped away from it."""
    for row in rows:
        if row is not newest and row.ended_at is None:
            row.ended_at = max(row.started_at, min(at, _midnight_after(row.started_at)))
    if running:
        newest.ended_at = None
    elif newest.ended_at is None or anew:
        newest.ended_at = max(newest.started_at, at)


def _midnight_after(at: datetime) -> datetime:
    day = at.date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else 0.0
