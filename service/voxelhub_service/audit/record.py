"""What one record of the audit log is in bytes: under the chain's hash, in the Merkle tree, and under its signature.

`key` is part of a record that is signed; records of before signing have none, and their bytes are as they were then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import rfc8785
from sqlalchemy import Text, cast, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ..models import AuditEvent

CHAINED = ("seq", "at", "actor", "action", "resource", "outcome", "detail", "event_id", "previous")
SIGNED = b"voxelhub audit record v1\n"  # before what is signed: no signature stands for two kinds of things
BATCH = 1000  # rows read at a time
COLUMNS = (
    AuditEvent.seq, AuditEvent.at, AuditEvent.actor, AuditEvent.action, AuditEvent.resource, AuditEvent.outcome,
    cast(AuditEvent.detail, Text).label("detail"), AuditEvent.event_id, AuditEvent.previous, AuditEvent.mac, AuditEvent.key,
    AuditEvent.signature,
)


class Stored(NamedTuple):
    """A row as it is in the database, whatever somebody may have written there. `fields` is None where it cannot be read."""

    seq: Any
    fields: dict[str, Any] | None
    mac: str
    key: str | None
    signature: str | None

    def leaf(self) -> bytes:
        """ValueError where what stands there is no JSON that we would have written."""
        if self.fields is None:
            raise ValueError("it cannot be read")
        return leaf_of(self.fields, self.mac)


def fields_of(record: AuditEvent) -> dict[str, Any]:
    """What the chain's hash covers."""
    found = {name: getattr(record, name) for name in CHAINED}
    return found if record.key is None else {**found, "key": record.key}


def canonical(document: Mapping[str, Any]) -> bytes:
    """RFC 8785; ValueError for what it cannot express."""
    return rfc8785.dumps(dict(document))


def leaf_of(fields: Mapping[str, Any], mac: str) -> bytes:
    """The leaf of the Merkle tree, and behind SIGNED what the record's signature covers."""
    return canonical({**fields, "mac": mac})


def stored(session: Session, after: int = 0, upto: Any = None) -> Iterator[Stored]:
    """The rows after a number, in order, a batch at a time. A row that the database cannot give is given without fields."""
    last: Any = after
    while True:
        query = select(*COLUMNS).where(AuditEvent.seq > last).order_by(AuditEvent.seq).limit(BATCH)
        query = query if upto is None else query.where(AuditEvent.seq <= upto)
        try:
            rows: list[Any] = list(session.execute(query).all())
        except DBAPIError:
            rows = _one_by_one(session, last)
        if not rows:
            return
        for row in rows:
            yield row if isinstance(row, Stored) else _of_row(row)
        last = rows[-1].seq


def _one_by_one(session: Session, last: Any) -> list[Any]:
    numbers = select(AuditEvent.seq).where(AuditEvent.seq > last).order_by(AuditEvent.seq).limit(BATCH)
    found: list[Any] = []
    for seq in session.scalars(numbers).all():
        try:
            found.append(session.execute(select(*COLUMNS).where(AuditEvent.seq == seq)).one())
        except DBAPIError:
            found.append(Stored(seq, None, "", None, None))
    return found


def _of_row(row: Any) -> Stored:
    fields: dict[str, Any] | None = {name: getattr(row, name) for name in CHAINED}
    assert fields is not None
    try:
        fields["detail"] = json.loads(row.detail)
    except (TypeError, ValueError):
        fields = None
    if fields is not None and row.key is not None:
        fields["key"] = row.key
    return Stored(row.seq, fields, row.mac, row.key, row.signature)
