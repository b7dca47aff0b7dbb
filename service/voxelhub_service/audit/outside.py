"""Checkpoints that somebody kept elsewhere, against those here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .checkpoint import Checkpoint, Checkpoints, genuine, parse
from .keys import PublicKey

BEGINNING = b'{"key":"'  # of every checkpoint: canonical JSON sorts its members


def compare_with(folder: Path, path: Path, keys: list[PublicKey]) -> Iterator[str]:
    """Findings, a sentence each. `path` is a folder of files, or a text file; what is no checkpoint in it is passed over."""
    here: dict[int, str] = {}
    for checkpoint, _ in Checkpoints(folder).all():
        here[checkpoint.size] = checkpoint.digest
    number = 0
    for one in _found(path):
        number += 1
        if not genuine(one, keys):
            yield f"A checkpoint over {one.size} records in {path.name} is not signed with a key of this log."
        elif one.size not in here:
            yield (f"A checkpoint over {one.size} records in {path.name}, signed by a key of this log at {one.time}, is not "
                   "here: the log was set back, or is an older copy.")
        elif here[one.size] != one.digest:
            yield f"The checkpoint over {one.size} records in {path.name} is another than the one here."
    if not number:
        yield f"There is no checkpoint in {path.name}."


def _found(path: Path) -> Iterator[Checkpoint]:
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not file.is_file():
            continue
        with file.open("rb") as lines:
            for line in lines:
                begin, end = line.find(BEGINNING), line.rfind(b"}")
                if begin >= 0:
                    try:
                        yield parse(line[begin:end + 1])
                    except ValueError:
                        continue
