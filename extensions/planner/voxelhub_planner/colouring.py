"""Greedy colouring in a given order, equal colour for colour to networkx, without a Python loop over cells.

A cell can be coloured as soon as all its neighbours that come before it in the order are. With a random order the longest such
chain is short, so all cells that are ready are coloured at once, round by round: linear work, few rounds. Where the cells fill
their bounding box well enough, neighbours are offsets in a padded image of it; elsewhere they are looked up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import PlannerError
from .grid import EIGHT, FOUR, Cells, Labels, Neighbours, as_cells

# The lowest colour that a bit mask of used ones leaves free; nine colours always suffice for eight neighbours.
LOWEST = np.array([(~mask & (mask + 1)).bit_length() - 1 for mask in range(512)], np.int8)


IMAGE = 4  # places of the bounding box for each cell, up to which it is held as an image
NEVER = 100


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
    if not len(cells):
        return np.zeros(0, np.int32)
    width, height = (int(n) for n in np.ptp(cells, axis=0) + 1)
    if (width + 2) * (height + 2) <= IMAGE * len(cells) + 2**20:
        return _in_image(cells, order, neighbours)
    return _looked_up(cells, order, neighbours)


def _in_image(cells: Cells, order: NDArray[np.integer], neighbours: int) -> Labels:
    """With as many bytes as the bounding box has places, times seven (4 neighbours) or eight."""
    slow, fast = (0, 1) if _runs_along_rows(cells) else (1, 0)
    low = cells.min(axis=0) - 1
    stride = int(np.ptp(cells[:, fast])) + 3
    place = (cells[:, slow] - low[slow]) * stride + cells[:, fast] - low[fast]
    size = (int(np.ptp(cells[:, slow])) + 3) * stride
    offsets = [dx * stride + dy for dx, dy in (FOUR if neighbours == 4 else EIGHT)]
    offsets += [-offset for offset in offsets]
    waiting = _earlier_neighbours(place, order, size, offsets)
    bits = np.zeros(size, np.uint8 if neighbours == 4 else np.uint16)
    lowest = LOWEST.astype(np.uint8)
    ready = np.flatnonzero(waiting == 0)
    while len(ready):
        around = [ready + offset for offset in offsets]
        used = bits[around[0]]
        for beside in around[1:]:
            np.bitwise_or(used, bits[beside], out=used)
        bits[ready] = np.left_shift(1, lowest[used], dtype=bits.dtype)
        for beside in around:  # one offset leads to each place once at most; what is coloured already counts below 0, unread
            waiting[beside] -= 1
        freed = []
        for beside in around:
            beside = beside[waiting[beside] == 0]
            waiting[beside] = NEVER
            freed.append(beside)
        ready = np.concatenate(freed)
    names = np.zeros(2**9 if neighbours == 8 else 2**8, np.int32)
    names[[1 << colour for colour in range(9 if neighbours == 8 else 8)]] = np.arange(9 if neighbours == 8 else 8)
    return names[bits[place]]  # type: ignore[no-any-return]


def _runs_along_rows(cells: Cells) -> bool:
    """Whether the second coordinate changes faster from cell to cell: then it lies close together in the image, too."""
    steps = np.abs(np.diff(cells[:4096], axis=0)).sum(axis=0)
    return bool(steps[0] <= steps[1])


def _earlier_neighbours(
    place: NDArray[np.int64], order: NDArray[np.integer], size: int, offsets: list[int],
) -> NDArray[np.int8]:
    """For each place how many of its neighbours come first; NEVER where there is no cell."""
    rank = np.empty(len(place), np.int32)
    rank[order] = np.arange(len(place), dtype=np.int32)
    image = np.full(size, np.iinfo(np.int32).max, np.int32)
    image[place] = rank
    earlier = np.zeros(size, np.int8)
    for offset in offsets[:len(offsets) // 2]:
        one, other = image[:-offset], image[offset:]
        after = (one < other).view(np.int8)
        earlier[offset:] += after
        earlier[:-offset] += after ^ 1  # places without a cell are the same on both sides, and are overwritten below
    earlier[image == np.iinfo(np.int32).max] = NEVER
    return earlier


def _looked_up(cells: Cells, order: NDArray[np.integer], neighbours: int) -> Labels:
    count, half = len(cells), FOUR if neighbours == 4 else EIGHT
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
