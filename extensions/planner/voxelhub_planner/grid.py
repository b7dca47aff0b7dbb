"""Cells of a patch grid and which of them touch."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import PlannerError

Cells = NDArray[np.int64]  # n × 2: column and row of each patch
Labels = NDArray[np.int32]  # n: fragment of each patch, from 0

# Half of the neighbours; the other half are the same pairs seen from the other end.
FOUR = ((1, 0), (0, 1))
EIGHT = ((1, 0), (0, 1), (1, 1), (1, -1))
DENSE = 64  # a bounding box of at most so many times the cells is held as one array


def as_cells(cells: ArrayLike) -> Cells:
    """Checked: n × 2 whole numbers, none twice."""
    raw = np.asarray(cells)
    if raw.ndim != 2 or raw.shape[1:] != (2,):
        raise PlannerError(f"`cells` has the shape {raw.shape}; it must be n × 2: column and row of each patch.")
    whole = np.issubdtype(raw.dtype, np.integer) or (np.issubdtype(raw.dtype, np.floating) and np.all(raw == np.floor(raw)))
    if not whole:
        raise PlannerError("`cells` must hold whole numbers.")
    found = raw.astype(np.int64)
    if len(found) and _holds_one_twice(found):
        raise PlannerError("`cells` names a place twice.")
    return found


def _holds_one_twice(cells: Cells) -> bool:
    low = cells.min(axis=0)
    width, height = (int(n) for n in cells.max(axis=0) - low + 1)
    keys = (cells[:, 1] - low[1]) * width + cells[:, 0] - low[0]
    if width * height <= DENSE * len(cells) + 2**20:
        seen = np.zeros(width * height, bool)
        seen[keys] = True
        return int(np.count_nonzero(seen)) != len(cells)
    return len(np.unique(keys)) != len(cells)


class Neighbours:
    """For each of the half-neighbourhood's offsets: index of the cell there, −1 for none. Memory: linear in the cells."""

    def __init__(self, cells: Cells) -> None:
        self._low = cells.min(axis=0) - 1
        self._shape = cells.max(axis=0) - self._low + 2
        at = cells - self._low
        self._keys = at[:, 1] * self._shape[0] + at[:, 0]
        self._table: NDArray[np.int32] | None = None
        if int(self._shape[0]) * int(self._shape[1]) <= DENSE * len(cells) + 2**20:
            self._table = np.full(int(self._shape[0]) * int(self._shape[1]), -1, np.int32)
            self._table[self._keys] = np.arange(len(cells), dtype=np.int32)
        else:
            self._order = np.argsort(self._keys, kind="stable")
            self._sorted = self._keys[self._order]

    def at(self, dx: int, dy: int) -> NDArray[np.int32]:
        wanted = self._keys + dy * int(self._shape[0]) + dx
        if self._table is not None:
            return self._table[wanted]  # type: ignore[no-any-return]
        place = np.searchsorted(self._sorted, wanted)
        place[place == len(self._sorted)] = 0
        found: NDArray[np.int32] = np.where(self._sorted[place] == wanted, self._order[place], -1).astype(np.int32)
        return found


def touching(cells: Cells, offsets: tuple[tuple[int, int], ...]) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Per offset: both ends of each pair of touching cells, each pair once."""
    neighbours = Neighbours(cells)
    pairs = []
    for dx, dy in offsets:
        other = neighbours.at(dx, dy)
        one = np.flatnonzero(other >= 0).astype(np.int32)
        pairs.append((one, other[one]))
    return pairs
