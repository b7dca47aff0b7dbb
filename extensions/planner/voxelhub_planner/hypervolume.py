"""What a set of plans dominates, and the most that any set could: both as sums of areas cost × deadline, one for each node count.

With the reference (k_max + 1 nodes, `usd`, `seconds`) the hypervolume is the sum over k of the area between the reference cost
and the least cost of a plan with at most k nodes by a deadline, over all deadlines before the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .fluid import Curve
from .problem import Floats


@dataclass(frozen=True)
class Reference:
    max_nodes: int
    usd: float
    seconds: float


def staircase(points: Iterable[tuple[float, float]]) -> tuple[Floats, Floats]:
    """From (makespan, cost): what is not dominated, by makespan; cost falls."""
    found: list[tuple[float, float]] = []
    for makespan, cost in sorted(points):
        if not found or cost < found[-1][1]:
            found.append((makespan, cost))
    table = np.array(found, float).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def hypervolume(points: Sequence[tuple[int, float, float]], reference: Reference) -> float:
    """Of (nodes, USD, seconds)."""
    total = 0.0
    for k in range(reference.max_nodes + 1):
        makespans, costs = staircase((seconds, usd) for nodes, usd, seconds in points if nodes <= k)
        total += _area(makespans, costs, reference)
    return total


def _area(makespans: Floats, costs: Floats, reference: Reference) -> float:
    ends = np.minimum(np.append(makespans[1:], reference.seconds), reference.seconds)
    widths = np.maximum(ends - np.minimum(makespans, reference.seconds), 0.0)
    return float((widths * np.maximum(reference.usd - costs, 0.0)).sum())


def ceiling(curves: dict[int, Curve], reference: Reference) -> float:
    """No set of plans has more: between two deadlines the later one's bound counts. A node count without a curve has no plan."""
    total = 0.0
    for curve in curves.values():
        inside = curve.deadlines <= reference.seconds * (1 + 1e-12)
        deadlines = np.append(curve.deadlines[inside], reference.seconds)
        last = curve.at(reference.seconds)
        lower = np.append(curve.lower_usd[inside], last)
        gains = np.where(np.isfinite(lower), np.maximum(reference.usd - lower, 0.0), 0.0)
        total += float((np.diff(deadlines) * gains[1:]).sum())
    return total


def share(lower: float, upper: float) -> float:
    return 1.0 if upper <= 0 else min(lower / upper, 1.0)
