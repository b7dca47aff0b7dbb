"""The waiting tool runs as the worker sees them: read seldom, judged by `queue.decide`, told why they wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ..context import Context, emit
from ..executors import machine
from ..models import Run, utcnow
from . import endings
from .lease import WorkerLease
from .queue import PATIENCE, Capacity, Going, Group, Waiting, decide

log = logging.getLogger(__name__)
READ = 0.5  # seconds between two looks at a line in which nothing moves
TELL = 2.0  # seconds between two times that reasons are written
AT_ONCE = 500  # ids in one statement


class Line:
    def __init__(self, context: Context, lease: WorkerLease) -> None:
        self.context, self.lease = context, lease
        settings = context.settings
        self.capacity = Capacity(machine.cores(settings), machine.memory(settings), settings.run_slots, settings.run_share)
        log.info("tool runs share %g cores and %.1f GiB", self.capacity.cpus, self.capacity.memory / 1024**3)
        self._last_start: dict[Group, datetime] | None = None
        self._seen: frozenset[str] | None = None  # runs that went on when the line was last read and nothing began
        self._read_at = self._told_at = float("-inf")

    def begin(self, session: Session, going: Sequence[Run]) -> list[Run]:
        """Those that begin now. `going`: what is on its way, of every kind."""
        carried = [run for run in going if run.kind == "tool" and run.state != "staging_out"]
        ids = frozenset(run.id for run in carried)
        if ids == self._seen and time.monotonic() - self._read_at < READ:
            return []
        rows = self._rows(session)
        now = utcnow()
        if self._last_start is None:
            self._last_start = _last_starts(session, now)
        self._last_start = {group: at for group, at in self._last_start.items() if now - at < PATIENCE}
        decision = decide([one for one, _ in rows], [_going(run, now) for run in carried], self.capacity, now, self._last_start)
        started = set(decision.start)
        self._last_start |= {one.group: now for one, _ in rows if one.id in started}
        self._seen, self._read_at = (ids if rows and not started else None), time.monotonic()
        self._tell({one.id: decision.reasons[one.id] for one, reason in rows
                    if one.id in decision.reasons and decision.reasons[one.id] != reason})
        found = {run.id: run for run in session.scalars(select(Run).where(Run.id.in_(decision.start)))}
        return [found[one] for one in decision.start if one in found]

    def _rows(self, session: Session) -> list[tuple[Waiting, str]]:
        query = select(Run.id, Run.owner, Run.created_at, Run.cpu, Run.memory, Run.number, Run.priority, Run.batch_id, Run.reason)
        found = session.execute(query.where(Run.state == "queued", Run.wanted == "run", Run.kind == "tool"))
        return [(Waiting(one.id, one.owner, one.created_at, one.cpu, one.memory, one.number, one.priority, one.batch_id),
                 one.reason)
                for one in found]

    def _tell(self, reasons: dict[str, str]) -> None:
        if not reasons or time.monotonic() - self._told_at < TELL:
            return
        self._told_at = time.monotonic()
        with self.lease.writing() as session:
            ids = list(reasons)
            batches: dict[str, str] = {}
            for start in range(0, len(ids), AT_ONCE):
                some = select(Run.id, Run.batch_id, Run.project_id).where(
                    Run.id.in_(ids[start:start + AT_ONCE]), Run.state == "queued", Run.wanted == "run")
                rows = session.execute(some).all()
                if rows:
                    session.execute(update(Run), [{"id": one, "reason": reasons[one]} for one, _, _ in rows])
                batches |= {batch: project for _, batch, project in rows if batch}
                for one in session.scalars(select(Run).where(Run.id.in_([one for one, batch, _ in rows if not batch]))):
                    endings.tell(session, one)
            for batch, project in batches.items():
                emit(session, "batch", batch, project_id=project)


def _going(run: Run, now: datetime) -> Going:
    return Going(run.owner, run.started_at or now, run.cpu, run.memory, run.priority, run.batch_id)


def _last_starts(session: Session, now: datetime) -> dict[Group, datetime]:
    """After a start of the worker: what began within the time that counts."""
    query = select(Run.owner, Run.batch_id, Run.priority, func.max(Run.started_at)).where(
        Run.kind == "tool", Run.started_at > now - PATIENCE).group_by(Run.owner, Run.batch_id, Run.priority)
    return {(owner, batch, priority): at for owner, batch, priority, at in session.execute(query) if at is not None}
