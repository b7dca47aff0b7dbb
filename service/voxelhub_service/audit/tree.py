"""The hashes of the Merkle tree on disk, so that a proof reads a few of them instead of every record.

A cache, made of the records and made again where it does not give a signed root. Level 0 holds the leaves, level 8 the
perfect subtrees over 256 of them, and so on; the levels between follow from at most 256 hashes of the level below.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from .merkle import Frontier, frontier_of, node_hash

STEP = 8  # levels between two files
LEVELS = range(0, 40, STEP)  # up to 2^40 records
SIZE = 32  # bytes of a hash
PART = 1 << 16  # leaves taken in before they are written


class Tree:
    """`folder` holds a file for each level that has a hash; `size` is the number of leaves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def size(self) -> int:
        return self._count(0)

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def cut(self, size: int) -> None:
        """Forget the leaves after the first `size`."""
        if self.size > size:
            os.truncate(self._folder / "0", size * SIZE)
            for level in LEVELS[1:]:
                if self._count(level) > size >> level:
                    os.truncate(self._folder / str(level), (size >> level) * SIZE)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes at the end. What a kill left of an earlier call is completed first."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.truncate(self._open_or_make(0), self.size * SIZE)
        part: list[bytes] = []
        for leaf in leaves:
            part.append(leaf)
            if len(part) == PART:
                self._write(0, part)
                part = []
        self._write(0, part)
        for level in LEVELS[1:]:
            self._complete(level)

    def frontier(self, size: int) -> Frontier:
        """ValueError where the tree is smaller."""
        return frontier_of(size, self.node)

    def node(self, level: int, index: int) -> bytes:
        """merkle.Nodes. ValueError where the tree does not hold all of that subtree."""
        stored = level - level % STEP
        width = 1 << (level - stored)
        return _fold(self._read(stored, index * width, width))

    def _complete(self, level: int) -> None:
        """The perfect subtrees of a level that are not in its file yet, or no longer belong there."""
        wanted, have = self.size >> level, self._count(level)
        if not wanted:
            return
        os.truncate(self._open_or_make(level), min(have, wanted) * SIZE)
        self._write(level, (_fold(self._read(level - STEP, index << STEP, 1 << STEP)) for index in range(have, wanted)))

    def _count(self, level: int) -> int:
        try:
            return (self._folder / str(level)).stat().st_size // SIZE
        except FileNotFoundError:
            return 0

    def _open_or_make(self, level: int) -> Path:
        path = self._folder / str(level)
        path.touch(mode=0o600)
        return path

    def _write(self, level: int, hashes: Iterable[bytes]) -> None:
        with (self._folder / str(level)).open("ab") as file:
            file.writelines(hashes)

    def _read(self, level: int, index: int, count: int) -> list[bytes]:
        try:
            with (self._folder / str(level)).open("rb") as file:
                file.seek(index * SIZE)
                content = file.read(count * SIZE)
        except FileNotFoundError:
            content = b""
        if len(content) != count * SIZE:
            raise ValueError("the stored tree ends before this record")
        return [content[at:at + SIZE] for at in range(0, len(content), SIZE)]


def _fold(hashes: list[bytes]) -> bytes:
    """The root over a power of two of neighbours."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]
