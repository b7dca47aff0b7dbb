"""Append to the audit chain, in the transaction of the change that it records.

A chain of keyed hashes: each record's `mac` is HMAC-SHA-256 (FIPS 198-1) under the audit key over the canonical JSON
(RFC 8785) of the record, which holds the mac before it. SQLite's write lock, taken by every write transaction at its
beginning, is the one lock under which records get their number. After the commit the head is mirrored to a file
outside the database, so that a truncated chain is noticed.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import rfc8785
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from ..identity.actor import Actor
from ..models import AuditEvent

Outcome = Literal["success", "denied", "failure"]
GENESIS = "0" * 64


class AuditLog:
    """Writes and reads one chain. `key` is the audit key, `folder` holds the mirrored head."""

    def __init__(self, key: bytes, folder: Path) -> None:
        self._key = key
        self.folder = folder

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
        """Add one record. `detail` must be JSON and hold no patient identifier. Commit belongs to the caller."""
        session.flush()
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(1)).first()
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
        self._mirror_after_commit(session, record.seq, record.mac)
        return record

    def mac_of(self, record: AuditEvent) -> str:
        fields = ("seq", "at", "actor", "action", "resource", "outcome", "detail", "event_id", "previous")
        canonical = rfc8785.dumps({name: getattr(record, name) for name in fields})
        return hmac.new(self._key, canonical, hashlib.sha256).hexdigest()

    def _mirror_after_commit(self, session: Session, seq: int, mac: str) -> None:
        if "audit_head" not in session.info:
            event.listen(session, "after_commit", self._on_commit)
            event.listen(session, "after_rollback", lambda s: s.info.pop("audit_head", None))
        session.info["audit_head"] = (seq, mac)

    def _on_commit(self, session: Session) -> None:
        head = session.info.get("audit_head")
        if head:
            self.write_head(*head)

    def write_head(self, seq: int, mac: str) -> None:
        """Mirror the head; never backwards, whichever process commits last."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "head.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (known := self.read_head()) and known[0] >= seq:
                return
            seal = hmac.new(self._key, f"head:{seq}:{mac}".encode(), hashlib.sha256).hexdigest()
            part = self.folder / "head.json.part"
            with part.open("w") as file:
                json.dump({"seq": seq, "mac": mac, "seal": seal}, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.folder / "head.json")

    def read_head(self) -> tuple[int, str] | None:
        """The mirrored head, or None where none was written. ValueError where it was tampered with."""
        try:
            head = json.loads((self.folder / "head.json").read_text())
        except FileNotFoundError:
            return None
        seal = hmac.new(self._key, f"head:{head['seq']}:{head['mac']}".encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(seal, head["seal"]):
            raise ValueError("the mirrored head does not carry our seal")
        return head["seq"], head["mac"]


def verify(session: Session, log: AuditLog) -> list[str]:
    """Findings, a sentence each; an empty list means the chain is whole.

    Finds a changed, dropped, added, reordered or truncated record.
    """
    findings: list[str] = []
    try:
        head = log.read_head()
    except (ValueError, KeyError) as error:
        findings.append(f"The mirrored head is not to be trusted: {error}.")
        head = None
    previous, expected, head_seen = GENESIS, 1, None
    for record in session.scalars(select(AuditEvent).order_by(AuditEvent.seq).execution_options(yield_per=1000)):
        if record.seq != expected:
            findings.append(f"Record {expected} is missing: the next one is {record.seq}.")
        if record.previous != previous:
            findings.append(f"Record {record.seq} does not follow the one before it.")
        if not hmac.compare_digest(log.mac_of(record), record.mac):
            findings.append(f"Record {record.seq} was changed or was not written by the service.")
        if head and record.seq == head[0]:
            head_seen = record.mac
        previous, expected = record.mac, record.seq + 1
    if head and head_seen is None:
        findings.append(f"The chain was truncated: it ends at {expected - 1}, its mirrored head is {head[0]}.")
    elif head and head_seen != head[1]:
        findings.append(f"Record {head[0]} is not the one that was mirrored outside the database.")
    elif head is None and expected > 1 and not findings:
        findings.append("The mirrored head is missing although the chain has records.")
    return findings
