"""Every plan of a small request, depth first, largest fragment first, with a bound on the cost: exact, whatever the rules are."""

from __future__ import annotations

import math
from itertools import count

import numpy as np

from .problem import Floats, Problem
from .rules import keeps

Placed = dict[tuple[int, int], int]  # (slide, fragment) → column
DEEPEST = 300_000  # steps before it gives up
SMALL = 12  # fragments of several slides, up to which it is worth a try


class GaveUp(Exception):
    """The exact search is too large here."""


def small(problem: Problem) -> bool:
    return sum(len(row.sizes) for row in problem.rows) <= SMALL


class Exhaustive:
    def __init__(self, problem: Problem, most_nodes: int, limit: float, below_usd: float = math.inf) -> None:
        """`limit`: of every node's time and the shared line's. `below_usd`: what is not cheaper is of no interest."""
        self.problem, self.most, self.limit = problem, most_nodes, limit
        items = [(size, row.slide, i) for row in problem.rows for i, size in zip(row.fragments, row.sizes, strict=True)]
        self.items = sorted(items, key=lambda item: (-item[0], item[1], item[2]))
        sizes = np.array([size for size, _, _ in self.items], float)
        self.times = problem.setup + np.outer(sizes, problem.seconds)
        usd = np.where(self.times <= limit, sizes[:, None] * problem.seconds * problem.usd_per_s, np.inf).min(axis=1)
        self.rest = np.append(np.cumsum(usd[::-1])[::-1], 0.0)
        columns = np.arange(len(problem.nodes))
        costs = np.array([problem.bill(columns, row) for row in self.times])
        self.candidates = [np.lexsort((self.times[n], costs[n])).tolist() for n in range(len(self.items))]
        self.best: tuple[float, Placed | None] = (below_usd, None)
        self.seconds: Floats = np.zeros(len(problem.nodes))
        self.bills = [0.0] * len(problem.nodes)
        self.places: list[dict[int, int]] = [{} for _ in problem.slides]
        self.ruled = problem.limits.max_share is not None or problem.limits.max_pair_leak is not None or any(
            slide.regions for slide in problem.slides)
        self.steps = count()

    def cheapest(self) -> Placed | None:
        """None: nothing is cheaper. Raises GaveUp."""
        self._go(0, 0.0, 0, 0.0)
        return self.best[1]

    def _go(self, n: int, cost: float, used: int, sent: float) -> None:
        problem = self.problem
        if next(self.steps) > DEEPEST:
            raise GaveUp
        least = cost + self.rest[n] if problem.linear else cost
        if least >= self.best[0] or sent * problem.shared_line_s > self.limit:
            return
        if n == len(self.items):
            self.best = cost, {(w, i): j for w, places in enumerate(self.places) for i, j in places.items()}
            return
        size, w, i = self.items[n]
        places = self.places[w]
        for j in self.candidates[n]:
            time, bill = float(self.seconds[j]), self.bills[j]
            new = not time and not problem.trusted[j]
            if time + self.times[n, j] > self.limit or used + new > self.most or (problem.own and j in places.values()):
                continue
            places[i] = j
            if not self.ruled or keeps(problem, w, places):
                self.seconds[j] = time + self.times[n, j]
                self.bills[j] = float(problem.bill(j, self.seconds[j]))
                self._go(n + 1, cost + self.bills[j] - bill, used + new, sent + (0 if problem.trusted[j] else size))
                self.seconds[j], self.bills[j] = time, bill
            del places[i]
