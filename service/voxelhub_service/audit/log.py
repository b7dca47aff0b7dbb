"""Append to the audit log, in the transaction of the change that it records.

A chain of keyed hashes: each record's `mac` is HMAC-SHA-256 (FIPS 198-1) under the audit key over the canonical JSON
(RFC 8785) of the record, which holds the mac before it. Over that, mac included, stands an Ed25519 signature (RFC 8032),
which needs no secret to check. The write lock, which every write transaction takes at its beginning, is the one lock
under which records get their number. After the commit the head is mirrored to a file outside the database (head.py);
the Merkle tree over the records grows when a checkpoint is made (checkpoint.py), not here.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from ..identity.actor import Actor
from ..models import AuditEvent
from .head import GENESIS, Head, HeadFile
from .keys import SigningKeys
from .record import SIGNED, canonical, fields_of, leaf_of

Outcome = Literal["success", "denied", "failure"]
BEGIN_SIGNING = "audit.sign_begin"  # between the records of before signing and the first signed one
log = logging.getLogger("voxelhub.audit")


class AuditLog:
    """Writes and reads one log. `key` is the audit key, `folder` holds the mirrored head, public keys and checkpoints."""

    def __init__(self, key: bytes, folder: Path, secrets_dir: Path, secrets_given: bool = False) -> None:
        self._key = key
        self.folder = folder
        self.head = HeadFile(key, folder)
        self.keys = SigningKeys(secrets_dir, folder, secrets_given)

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
        key: str = "",
    ) -> AuditEvent:
        """Add one record. `detail` must be JSON and hold no patient identifier. Commit belongs to the caller.

        `key` changes the key that signs from this record on (rotate.py). Raises ValueError for a detail that RFC 8785 cannot
        express, LostKey where the key in force is gone. Not for use inside a savepoint.
        """
        if session.in_nested_transaction():
            raise RuntimeError("an audit record belongs to the whole transaction, not to a savepoint")
        session.flush()
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(1)).first()
        if last is None:
            self.head.begin()
        mirror = self._continues(session, last)
        signer = last.key if last is not None and last.key else self.keys.first()
        if last is not None and last.key is None:
            boundary = AuditEvent(actor="system", action=BEGIN_SIGNING, resource=f"records:1-{last.seq}", outcome="success",
                                  detail={"unsigned": last.seq}, at=_text_of(None), event_id=None, key=signer)
            last = self._seal(session, boundary, last)
        record = AuditEvent(
            at=_text_of(at), actor=actor if isinstance(actor, str) else actor.name, action=action, resource=resource,
            outcome=outcome, detail=dict(detail or {}), event_id=event_id, key=key or signer,
        )
        self._seal(session, record, last)
        if mirror:
            self._mirror_after_commit(session, Head(record.seq, record.mac))
        return record

    def _seal(self, session: Session, record: AuditEvent, last: AuditEvent | None) -> AuditEvent:
        """Number, chain and sign it."""
        record.seq, record.previous = (last.seq + 1, last.mac) if last else (1, GENESIS)
        fields = fields_of(record)
        record.mac = self.mac_of(fields)
        assert record.key is not None
        record.signature = self.keys.sign(record.key, SIGNED, leaf_of(fields, record.mac))
        session.add(record)
        session.flush()
        return record

    def mac_of(self, fields: Mapping[str, Any]) -> str:
        return hmac.new(self._key, canonical(fields), hashlib.sha256).hexdigest()

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
        elif self._continues(session, last) and hmac.compare_digest(self.mac_of(fields_of(last)), last.mac):
            self.head.advance(Head(last.seq, last.mac))


def _text_of(at: datetime | None) -> str:
    return (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="microseconds")


def _on_rollback(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop("audit_head", None)
