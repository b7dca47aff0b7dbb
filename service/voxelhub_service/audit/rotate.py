"""Change the key that signs the log. Every process of ours follows at its next record, without a restart."""

from __future__ import annotations

from sqlalchemy import Engine, select

from ..database import writing
from ..models import AuditEvent
from .check import ROTATE
from .log import AuditLog


class NothingSigned(RuntimeError):
    """There is no signed record yet, so no key to follow."""


def rotate(log: AuditLog, engine: Engine, actor: str) -> tuple[str, str]:
    """The old key and the new one. Killed at any moment, the log has the one or the other, and the next call completes it."""
    with log.keys.lock():
        with writing(engine) as session:
            current = session.scalar(select(AuditEvent.key).order_by(AuditEvent.seq.desc()).limit(1))
            if current is None:
                raise NothingSigned("The log has no signed record yet; there is no key to change.")
            new = log.keys.prepare(current)
            log.append(session, actor, ROTATE, f"key:{new}", detail={"previous": current, "key": new}, key=new)
        log.keys.settle(new)
    return current, new


def settle(log: AuditLog, engine: Engine) -> None:
    """At a start: complete a rotation that was killed after its record was written."""
    with log.keys.lock(), writing(engine) as session:
        current = session.scalar(select(AuditEvent.key).order_by(AuditEvent.seq.desc()).limit(1))
        if current is not None:
            log.keys.settle(current)
