"""The published method's own figures, computed for comparison. Nothing here chooses a split.

Why not: they look at lists of coordinates, not at what a party can lay side by side. A checkerboard with three lone patches beats
every proper split in all of them while two parties see half of the slide each (tests/planner/test_paper_metrics.py). Use
`leakage` and `jigsaw_selftest` to decide. Source: arXiv 2401.12597, equations 1–6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from .errors import PlannerError
from .grid import Cells, as_cells

PerAxis = tuple[float, float]  # x, y
Matched = Callable[[Cells, Cells], tuple[Cells, Cells]]


@dataclass(frozen=True)
class PaperMetrics:
    """For each axis. None of these bounds what a provider that looks at pixels can do."""

    # In nat: entropy encoded − entropy before, mean over fragments weighted by patches. Larger was called better; different names
    # for all patches already give the most there can be.
    information_gain: PerAxis
    # 0–1: "individual privacy, lower bound" as published: two fragments' lists matched entry by entry. Depends on their order.
    nmi_by_position: PerAxis
    # 0–1: the same with each patch matched to the nearest one of the other fragment. No order in it.
    nmi_aligned: PerAxis
    # 0–1: NMI of what decoding gives with the truth; 1 also for a mistake that is one-to-one. None: nothing was decoded.
    utility: PerAxis | None


def paper_metrics(
    fragments: Sequence[ArrayLike], encoded: Sequence[ArrayLike], decoded: Sequence[ArrayLike] | None = None,
) -> PaperMetrics:
    """`fragments`: true cells, n × 2 each. `encoded`: for them, n × 2 numbers or n names. `decoded`: as `fragments`."""
    cells = [as_cells(one) for one in fragments]
    if not cells or not all(len(one) for one in cells):
        raise PlannerError("Each fragment needs a patch; leave out the empty ones.")
    codes = [_columns(one, len(known), "encoded") for one, known in zip(encoded, cells, strict=True)]
    weights = np.array([len(one) for one in cells], float)
    gains = np.array([[entropy(code[:, axis]) - entropy(known[:, axis]) for axis in (0, 1)]
                      for known, code in zip(cells, codes, strict=True)])
    gain = np.average(gains, axis=0, weights=weights)
    utility = None
    if decoded is not None:
        back = [_columns(one, len(known), "decoded") for one, known in zip(decoded, cells, strict=True)]
        utility = _axes(lambda axis: float(np.average(
            [_same(known[:, axis], one[:, axis]) for known, one in zip(cells, back, strict=True)], weights=weights)))
    return PaperMetrics(
        (float(gain[0]), float(gain[1])), _axes(lambda axis: _mean_pair(cells, axis, _by_position)),
        _axes(lambda axis: _mean_pair(cells, axis, _nearest)), utility)


def entropy(values: ArrayLike) -> float:
    """Of the values' frequencies, natural logarithm."""
    counts = np.unique(np.asarray(values), return_counts=True)[1]
    shares = counts / counts.sum()
    return max(float(-(shares * np.log(shares)).sum()), 0.0)  # exactly 0 for a single value


def nmi(one: ArrayLike, other: ArrayLike) -> float:
    """Mutual information over the mean of both entropies; 0 where neither varies, since then nothing can be learnt."""
    first, second = (np.unique(np.asarray(values), return_inverse=True)[1] for values in (one, other))
    mean = (entropy(first) + entropy(second)) / 2
    joint = entropy(first * (int(second.max()) + 1) + second)
    return min(max((2 * mean - joint) / mean, 0.0), 1.0) if mean else 0.0


def _same(truth: NDArray[Any], found: NDArray[Any]) -> float:
    """NMI; for a fragment that does not vary, whether it is the truth."""
    return nmi(truth, found) if entropy(truth) else float(np.array_equal(truth, found))


def _mean_pair(cells: list[Cells], axis: int, matched: Matched) -> float:
    """Mean over all ordered pairs of fragments; a lone fragment has nobody to be learnt from."""
    found = []
    for i, one in enumerate(cells):
        for other in (*cells[:i], *cells[i + 1:]):
            first, second = matched(one, other)
            found.append(nmi(first[:, axis], second[:, axis]))
    return float(np.mean(found)) if found else 0.0


def _by_position(one: Cells, other: Cells) -> tuple[Cells, Cells]:
    shared = min(len(one), len(other))
    return one[:shared], other[:shared]


def _nearest(one: Cells, other: Cells) -> tuple[Cells, Cells]:
    """Of several that are equally near, the first from the left and then from above: whatever the order of the lists."""
    from_above = other[np.lexsort((other[:, 1], other[:, 0]))]
    near, at = cKDTree(from_above).query(one, k=min(8, len(other)))
    near, at = near.reshape(len(one), -1), at.reshape(len(one), -1)
    chosen = np.where(near == near[:, :1], at, len(other)).min(axis=1)
    return one, from_above[chosen]


def _axes(figure: Callable[[int], float]) -> PerAxis:
    return figure(0), figure(1)


def _columns(values: ArrayLike, count: int, name: str) -> NDArray[Any]:
    """n × 2; names stand for both axes."""
    found = np.asarray(values)
    if found.ndim == 1:
        found = np.stack([found, found], axis=1)
    if found.shape != (count, 2):
        raise PlannerError(f"`{name}` must hold two numbers, or a name, for each of a fragment's {count} patches.")
    return found
