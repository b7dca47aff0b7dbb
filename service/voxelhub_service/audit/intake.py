"""Events of the hub enter the chain once each, in order, over HTTP or from the spool that it keeps while we are down."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import IO

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from ..context import Context
from ..database import writing
from ..models import AuditEvent
from ..wire_evidence import AuditEventIn

log = logging.getLogger("voxelhub.audit")
BATCH = 500  # records per transaction


def take(context: Context, session: Session, told: AuditEventIn) -> bool:
    """Append the event unless its id is known; ValueError where it cannot be written as canonical JSON."""
    if session.scalar(select(AuditEvent.seq).where(AuditEvent.event_id == told.event_id)) is not None:
        return False
    try:
        at = told.at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time lies outside the calendar") from None
    context.audit.append(
        session, told.actor, told.action, told.resource, told.outcome, told.detail, at=at, event_id=told.event_id)
    return True


def take_in_spool(context: Context) -> int:
    """Every spool file, oldest first; each is removed once its events are committed. Returns the number of new records."""
    spool, new = context.settings.audit_dir / "spool", 0
    for path in sorted(spool.glob("*.jsonl")):
        with contextlib.suppress(FileNotFoundError), _locked(path) as file:  # the hub may be faster
            new += _take_in_file(context, file, path)
    return new


def _take_in_file(context: Context, file: IO[bytes], path: Path) -> int:
    events, damaged = _events_in(file)
    new = 0
    for start in range(0, len(events), BATCH):
        with writing(context.engine) as session:
            for told in events[start:start + BATCH]:
                try:
                    new += take(context, session, told)
                except ValueError:
                    damaged += 1
    if damaged:
        # Said in the chain itself, once per file: a kill cut the line short, or somebody wrote into the spool.
        with writing(context.engine) as session:
            context.audit.append(session, "system", "audit.spool", f"spool:{path.stem}", "failure", {"damaged_lines": damaged})
        log.error("%d lines of an audit spool file could not be read", damaged)
    path.unlink(missing_ok=True)
    return new


def _events_in(file: IO[bytes]) -> tuple[list[AuditEventIn], int]:
    events: list[AuditEventIn] = []
    damaged = 0
    for line in file:
        if not line.strip():
            continue
        try:
            events.append(AuditEventIn.model_validate_json(line))
        except ValidationError:
            damaged += 1
    return events, damaged


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    """The file under the lock that its writer takes too, and still under its name."""
    with os.fdopen(os.open(path, os.O_RDWR), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink == 0:
            raise FileNotFoundError
        yield file
