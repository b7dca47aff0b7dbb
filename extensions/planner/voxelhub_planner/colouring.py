"""Greedy colouring in a given order, equal colour for colour to networkx, without a Python loop over cells.

A cell can be coloured as soon as all its neighbours that come before it in the order are. With a random order the longest such
chain is short, so all cells that are ready are coloured at once, round by round: linear work, few rounds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import PlannerError
from .grid import EIGHT, FOUR, Cells, Labels, Neighbours, as_cells

# The lowest colour that a bit mask of used ones leaves free; nine colours always suffice for eight neighbours.
LOWEST = np.array([(~mask & (mask + 1)).bit_length() - 1 for mask in range(512)], np.int8)


def greedy_colouring(cells: ArrayLike, order: ArrayLike, neighbours: int) -> Labels:
    """Colours from 0, each cell taking in `order` (a permutation of indices) the lowest that no touching cell has.

    `neighbours`: 4 or 8. Identical to networkx.greedy_color with the same order.
    """
    if neighbours not in (4, 8):
        raise PlannerError("`neighbours` is 4 or 8.")
    known = as_cells(cells)
    sequence = np.asarray(order)
    if sequence.shape != (len(known),) or not np.array_equal(np.sort(sequence), np.arange(len(known))):
        raise PlannerError("`order` must hold each cell's index once.")
    return coloured(known, sequence, neighbours)


def coloured(cells: Cells, order: NDArray[np.integer], neighbours: int) -> Labels:
    """The same for cells and an order that were checked."""
    count, half = len(cells), FOUR if neighbours == 4 else EIGHT
    if not count:
        return np.zeros(0, np.int32)
    rank = np.empty(count, np.int32)
    rank[order] = np.arange(count, dtype=np.int32)
    found = Neighbours(cells)
    beside = np.empty((count + 1, 2 * len(half)), np.int32)  # the last row is nobody: rank 0, coloured with nothing
    for column, (dx, dy) in enumerate([*half, *((-dx, -dy) for dx, dy in half)]):
        beside[:count, column] = found.at(dx, dy)
    beside[beside < 0] = count
    ranks = np.append(rank, np.int32(count))
    earlier = (ranks[beside[:count]] < rank[:, None]).sum(axis=1).astype(np.int8)
    bits = np.zeros(count + 1, np.int16)
    ready = np.flatnonzero(earlier == 0).astype(np.int32)
    colour = np.zeros(count, np.int32)
    while len(ready):
        around = beside[ready]
        chosen = LOWEST[np.bitwise_or.reduce(bits[around], axis=1)]
        colour[ready] = chosen
        bits[ready] = np.left_shift(1, chosen.astype(np.int16))
        later = around[(ranks[around] > rank[ready, None]) & (around < count)]
        waiting, freed = np.unique(later, return_counts=True) if len(later) < count // 8 else _counted(later, count)
        earlier[waiting] -= freed.astype(np.int8)
        ready = waiting[earlier[waiting] == 0].astype(np.int32)
    return colour


def _counted(indices: NDArray[np.int32], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    times = np.bincount(indices, minlength=count)
    found = np.flatnonzero(times)
    return found, times[found]
