"""One slide, each fragment on a node of its own: the whole front of cost against makespan, exactly.

For a deadline T, largest fragment first, each takes the cheapest free node that meets T. What meets T for a larger fragment
meets it for a smaller one, so no exchange improves this: the feasible sets are nested. The front is a descending sweep over T,
each step just below the makespan of the last. Holds where time is size × seconds per patch: no set-up, continuous billing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .errors import PlannerError


@dataclass(frozen=True)
class Point:
    """A plan of one slide: the node's index of each fragment, −1 for an empty one."""

    nodes: tuple[int, ...]
    cost_usd: float
    makespan_s: float


def sweep_front(sizes: Sequence[int], seconds_per_patch: Sequence[float], usd_per_patch: Sequence[float]) -> list[Point]:
    """From cheapest to fastest; empty when there are fewer nodes than fragments with patches."""
    fragments = sorted((i for i, size in enumerate(sizes) if size), key=lambda i: -sizes[i])
    by_price = sorted(range(len(seconds_per_patch)), key=lambda j: (usd_per_patch[j], seconds_per_patch[j]))
    front: list[Point] = []
    deadline = math.inf
    while (point := _cheapest_before(deadline, fragments, sizes, by_price, seconds_per_patch, usd_per_patch)) is not None:
        if front and point.cost_usd == front[-1].cost_usd:
            front.pop()  # as cheap and faster
        front.append(point)
        deadline = point.makespan_s
        if deadline <= 0:  # nothing to compute
            break
    return front


def _cheapest_before(
    deadline: float, fragments: Sequence[int], sizes: Sequence[int], by_price: Sequence[int], seconds: Sequence[float],
    usd: Sequence[float],
) -> Point | None:
    """The cheapest plan whose makespan is below `deadline`."""
    free = list(by_price)
    chosen = [-1] * len(sizes)
    makespan = 0.0
    costs = []
    for i in fragments:
        size = sizes[i]
        j = next((j for j in free if size * seconds[j] < deadline), None)
        if j is None:
            return None
        free.remove(j)
        chosen[i] = j
        makespan = max(makespan, size * seconds[j])
        costs.append(size * usd[j])
    return Point(tuple(chosen), math.fsum(costs), makespan)


def matrix_front(time_s: ArrayLike, cost_usd: ArrayLike) -> list[tuple[float, float]]:
    """(cost, makespan) of every undominated assignment of rows (fragments) to distinct columns (nodes), for any matrices.

    For each deadline T a linear sum assignment with the entries above T forbidden; T falls to just below the last makespan.
    """
    from scipy.optimize import linear_sum_assignment

    times, costs = np.asarray(time_s, float), np.asarray(cost_usd, float)
    if times.ndim != 2 or times.shape != costs.shape:
        raise PlannerError("`time_s` and `cost_usd` must be tables of the same shape: fragments × nodes.")
    if not (np.isfinite(times).all() and np.isfinite(costs).all() and (times >= 0).all() and (costs >= 0).all()):
        raise PlannerError("`time_s` and `cost_usd` must hold finite numbers, 0 or more.")
    if times.shape[0] > times.shape[1]:
        return []
    front: list[tuple[float, float]] = []
    deadline = math.inf
    forbidden = costs.sum() + 1
    while True:
        rows, columns = linear_sum_assignment(np.where(times < deadline, costs, forbidden))
        if len(rows) and not (times[rows, columns] < deadline).all():
            return front
        cost, makespan = math.fsum(costs[rows, columns]), float(times[rows, columns].max(initial=0.0))
        if front and cost <= front[-1][0] + 1e-12 * abs(cost):
            front.pop()
        front.append((cost, makespan))
        if makespan <= 0:
            return front
        deadline = makespan
