"""Checkpoints: how long the log is and the root of its Merkle tree, signed, each naming the one before it.

`checkpoints.jsonl` in the audit folder holds them, a line each. A checkpoint is only made over records that are whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ..database import reading
from .check import RecordCheck
from .head import GENESIS
from .keys import PublicKey, read_keys
from .lines import append_line, cut_short, last_line, lines, whole_size
from .log import AuditLog
from .merkle import Frontier, leaf_hash
from .record import canonical, stored
from .tree import Tree

SIGNED = b"voxelhub audit checkpoint v1\n"
FIELDS = {"origin": str, "size": int, "root": str, "time": str, "key": str, "previous": str, "signature": str}
MOST = 20  # findings told when a checkpoint is refused


class NotWhole(RuntimeError):
    """The log is not whole, so that no checkpoint is made over it; the text says what is wrong."""


class Checkpoint(NamedTuple):
    origin: str  # voxelhub/<first key>
    size: int  # records, from the first one
    root: str
    time: str
    key: str
    previous: str  # digest of the checkpoint before
    signature: str
    line: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.line).hexdigest()


def parse(line: bytes) -> Checkpoint:
    """ValueError unless it is exactly as we write one; says nothing about its signature."""
    try:
        document = json.loads(line)
        if {name: type(value) for name, value in document.items()} != FIELDS or canonical(document) != line:
            raise ValueError
    except (AttributeError, ValueError, RecursionError):
        raise ValueError("this is no checkpoint") from None
    return Checkpoint(**document, line=line)


def genuine(checkpoint: Checkpoint, keys: list[PublicKey]) -> bool:
    """Whether one of the keys of this log has signed it."""
    document: dict[str, Any] = {name: getattr(checkpoint, name) for name in FIELDS if name != "signature"}
    key = next((key for key in keys if key.id == checkpoint.key), None)
    return key is not None and key.signed(SIGNED, canonical(document), checkpoint.signature)


def origin_of(first_key: str) -> str:
    return f"voxelhub/{first_key}"


class Checkpoints:
    """Those of one audit folder, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkpoints.jsonl"

    def newest(self) -> Checkpoint | None:
        """ValueError where the last line is none."""
        line = last_line(self.path)
        return None if line is None else parse(line)

    def all(self, start: int = 0) -> Iterator[tuple[Checkpoint, int]]:
        """Each with the position in the file behind it. ValueError at a line that is no checkpoint."""
        for line, end in lines(self.path, start):
            yield parse(line), end

    def end(self) -> int:
        """The position behind the last whole line."""
        return whole_size(self.path)

    def cut_short(self) -> bool:
        return cut_short(self.path)

    def append(self, checkpoint: Checkpoint) -> None:
        append_line(self.path, checkpoint.line)


def newest_digest(folder: Path) -> str:
    """Of the newest checkpoint that can be read; empty where there is none."""
    try:
        newest = Checkpoints(folder).newest()
    except ValueError:
        return ""
    return newest.digest if newest else ""


def make(log: AuditLog, engine: Engine, *, wait: bool = True) -> Checkpoint | None:
    """Check the records since the newest checkpoint and sign the tree with them; None where there are none.

    NotWhole where something is wrong; BlockingIOError where somebody else holds the lock and `wait` is false.
    """
    with log.keys.lock(wait=wait):
        checkpoints = Checkpoints(log.folder)
        try:
            newest = checkpoints.newest()
        except ValueError:
            raise NotWhole("The newest checkpoint was changed.") from None
        with reading(engine) as session:
            added = _add(log, session, newest)
        if added is None:
            return None
        frontier, key = added
        made = _signed(log, frontier, key, newest)
        checkpoints.append(made)
        log.head.note_checkpoint(made.digest)
        return made


def _add(log: AuditLog, session: Session, newest: Checkpoint | None) -> tuple[Frontier, str] | None:
    """The tree with what is new in it, and the key of its last record."""
    tree = Tree(log.folder / "tree")
    frontier = _known(tree, session, newest)
    keys, wrong = read_keys(log.keys.path)
    before = next(stored(session, frontier.size - 1), None) if frontier.size else None
    if frontier.size and (before is None or before.seq != frontier.size):
        raise NotWhole(f"Record {frontier.size}, which the newest checkpoint covers, is missing.")
    check = RecordCheck(log, keys, frontier.size, before.mac, before.key) if before else RecordCheck(log, keys)
    leaves: list[bytes] = []
    for row in stored(session, frontier.size):
        leaf, findings = check.look(row)
        wrong += findings
        if len(wrong) > MOST:
            break
        frontier.append(leaf)
        leaves.append(leaf)
    if wrong:
        raise NotWhole(" ".join(wrong[:MOST]))
    if not leaves:
        return None
    tree.extend(leaves)
    return frontier, check.key or log.keys.first()


def _known(tree: Tree, session: Session, newest: Checkpoint | None) -> Frontier:
    """The tree of the newest checkpoint, from its cache or, if that does not give the signed root, from the records."""
    size = newest.size if newest else 0
    root = newest.root if newest else Frontier().root().hex()
    try:
        frontier = tree.frontier(size)
    except ValueError:
        frontier = Frontier()
    if frontier.root().hex() == root and tree.size >= size:
        tree.cut(size)
        return frontier
    return rebuild(tree, session, size, root)


def rebuild(tree: Tree, session: Session, size: int, root: str) -> Frontier:
    """Make the cache anew from the first `size` records; NotWhole where they do not give that root."""
    tree.clear()
    tree.extend(_leaves(session, size))
    if tree.size != size or tree.frontier(size).root().hex() != root:
        tree.clear()
        raise NotWhole(f"The first {size} records are not those over which the newest checkpoint was signed.")
    return tree.frontier(size)


def _leaves(session: Session, size: int) -> Iterator[bytes]:
    for row in stored(session, upto=size):
        try:
            yield leaf_hash(row.leaf())
        except ValueError:
            return


def _signed(log: AuditLog, frontier: Frontier, key: str, newest: Checkpoint | None) -> Checkpoint:
    keys, _ = read_keys(log.keys.path)
    document = {
        "origin": origin_of(keys[0].id), "size": frontier.size, "root": frontier.root().hex(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"), "key": key,
        "previous": newest.digest if newest else GENESIS,
    }
    signature = log.keys.sign(key, SIGNED, canonical(document))
    return parse(canonical({**document, "signature": signature}))
