"""What the service does for the log's evidence, every few seconds and at its end: sign it when it is time, and bring that out."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select

from ..context import Context
from ..database import reading
from ..models import AuditEvent
from ..settings import SettingsError
from .checkpoint import Checkpoint, Checkpoints, NotWhole, make
from .delivery import Delivered, deliver, delivered
from .keys import LostKey

log = logging.getLogger("voxelhub.audit")
PATIENCE = 3  # times that a checkpoint may be late before it is said
_said: dict[str, list[str]] = {}  # audit folder -> what was wrong the last time


class Evidence(NamedTuple):
    """How far the log is signed, and how far that has come to the second place."""

    records: int
    newest: Checkpoint | None
    second: Delivered | None
    late: bool  # records wait for longer than they should
    undelivered: int  # records that a checkpoint here covers and none of the second place


def tend(context: Context, *, now: bool = False) -> None:
    """Make a checkpoint if one is due (or `now`), then deliver. What fails is logged, and tried again next time."""
    said = []
    try:
        if now or due(context):
            make(context.audit, context.engine, wait=now)
    except BlockingIOError:
        pass  # a backup or a change of key is under way
    except (NotWhole, LostKey) as error:
        said.append(f"the audit log is not signed: {error}")
    try:
        state = deliver(context.settings)
        if state is not None and state.problem:
            said.append(f"the second place of the audit log: {state.problem}")
    except SettingsError as error:
        said.append(str(error))
    _say(context, said)


def _say(context: Context, sentences: list[str]) -> None:
    """Once, not every few seconds."""
    place = str(context.settings.audit_dir)
    for sentence in sentences:
        if sentence not in _said.get(place, []):
            log.error("%s", sentence)
    _said[place] = sentences


def due(context: Context) -> bool:
    """Enough new records, or any and enough time."""
    try:
        newest = Checkpoints(context.settings.audit_dir).newest()
    except ValueError:
        return True  # making one says why it cannot
    new = records(context) - (newest.size if newest else 0)
    if new <= 0:
        return False
    return newest is None or new >= context.settings.audit_checkpoint_records or age(newest) >= _interval(context)


def records(context: Context) -> int:
    with reading(context.engine) as session:
        return session.scalar(select(func.max(AuditEvent.seq))) or 0


def age(checkpoint: Checkpoint) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(checkpoint.time)


def evidence(context: Context) -> Evidence:
    """ValueError where the newest checkpoint cannot be read."""
    number, newest = records(context), Checkpoints(context.settings.audit_dir).newest()
    second = delivered(context.settings) if context.settings.audit_second else None
    late = _waiting(context, newest.size if newest else 0) > PATIENCE * _interval(context) + timedelta(minutes=1)
    undelivered = newest.size - second.size if newest and second else 0
    return Evidence(number, newest, second, late, undelivered)


def _waiting(context: Context, size: int) -> timedelta:
    """For how long the first record behind a checkpoint waits for the next one."""
    with reading(context.engine) as session:
        first = session.scalar(select(AuditEvent.at).where(AuditEvent.seq == size + 1))
    try:
        return datetime.now(UTC) - datetime.fromisoformat(first) if first else timedelta()
    except (TypeError, ValueError):  # somebody wrote there
        return timedelta.max


def _interval(context: Context) -> timedelta:
    return timedelta(seconds=context.settings.audit_checkpoint_seconds)
