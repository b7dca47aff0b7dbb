"""Looking at records in order: does each follow, did the service write it, is it signed with the key in force?"""

from __future__ import annotations

import hmac

from .head import GENESIS
from .keys import PublicKey
from .log import BEGIN_SIGNING, AuditLog
from .merkle import leaf_hash
from .record import SIGNED, Stored

ROTATE = "audit.key_rotate"  # the first record under a new key


class RecordCheck:
    """Begins behind record `seq`, whose mac and key are given; keeps these of the record it saw last."""

    def __init__(self, log: AuditLog, keys: list[PublicKey], seq: int = 0, mac: str = GENESIS, key: str | None = None) -> None:
        self._log, self._keys = log, {one.id: (position, one) for position, one in enumerate(keys)}
        self.seq, self.mac, self.key = seq, mac, key

    def look(self, row: Stored) -> tuple[bytes, list[str]]:
        """The hash of its leaf (of nothing where it cannot be read), and what is wrong with it, a sentence each."""
        findings = []
        if row.seq != self.seq + 1:
            findings.append(f"Record {self.seq + 1} is missing: the next one is {row.seq}.")
        if row.fields is not None and row.fields["previous"] != self.mac:
            findings.append(f"Record {row.seq} does not follow the one before it.")
        leaf = self._leaf(row)
        if leaf is None:
            findings.append(f"Record {row.seq} was changed or was not written by the service.")
        else:
            findings += self._signature(row, leaf)
        self.seq, self.mac, self.key = row.seq if isinstance(row.seq, int) else self.seq + 1, row.mac, row.key
        return leaf_hash(leaf or b""), findings

    def _leaf(self, row: Stored) -> bytes | None:
        try:
            leaf = row.leaf()
            assert row.fields is not None
            return leaf if hmac.compare_digest(self._log.mac_of(row.fields), row.mac) else None
        except (ValueError, TypeError):  # what stands there now is no JSON that we would have written
            return None

    def _signature(self, row: Stored, leaf: bytes) -> list[str]:
        assert row.fields is not None
        if row.key is None:
            unsigned = self.key is None and row.signature is None
            return [] if unsigned else [f"Record {row.seq} is not signed, although signing had begun before it."]
        position, public = self._keys.get(row.key, (None, None))
        if public is None or not public.signed(SIGNED, leaf, row.signature):
            return [f"The signature of record {row.seq} is not one of the keys of this log."]
        if self.key is None:
            boundary = row.fields["action"] == BEGIN_SIGNING and row.fields["detail"] == {"unsigned": row.seq - 1}
            if position != 0 or (row.seq != 1 and not boundary):
                return [f"Record {row.seq} is signed, the one before it is not, and no record says that signing begins here."]
        elif row.key != self.key:
            before = self._keys.get(self.key, (None, None))[0]
            if before is None or position != before + 1 or row.fields["action"] != ROTATE:
                return [f"Record {row.seq} is signed with another key, and no record says that the key changes here."]
        return []
