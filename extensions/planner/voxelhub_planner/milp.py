"""The request as a mixed-integer linear programme (HiGHS): a fallback where the search finds nothing, and a peer to measure with.

HiGHS accepts violations up to 1e-6. So the deadline is given as whole patches per node, scaled to 1, and every answer is judged
again in rational arithmetic by whoever asks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from .problem import Problem


def whole_plan(
    problem: Problem, k: int, deadline: float, *, columns: list[int] | None = None, time_limit_s: float = 60.0,
    safety: float = 1e-9,
) -> list[dict[int, int]] | None:
    """Per row fragment → column, or None. Time and cost must be proportional to patches."""
    columns = list(range(len(problem.nodes))) if columns is None else columns
    items = [(r, i, size) for r, row in enumerate(problem.rows) for i, size in zip(row.fragments, row.sizes, strict=True)]
    model = _Model(problem, items, columns)
    model.place_each()
    if problem.own:
        model.distinct()
    model.in_time(deadline * (1 - safety))
    model.at_most(k)
    solved = model.solve(time_limit_s)
    if solved is None:
        return None
    places: list[dict[int, int]] = [{} for _ in problem.rows]
    for (r, i, _), c in zip(items, solved, strict=True):
        places[r][i] = columns[c]
    return places


class _Model:
    """Variables: item × column (1: there), then per column whether it is used."""

    def __init__(self, problem: Problem, items: list[tuple[int, int, int]], columns: list[int]) -> None:
        self.problem, self.items, self.columns = problem, items, columns
        self.width = len(columns)
        self.count = len(items) * self.width + self.width
        self.entries: list[tuple[float, int, int]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def _row(self, terms: list[tuple[float, int]], low: float, high: float) -> None:
        self.entries += [(value, len(self.low), variable) for value, variable in terms]
        self.low.append(low)
        self.high.append(high)

    def at(self, n: int, c: int) -> int:
        return n * self.width + c

    def used(self, c: int) -> int:
        return len(self.items) * self.width + c

    def place_each(self) -> None:
        for n in range(len(self.items)):
            self._row([(1.0, self.at(n, c)) for c in range(self.width)], 1, 1)

    def distinct(self) -> None:
        rows: dict[int, list[int]] = {}
        for n, (r, _, _) in enumerate(self.items):
            rows.setdefault(r, []).append(n)
        for members in rows.values():
            for c in range(self.width):
                self._row([*((1.0, self.at(n, c)) for n in members), (-1.0, self.used(c))], -np.inf, 0)

    def in_time(self, deadline: float) -> None:
        seconds = self.problem.seconds[self.columns]
        for c in range(self.width):
            terms = [(size * float(seconds[c]) / deadline, self.at(n, c)) for n, (_, _, size) in enumerate(self.items)]
            self._row([*terms, (-1.0, self.used(c))], -np.inf, 0)

    def at_most(self, k: int) -> None:
        untrusted = [c for c, j in enumerate(self.columns) if not self.problem.trusted[j]]
        self._row([(1.0, self.used(c)) for c in untrusted], 0, k)

    def solve(self, time_limit_s: float) -> list[int] | None:
        usd = (self.problem.seconds * self.problem.usd_per_s)[self.columns]
        cost = np.zeros(self.count)
        for n, (_, _, size) in enumerate(self.items):
            cost[self.at(n, 0):self.at(n, 0) + self.width] = size * usd
        scale = float(cost.max()) or 1.0
        values, rows, columns = zip(*self.entries, strict=True)
        table = coo_array((values, (rows, columns)), shape=(len(self.low), self.count)).tocsr()
        answer: Any = milp(cost / scale, constraints=LinearConstraint(table, self.low, self.high), bounds=Bounds(0, 1),
                           integrality=np.ones(self.count), options={"time_limit": time_limit_s})
        if answer.x is None:
            return None
        places = answer.x[:len(self.items) * self.width].reshape(len(self.items), self.width)
        return [int(c) for c in places.argmax(axis=1)]
