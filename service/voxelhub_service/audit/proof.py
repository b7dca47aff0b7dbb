"""Proofs for one record: that it is in the tree of the newest checkpoint, and that this tree begins with an earlier one's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from ..database import reading
from .checkpoint import Checkpoint, Checkpoints, NotWhole, parse, rebuild
from .lines import lines
from .log import AuditLog
from .merkle import consistency_path, inclusion_path, leaf_hash, verify_consistency, verify_inclusion
from .record import Stored, stored
from .tree import Tree

FORMAT = "voxelhub audit proof v1"


class NotCovered(LookupError):
    """There is no such record, or no checkpoint over it yet."""


def prove(log: AuditLog, engine: Engine, seq: int, earlier: int | None = None) -> dict[str, Any]:
    """The record, the newest checkpoint, both paths and the public keys; the README of an export says how to check them.

    `earlier` is the size of an older checkpoint; without it, the oldest one that covers the record is taken. NotWhole where
    the record is not what was signed.
    """
    newest = _newest(log)
    if newest is None or not 0 < seq <= newest.size:
        raise NotCovered(f"No checkpoint covers record {seq} yet.")
    first = _first_over(log.folder, seq) if earlier is None else _of_size(log.folder, earlier)
    with reading(engine) as session:
        row = next(stored(session, seq - 1, seq), None)
    if row is None or row.fields is None:
        raise NotWhole(f"Record {seq}, which a checkpoint covers, is missing.")
    paths = _paths(log, engine, row, first, newest)  # looks at the leaf too
    return {
        "format": FORMAT, "record": {**row.fields, "mac": row.mac}, "leaf": row.leaf().decode(), "signature": row.signature,
        "inclusion": [one.hex() for one in paths[0]], "checkpoint": _shown(newest),
        "earlier": _shown(first), "consistency": [one.hex() for one in paths[1]],
        "keys": [json.loads(line) for line, _ in lines(log.keys.path)],
    }


def _paths(
    log: AuditLog, engine: Engine, row: Stored, first: Checkpoint, newest: Checkpoint,
) -> tuple[list[bytes], list[bytes]]:
    """From the cached tree or, if what it gives does not prove anything, from the records."""
    tree, seq = Tree(log.folder / "tree"), int(row.seq)
    for made_anew in (False, True):
        if made_anew:
            with log.keys.lock(), reading(engine) as session:
                rebuild(tree, session, newest.size, newest.root)
        try:
            inclusion = inclusion_path(seq - 1, newest.size, tree.node)
            consistency = consistency_path(first.size, newest.size, tree.node)
            leaf, root = leaf_hash(row.leaf()), bytes.fromhex(newest.root)
        except ValueError:
            continue
        if verify_inclusion(leaf, seq - 1, newest.size, inclusion, root) and verify_consistency(
                first.size, newest.size, bytes.fromhex(first.root), root, consistency):
            return inclusion, consistency
    raise NotWhole(f"Record {seq} is not what the checkpoint over {newest.size} records was signed over.")


def _newest(log: AuditLog) -> Checkpoint | None:
    try:
        return Checkpoints(log.folder).newest()
    except ValueError:
        raise NotWhole("The newest checkpoint was changed.") from None


def _first_over(folder: Path, seq: int) -> Checkpoint:
    return _find(folder, lambda size: size >= seq, f"No checkpoint covers record {seq} yet.")


def _of_size(folder: Path, size: int) -> Checkpoint:
    return _find(folder, lambda one: one == size, f"There is no checkpoint over {size} records.")


def _find(folder: Path, wanted: Any, sentence: str) -> Checkpoint:
    try:
        for line, _ in lines(Checkpoints(folder).path):
            if wanted(json.loads(line)["size"]):
                return parse(line)
    except (KeyError, TypeError, ValueError):
        raise NotWhole("A checkpoint cannot be read: its line was changed.") from None
    raise NotCovered(sentence)


def _shown(checkpoint: Checkpoint) -> dict[str, Any]:
    return dict(json.loads(checkpoint.line))
