"""Append to the audit chain, in the transaction of the change that it records.

A chain of keyed hashes: each record's `mac` is HMAC-SHA-256 (FIPS 198-1) under the audit key over the canonical JSON
(RFC 8785) of the record, which holds the mac before it. SQLite's write lock, taken by every write transaction at its
beginning, is the one lock under which records get their number. After the commit the head is mirrored to a file
outside the database (head.py).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import rfc8785
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from ..identity.actor import Actor
from ..models import AuditEvent
from .head import GENESIS, Head, HeadFile

Outcome = Literal["success", "denied", "failure"]
HASHED = ("seq", "at", "actor", "action", "resource", "outcome", "detail", "event_id", "previous")
log = logging.getLogger("voxelhub.audit")


class AuditLog:
    """Writes and reads one chain. `key` is the audit key, `folder` holds the mirrored head."""

    def __init__(self, key: bytes, folder: Path) -> None:
        self._key = key
        self.folder = folder
        self.head = HeadFile(key, folder)

    def append(
        self,
        session: Session,
        actor: Actor | str,
        action: str,
        resource: str,
        outcome: Outcome = "success",
        detail: Mapping[str, Any] | None = None,
        *,
        at: datetime | None = None,
        event_id: str | None = None,
    ) -> AuditEvent:
        """Add one record. `detail` must be JSON and hold no patient identifier. Commit belongs to the caller.

        Raises ValueError for a detail that RFC 8785 cannot express. Not for use inside a savepoint.
        """
        if session.in_nested_transaction():
            raise RuntimeError("an audit record belongs to the whole transaction, not to a savepoint")
        session.flush()
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(1)).first()
        if last is None:
            self.head.begin()
        mirror = self._continues(session, last)
        record = AuditEvent(
            seq=(last.seq if last else 0) + 1,
            at=(at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="microseconds"),
            actor=actor if isinstance(actor, str) else actor.name,
            action=action,
            resource=resource,
            outcome=outcome,
            detail=dict(detail or {}),
            event_id=event_id,
            previous=last.mac if last else GENESIS,
            mac="",
        )
        record.mac = self.mac_of(record)
        session.add(record)
        session.flush()
        if mirror:
            self._mirror_after_commit(session, Head(record.seq, record.mac))
        return record

    def mac_of(self, record: AuditEvent) -> str:
        canonical = rfc8785.dumps({name: getattr(record, name) for name in HASHED})
        return hmac.new(self._key, canonical, hashlib.sha256).hexdigest()

    def _continues(self, session: Session, last: AuditEvent | None) -> bool:
        """Whether the chain still holds the mirrored head. If not, the mirror stays as it is: it is the evidence."""
        if "audit_head" in session.info:  # an earlier record of this transaction has looked
            return True
        try:
            head = self.head.read()
        except ValueError:
            head = None
        if head is not None and head.seq == 0:
            return True
        seen = session.get(AuditEvent, head.seq) if head is not None and last is not None and head.seq <= last.seq else None
        if head is None or seen is None or seen.mac != head.mac:
            log.error("the audit chain and its mirrored head disagree; run `voxelhub audit verify`")
            return False
        return True

    def _mirror_after_commit(self, session: Session, head: Head) -> None:
        if not session.info.get("audit_listens"):
            session.info["audit_listens"] = True
            event.listen(session, "after_commit", self._on_commit)
            event.listen(session, "after_rollback", _on_rollback)
        session.info["audit_head"] = head

    def _on_commit(self, session: Session) -> None:
        if session.in_nested_transaction():
            return
        head = session.info.pop("audit_head", None)
        if head is None:
            return
        try:
            self.head.advance(head)
        except (OSError, ValueError) as error:  # the change is committed: the next record or start mirrors again
            log.error("the audit head could not be mirrored: %s", type(error).__name__)

    def refresh_head(self, session: Session) -> None:
        """At a start: mirror what was committed just before a kill, if the chain leads there from the mirrored head."""
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(1)).first()
        if last is None:
            self.head.begin()
        elif self._continues(session, last) and hmac.compare_digest(self.mac_of(last), last.mac):
            self.head.advance(Head(last.seq, last.mac))


def _on_rollback(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop("audit_head", None)


def verify(session: Session, log: AuditLog) -> list[str]:
    """Findings, a sentence each; an empty list means the chain is whole. Works while others append.

    Finds a changed, dropped, added, reordered or truncated record. Needs a session that has read nothing yet: the head is
    read before the snapshot is taken, so that it is never ahead of an honest chain.
    """
    findings: list[str] = []
    head: Head | None = None
    try:
        head = log.head.read()
    except ValueError as error:
        findings.append(f"The mirrored head is not to be trusted: {error}.")
    previous, expected, mirrored = GENESIS, 1, GENESIS if head and head.seq == 0 else None
    for record in session.scalars(select(AuditEvent).order_by(AuditEvent.seq).execution_options(yield_per=1000)):
        if record.seq != expected:
            findings.append(f"Record {expected} is missing: the next one is {record.seq}.")
        if record.previous != previous:
            findings.append(f"Record {record.seq} does not follow the one before it.")
        if not _intact(log, record):
            findings.append(f"Record {record.seq} was changed or was not written by the service.")
        if head and record.seq == head.seq:
            mirrored = record.mac
        previous, expected = record.mac, record.seq + 1
    if head and mirrored is None:
        findings.append(f"The chain was truncated: it ends at {expected - 1}, its mirrored head is {head.seq}.")
    elif head and mirrored != head.mac:
        findings.append(f"Record {head.seq} is not the one that was mirrored outside the database.")
    elif head is None and expected > 1 and not findings and log.head.read() is None:  # made before the first record commits
        findings.append("The mirrored head is missing although the chain has records.")
    return findings


def _intact(log: AuditLog, record: AuditEvent) -> bool:
    try:
        return hmac.compare_digest(log.mac_of(record), record.mac)
    except (ValueError, TypeError):  # what stands there now is no JSON that we would have written
        return False
