"""Are places to be had from what stands for them? Attacks on an encoding and on an order, to be run before anything is sent.

Adversary: holds all encoded coordinates (or names) of a slide in the order in which they came, and knows where m patches lie,
for instance because it recognises them. It fits places by least squares to the values, to the order, and to both. Only affine
maps are tried: an encoding that withstands may still fall to another. Smaller is better; `chance` is what a guess would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import PlannerError
from .grid import Cells, as_cells

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recovery:
    """L5. Of the patches that the adversary did not know; of its fits, the one that does best, as if it knew which."""

    known: int  # m
    recovered: float  # fraction placed exactly
    correlation: float  # 0–1: rank correlation with the truth, mean over both axes
    chance: float  # fraction placed exactly by one guess each
    hypothesis: str  # what was fitted: "values", "order" or "values and order"


@dataclass(frozen=True)
class OrderLeak:
    """Fraction of consecutive patches that touch, in the order in which a node sees them; by chance the second figure."""

    touching: float
    chance: float


def coordinate_attack(cells: ArrayLike, encoded: ArrayLike, known: int = 3, seed: int = 0) -> Recovery:
    """`encoded`: a name, or some numbers, for each cell, in the order in which a node gets them. `known`: m, at random."""
    truth = as_cells(cells)
    if not 1 <= known < len(truth):
        raise PlannerError(f"`known` is at least 1 and less than the {len(truth)} patches; this is {known}.")
    numbers = _numbers(encoded, len(truth))
    place = np.arange(len(truth), dtype=float)[:, None]
    picked = _spread(truth, known, np.random.default_rng(seed))
    others = np.setdiff1d(np.arange(len(truth)), picked)
    best = Recovery(known, 0.0, 0.0, 1 / len(truth), "values")
    for hypothesis, features in (("values", numbers), ("order", place), ("values and order", np.hstack([numbers, place]))):
        found = recover_coordinates(features, picked, truth[picked])
        right = float((np.rint(found[others]) == truth[others]).all(axis=1).mean())
        like = float(np.mean([_rank_correlation(found[others, axis], truth[others, axis]) for axis in (0, 1)]))
        if (right, like) > (best.recovered, best.correlation):
            best = Recovery(known, right, like, 1 / len(truth), hypothesis)
    return best


def recover_coordinates(features: ArrayLike, known: ArrayLike, places: ArrayLike) -> Floats:
    """n × 2: places by the affine map of `features` (n × d) that fits the `places` (m × 2) of the patches `known` (indices)."""
    given = np.asarray(features, float)
    spread = given.std(axis=0)
    scaled = (given - given.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    design = np.hstack([np.ones((len(given), 1)), scaled])
    indices, target = np.asarray(known, int), np.asarray(places, float)
    map_, *_ = np.linalg.lstsq(design[indices], target, rcond=None)
    found: Floats = design @ map_
    return found


def order_leak(cells: ArrayLike, order: Sequence[int]) -> OrderLeak:
    """`order`: indices of the cells as a node lists them."""
    truth = as_cells(cells)
    if not len(order):
        raise PlannerError("There is no patch to list.")
    steps = np.abs(np.diff(truth[np.asarray(order)], axis=0)).max(axis=1)
    listed = truth[np.asarray(order)]
    held = {tuple(cell) for cell in listed.tolist()}
    beside = sum((x + dx, y + dy) in held for x, y in held for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0))
    possible = len(held) * (len(held) - 1)
    return OrderLeak(float((steps == 1).mean()) if len(steps) else 0.0, beside / possible if possible else 0.0)


def pca_encoding(cells: ArrayLike, seed: int = 0) -> Floats:
    """The published kind of encoding, for comparison: cells on their principal axes, with a secret offset. Do not use it."""
    truth = as_cells(cells).astype(float)
    centred = truth - truth.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    offset: Floats = np.random.default_rng(seed).uniform(-1000, 1000, 2)
    encoded: Floats = centred @ axes + offset
    return encoded


def _spread(truth: Cells, known: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Of a hundred choices of patches, the one that spans most: an adversary waits for useful ones."""
    best, most = np.arange(known), -1.0
    for _ in range(100):
        picked = random.choice(len(truth), known, replace=False)
        span = np.linalg.svd(truth[picked] - truth[picked].mean(axis=0), compute_uv=False)
        if (worth := float(span[-1] if known > 2 else span[0])) > most:
            best, most = picked, worth
    return best


def _numbers(encoded: ArrayLike, count: int) -> Floats:
    """n × d; names as the numbers that their digits spell, and as their rank."""
    found: NDArray[Any] = np.asarray(encoded)
    if len(found) != count:
        raise PlannerError(f"`encoded` holds {len(found)} entries; there are {count} cells.")
    if found.dtype.kind in "US":
        from scipy.stats import rankdata

        found = np.array([int.from_bytes(str(name).encode()[:15], "big") for name in found.tolist()], float)
        return np.stack([found, rankdata(found)], axis=1)
    try:
        numbers = found.astype(float).reshape(count, -1)
    except (TypeError, ValueError) as error:
        raise PlannerError("`encoded` holds names or numbers.") from error
    if not np.isfinite(numbers).all():
        raise PlannerError("`encoded` holds a number that is not finite.")
    return numbers


def _rank_correlation(one: Floats, other: ArrayLike) -> float:
    from scipy.stats import rankdata  # takes its time to load

    first, second = rankdata(one), rankdata(other)
    if not first.std() or not second.std():
        return 0.0
    return abs(float(np.corrcoef(first, second)[0, 1]))
