"""Fragments of prescribed sizes in which no two patches that share an edge meet.

The grid's two parities (x + y even or odd) hold no such pair within themselves. So every fragment gets patches of one parity, at
random; at most one fragment must take of both, and takes them from opposite ends of the slide.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from .errors import PlannerError
from .grid import FOUR, Cells, Labels, touching


def quotas(patches: int, shares: Sequence[float]) -> list[int]:
    """Whole patches per fragment, by largest remainder; shares are fractions of 1 that sum to 1."""
    wanted = np.asarray(list(shares), float)
    valid = wanted.ndim == 1 and len(wanted) > 0 and bool(np.isfinite(wanted).all() and (wanted >= 0).all())
    if not valid or abs(wanted.sum() - 1) > 1e-6:
        raise PlannerError("`shares` are fractions, 0 or more, that sum to 1.")
    exact = wanted / wanted.sum() * patches
    sizes = np.floor(exact).astype(int)
    for i in np.argsort(sizes - exact, kind="stable")[:patches - int(sizes.sum())].tolist():
        sizes[i] += 1
    return [int(n) for n in sizes]


def quota_split(cells: Cells, sizes: Sequence[int], random: np.random.Generator) -> Labels:
    """`sizes` sum to the number of cells. Raises where a fragment is larger than a parity can hold."""
    odd = (cells[:, 0] + cells[:, 1]) % 2
    order = np.lexsort((cells[:, 1], cells[:, 0]))
    parities = [order[odd[order] == 0], order[odd[order] == 1]]
    arranged = _arranged(list(sizes), len(parities[0]))
    labels = np.full(len(cells), -1, np.int32)
    if arranged is None:
        raise _too_large(sizes)
    evens, odds, shared, in_evens = arranged
    if shared is not None:
        labels[parities[0][:in_evens]] = shared
        labels[parities[1][len(parities[1]) - (sizes[shared] - in_evens):]] = shared
    for cells_of, fragments in ((parities[0], evens), (parities[1], odds)):
        free = random.permutation(cells_of[labels[cells_of] < 0])
        names = np.concatenate([np.full(sizes[i], i, np.int32) for i in fragments]) if fragments else np.zeros(0, np.int32)
        labels[free] = names[:len(free)]
    if any((labels[one] == labels[other]).any() for one, other in touching(cells, FOUR)):
        raise _too_large(sizes)
    return labels


def _too_large(sizes: Sequence[int]) -> PlannerError:
    return PlannerError(f"A fragment of {max(sizes)} of {sum(sizes)} patches holds two that share an edge, however it is chosen. "
                        "Give shares below a half.")


def _arranged(sizes: list[int], evens: int) -> tuple[list[int], list[int], int | None, int] | None:
    """(fragments on even places, on odd ones, the one on both, how much of it on even ones); that one as small as may be."""
    count = len(sizes)
    order = sorted(range(count), key=lambda i: -sizes[i])
    best: tuple[int, tuple[list[int], list[int], int | None, int]] | None = None
    for sequence in permutations(order) if count <= 6 else _rotations(order):
        filled, first = 0, []
        for i in sequence:
            if filled + sizes[i] > evens:
                break
            filled += sizes[i]
            first.append(i)
        rest = list(sequence[len(first):])
        if filled == evens:
            return first, rest, None, 0
        shared = rest.pop(0)
        if best is None or sizes[shared] < best[0]:
            best = (sizes[shared], (first, rest, shared, evens - filled))
    return None if best is None or 2 * best[0] > sum(sizes) else best[1]


def _rotations(order: list[int]) -> list[tuple[int, ...]]:
    turned = [tuple(order[i:] + order[:i]) for i in range(len(order))]
    return turned + [one[::-1] for one in turned]
