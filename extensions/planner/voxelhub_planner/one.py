"""One slide, exactly: the cheapest plan for a deadline, with at most k untrusted nodes.

A node for each fragment: the sweep where time is size × seconds, otherwise a linear sum assignment with what is too late left out
(rows that only untrusted nodes may take, and that cost nothing, hold their number down). Fragments that share nodes: dynamic
programming over subsets. Limits on what is shown: depth first with a bound on the cost.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import linear_sum_assignment

from .exhausting import Exhaustive
from .problem import Problem
from .sweep import sweep_front

Places = dict[int, int]  # fragment → column
SUBSETS_UP_TO = 10


def solvable(problem: Problem) -> bool:
    return len(problem.slides) == 1 and (problem.own or sum(n > 0 for n in problem.slides[0].fragments) <= SUBSETS_UP_TO)


class OneSlide:
    def __init__(self, problem: Problem, most_nodes: int) -> None:
        self.problem, self.most = problem, most_nodes
        slide = problem.slides[0]
        self.order = sorted((i for i, size in enumerate(slide.fragments) if size), key=lambda i: -slide.fragments[i])
        self.sizes = np.array([slide.fragments[i] for i in self.order], float)
        self.times = problem.setup + np.outer(self.sizes, problem.seconds)
        columns = np.arange(len(problem.nodes))
        self.costs = np.array([problem.bill(columns, row) for row in self.times])
        shared_line = problem.shared_line_s and problem.trusted.any()
        self.plain = not problem.unequal and not shared_line

    def front(self) -> list[Places]:
        """From cheapest to fastest, not dominated in (cost, makespan)."""
        problem = self.problem
        if problem.own and self.plain and problem.linear and not problem.trusted.any():
            if len(self.order) > self.most:
                return []
            points = sweep_front(problem.slides[0].fragments, problem.seconds.tolist(),
                                 (problem.seconds * problem.usd_per_s).tolist())
            return [{i: j for i, j in enumerate(point.nodes) if j >= 0} for point in points]
        found: list[Places] = []
        below = math.inf
        while (places := self.cheapest(below, strict=True)) is not None:
            found.append(places)
            below = self.makespan(places)
        return found

    def makespan(self, places: Places) -> float:
        seconds: dict[int, float] = {}
        for i, j in places.items():
            seconds[j] = seconds.get(j, 0.0) + float(self.times[self.order.index(i), j])
        return max(seconds.values())

    def cheapest(self, deadline: float, *, strict: bool = False) -> Places | None:
        """None: there is no plan. `strict`: below the deadline instead of by it. Raises GaveUp."""
        limit = deadline * (1 - 1e-12) if strict else deadline * (1 + 1e-12)
        if self.problem.own and self.plain:
            return self._assigned(limit)
        if self.plain:
            return self._subsets(limit)
        return self._deep(limit)

    # -- distinct nodes

    def _assigned(self, limit: float) -> Places | None:
        fits = self.times <= limit
        columns = self._worth_asking(fits)
        untrusted = [c for c, j in enumerate(columns) if not self.problem.trusted[j]]
        spare = max(len(untrusted) - self.most, 0)
        if len(self.order) + spare > len(columns):
            return None
        forbidden = float(self.costs.sum()) + 1
        table = np.full((len(self.order) + spare, len(columns)), forbidden)
        table[:len(self.order)] = np.where(fits[:, columns], self.costs[:, columns], forbidden)
        table[len(self.order):, untrusted] = 0.0
        rows, chosen = linear_sum_assignment(table)
        if table[rows, chosen].max() >= forbidden:
            return None
        pairs = zip(rows.tolist(), chosen.tolist(), strict=True)
        return {self.order[r]: columns[c] for r, c in pairs if r < len(self.order)}

    def _worth_asking(self, fits: np.ndarray) -> list[int]:
        """For each fragment its cheapest nodes in time, of each kind as many as there are fragments: more are never needed."""
        found: set[int] = set()
        for r in range(len(self.order)):
            for kind in (True, False):
                able = np.flatnonzero(fits[r] & (self.problem.trusted == kind))
                found.update(able[np.lexsort((self.times[r, able], self.costs[r, able]))[:len(self.order)]].tolist())
        return sorted(found)

    # -- shared nodes

    def _subsets(self, limit: float) -> Places | None:
        """best[u][S]: the least cost of the fragments S on the nodes so far, u of them untrusted."""
        n = len(self.order)
        full, most = 2**n - 1, min(self.most, n)
        whole, part = _splits(n)
        members = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(float)
        best = np.full((most + 1, 2**n), np.inf)
        best[:, 0] = 0.0
        steps: list[tuple[int, np.ndarray, np.ndarray]] = []
        starts = np.concatenate(([0], np.flatnonzero(np.diff(whole)) + 1))
        for j in self._shared_worth():
            seconds = members @ self.times[:, j]
            cost = np.where(seconds <= limit, self.problem.bill(j, seconds), np.inf)
            free = bool(self.problem.trusted[j])
            taken = np.zeros((most + 1, 2**n), np.int64)
            after = best.copy()
            for u in range(0 if free else 1, most + 1):
                before = best[u if free else u - 1]
                with_j = before[whole ^ part] + cost[part]
                least = np.minimum.reduceat(with_j, starts)
                better = np.flatnonzero(least < after[u])
                for mask in better.tolist():
                    low, high = starts[mask], starts[mask + 1] if mask + 1 < len(starts) else len(part)
                    taken[u, mask] = part[low + int(np.argmin(with_j[low:high]))]
                after[u, better] = least[better]
            steps.append((j, taken, best))
            best = after
        if not np.isfinite(best[most, full]):
            return None
        return self._walk_back(steps, most, full)

    def _shared_worth(self) -> list[int]:
        """Untrusted nodes that `most` others match or beat in everything are never needed."""
        problem = self.problem
        kept: list[int] = []
        table = np.stack([problem.seconds, problem.usd_per_s, problem.setup, problem.billing, problem.minimum], axis=1)
        for j in np.lexsort((problem.seconds * problem.usd_per_s, problem.usd_per_s, problem.seconds)).tolist():
            others = [i for i in kept if problem.trusted[i] == problem.trusted[j] and (table[i] <= table[j]).all()
                      and (table[i, 3] == table[j, 3])]
            if problem.trusted[j] or len(others) < self.most:
                kept.append(j)
        return kept

    def _walk_back(self, steps: list[tuple[int, np.ndarray, np.ndarray]], u: int, mask: int) -> Places:
        places: Places = {}
        for j, taken, _ in reversed(steps):
            part = int(taken[u, mask])
            if part:
                places |= {self.order[b]: j for b in range(len(self.order)) if part >> b & 1}
                mask ^= part
                u -= 0 if self.problem.trusted[j] else 1
        return places

    # -- limits on what is shown

    def _deep(self, limit: float) -> Places | None:
        found = Exhaustive(self.problem, self.most, limit).cheapest()
        return None if found is None else {i: j for (_, i), j in found.items()}


def _splits(n: int) -> tuple[np.ndarray, np.ndarray]:
    """All (whole, part) with part ⊆ whole ⊆ n fragments, ordered by whole."""
    pairs = np.zeros((1, 2), np.int64)
    for bit in range(n):
        one = 1 << bit
        pairs = np.concatenate([pairs, pairs + np.array([one, 0]), pairs + np.array([one, one])])
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pairs[:, 0], pairs[:, 1]
