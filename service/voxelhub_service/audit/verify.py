"""Is the whole log as it was written? Chain, signatures, and the tree against every checkpoint, in one pass."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..models import AuditEvent
from .check import RecordCheck
from .checkpoint import Checkpoint, Checkpoints, genuine, origin_of
from .head import GENESIS, Head
from .keys import PublicKey, read_keys
from .log import AuditLog
from .merkle import Frontier
from .record import stored

MOST = 1000  # findings that are told


def verify(session: Session, log: AuditLog) -> list[str]:
    """Findings, a sentence each; an empty list means that the log is whole. Works while others append.

    Finds a changed, dropped, added, reordered or truncated record, checkpoint or public key. Needs a session that has read
    nothing yet: head and checkpoints are read before the snapshot is taken, so that they are never ahead of an honest log.
    Memory does not grow with the log.
    """
    findings: list[str] = []
    for finding in _findings(session, log):
        findings.append(finding)
        if len(findings) == MOST:
            return [*findings, f"These are the first {MOST} findings; there may be more."]
    return findings


def _findings(session: Session, log: AuditLog) -> Iterator[str]:
    head, foreign = _head(log)
    if foreign:
        yield foreign
    walk = CheckpointWalk(log, head)
    newest = session.scalar(select(func.max(AuditEvent.seq))) or 0  # the snapshot; a key of a later record may be unknown
    keys, wrong = read_keys(log.keys.path)
    yield from wrong
    check, frontier = RecordCheck(log, keys), Frontier()
    mirrored = GENESIS if head and head.seq == 0 else None
    clean = True
    for row in stored(session, upto=newest):
        leaf, found = check.look(row)
        clean = clean and not found
        yield from found
        frontier.append(leaf)
        if head and row.seq == head.seq:
            mirrored = row.mac
        yield from walk.at(frontier, keys, row.key)
    yield from walk.rest(frontier.size)
    if head and mirrored is None:
        yield f"The chain was truncated: it ends at {check.seq}, its mirrored head is {head.seq}."
    elif head and mirrored != head.mac:
        yield f"Record {head.seq} is not the one that was mirrored outside the database."
    elif not head and not foreign and check.seq and clean and not log.head.exists():  # it is made before the first record commits
        yield "The mirrored head is missing although the chain has records."


def _head(log: AuditLog) -> tuple[Head | None, str]:
    try:
        return log.head.read(), ""
    except ValueError as error:
        return None, f"The mirrored head is not to be trusted: {error}."


class CheckpointWalk:
    """Goes through the checkpoints beside the records: each must be signed, follow the last one, and fit the tree at its size."""

    def __init__(self, log: AuditLog, head: Head | None) -> None:
        self._log, self._store = log, Checkpoints(log.folder)
        self._wanted = head.checkpoint if head else ""
        self._broken = ""
        self._root_told = False
        self._before: Checkpoint | None = None
        self._all = self._read(self._store.end())
        self._next = next(self._all, None)

    def at(self, frontier: Frontier, keys: list[PublicKey], key: str | None) -> Iterator[str]:
        """With the tree up to a record, and the key of that record."""
        while self._next is not None and self._next.size <= frontier.size:
            yield from self._look(self._next, frontier, keys, key or (keys[0].id if keys else ""))
            self._before, self._next = self._next, next(self._all, None)

    def rest(self, size: int) -> Iterator[str]:
        """Behind the last record."""
        while self._next is not None:
            if not self._next.size <= size:
                yield f"The log was truncated: it has {size} records, and a checkpoint was signed over {self._next.size}."
                size = self._next.size  # told once for each length
            self._before, self._next = self._next, next(self._all, None)
        if self._broken:
            yield self._broken
        elif self._wanted:
            yield "The newest checkpoint is missing: the mirrored head names one that is not there."
        if self._store.cut_short():
            with self._log.keys.lock():  # who writes a line now has written it then
                if self._store.cut_short():
                    yield "The file of checkpoints ends in the middle of a line."

    def _look(self, one: Checkpoint, frontier: Frontier, keys: list[PublicKey], key: str) -> Iterator[str]:
        what, before = f"The checkpoint over {one.size} records", self._before
        if not keys or one.origin != origin_of(keys[0].id) or not genuine(one, keys):
            yield f"{what} was changed, or is not signed with a key of this log."
        elif one.size == frontier.size and one.key != key:
            yield f"{what} is signed with another key than the record that it ends with."
        if one.previous != (before.digest if before else GENESIS) or one.size <= (before.size if before else 0):
            yield f"{what} does not follow the one before it."
        elif one.root != frontier.root().hex() and not self._root_told:
            self._root_told = True  # every later one is wrong with it
            yield f"The first {one.size} records are not those over which their checkpoint was signed."

    def _read(self, end: int) -> Iterator[Checkpoint]:
        number = 0
        try:
            for one, position in self._store.all():
                if position > end:
                    return
                number += 1
                if one.digest == self._wanted:
                    self._wanted = ""
                yield one
        except ValueError:
            self._broken = f"Checkpoint {number + 1} cannot be read: its line was changed."
