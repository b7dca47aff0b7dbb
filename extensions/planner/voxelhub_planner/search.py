"""Whole plans on a chosen set of nodes: start at the fluid plan's loads, then exchange between two nodes at a time.

One exchange takes up to ten rows and swaps what two nodes have of them, for whichever of all 1024 subsets of these rows is best:
swaps within a slide, opposite swaps between two slides, and everything between. Cost and lateness are judged together; lateness
weighs so much that no money buys it. Swaps keep distinct nodes distinct.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from .problem import Floats, Problem

Ints = NDArray[np.int64]
Allowed = Callable[["Exchange", "State", int, dict[int, int]], bool]  # row and its fragment → column: may it stand so?
ROWS = 10
SUBSETS = ((np.arange(2**ROWS)[:, None] >> np.arange(ROWS)) & 1).astype(float)
LATE_USD_PER_S = 1e6
ON_TIME = 1e-12  # relative; whether a deadline is met is decided in rational arithmetic afterwards


@dataclass
class State:
    """Rows × columns of the chosen set: which fragment of the row is there (−1: none) and its patches."""

    fragment: Ints
    size: Ints

    def copy(self) -> State:
        return State(self.fragment.copy(), self.size.copy())


class Exchange:
    """The search on one set of columns for one deadline. `allowed`: what `careful_start` and every exchange keep to."""

    def __init__(
        self, problem: Problem, columns: Sequence[int], deadline: float, seed: int, allowed: Allowed | None = None,
    ) -> None:
        self.problem, self.columns, self.allowed = problem, np.array(columns), allowed
        self.deadline = deadline * (1 + ON_TIME)
        self.random = np.random.default_rng(seed)
        self.seconds, self.setup = problem.seconds[self.columns], problem.setup[self.columns]
        self.sent = ~problem.trusted[self.columns]
        line = problem.shared_line_s
        self.most_sent = self.deadline / line if line else np.inf
        usd = self.seconds * problem.usd_per_s[self.columns]
        self.flat = (usd[:, None] == usd) & problem.linear & (line == 0)  # to exchange between these saves nothing

    # -- start

    def start(self, target: Floats) -> State:
        """Largest fragment to where most is still wanted, slide after slide."""
        rows, width = self.problem.rows, len(self.columns)
        state = State(np.full((len(rows), width), -1, np.int64), np.zeros((len(rows), width), np.int64))
        left = target.copy()
        for r in sorted(range(len(rows)), key=lambda r: -sum(rows[r].sizes)):
            row = rows[r]
            order = np.argsort(-left, kind="stable")[:len(row.sizes)]
            for i, size, c in zip(row.fragments, row.sizes, order.tolist(), strict=True):
                state.fragment[r, c], state.size[r, c] = i, size
                left[c] -= size
        return state

    def careful_start(self, target: Floats) -> State | None:
        """The same where rules forbid some patterns: row by row the first one that is allowed; None where there is none."""
        rows, width = self.problem.rows, len(self.columns)
        state = State(np.full((len(rows), width), -1, np.int64), np.zeros((len(rows), width), np.int64))
        left = target.copy()
        for r in sorted(range(len(rows)), key=lambda r: -sum(rows[r].sizes)):
            row = rows[r]
            order = np.argsort(-left, kind="stable").tolist()
            chosen = self._first_allowed(state, r, order, ())
            if chosen is None:
                return None
            for i, size, c in zip(row.fragments, row.sizes, chosen, strict=True):
                state.fragment[r, c], state.size[r, c] = i, size
                left[c] -= size
        return state

    def _first_allowed(self, state: State, r: int, order: list[int], chosen: tuple[int, ...]) -> tuple[int, ...] | None:
        row = self.problem.rows[r]
        if len(chosen) == len(row.fragments):
            return chosen
        for c in order:
            if c not in chosen:
                places = {i: int(self.columns[d]) for i, d in zip(row.fragments, (*chosen, c), strict=False)}
                if self.allowed is None or self.allowed(self, state, r, places):
                    rest = self._first_allowed(state, r, order, (*chosen, c))
                    if rest is not None:
                        return rest
        return None

    def target(self) -> Floats:
        """The fluid plan's load of each column."""
        problem = self.problem
        seconds, usd = (values[self.columns] for values in problem.relaxed)
        order = np.lexsort((seconds, usd))
        load = np.zeros(len(order))
        rates: list[float] = []
        before = 0.0
        for c in order.tolist():
            rates = sorted([*rates, 1 / seconds[c]])
            slowest = np.concatenate(([0.0], np.cumsum(rates)))
            most = [problem.by_rank[m] + (self.deadline * slowest[len(rates) - m] if m < problem.ranks else 0.0)
                    for m in range(min(problem.ranks, len(rates)) + 1)]
            reach = min(most) if np.isfinite(self.deadline) else float(problem.by_rank[min(problem.ranks, len(rates))])
            load[c], before = reach - before, reach
        return load

    # -- judging

    def _penalty(self, c: int, seconds: Floats) -> Floats:
        late: Floats = np.maximum(seconds - self.deadline, 0.0) * LATE_USD_PER_S
        return late + self.problem.bill(int(self.columns[c]), seconds)

    def late(self, state: State) -> bool:
        load, jobs = state.size.sum(axis=0), (state.size > 0).sum(axis=0)
        if float(load[self.sent].sum()) > self.most_sent:
            return True
        return bool((load * self.seconds + jobs * self.setup > self.deadline).any())

    def cost(self, state: State) -> float:
        load, jobs = state.size.sum(axis=0), (state.size > 0).sum(axis=0)
        return float(self.problem.bill(self.columns, load * self.seconds + jobs * self.setup).sum())

    # -- exchanging

    def descend(self, state: State, sweeps: int = 6) -> None:
        """In place, until a sweep over all pairs of columns (three, where rows are drawn) gains nothing."""
        pairs = list(combinations(range(len(self.columns)), 2))
        small = len(state.size) <= ROWS and self.allowed is None  # nothing is drawn: a pair that has not changed gains nothing
        patience = 1 if small else 3
        idle = 0
        changes, changed = 0, [0] * len(self.columns)
        asked = dict.fromkeys(pairs, -1)
        for _ in range(sweeps):
            gained = False
            for p in self.random.permutation(len(pairs)).tolist():
                c, d = pairs[p]
                if small and asked[c, d] >= max(changed[c], changed[d]):
                    continue
                if self._exchange(state, c, d):
                    gained, changes = True, changes + 1
                    changed[c] = changed[d] = changes
                asked[c, d] = changes
            idle = 0 if gained else idle + 1
            if idle >= patience:
                return

    def _exchange(self, state: State, c: int, d: int) -> bool:
        if self.flat[c, d] and not self._late_there(state, c, d):
            return False
        rows = self._candidates(state, c, d)
        if not len(rows):
            return False
        size_c, size_d = state.size[rows, c], state.size[rows, d]
        subsets = SUBSETS[:2 ** len(rows), :len(rows)]
        moved = subsets @ (size_c - size_d).astype(float)  # patches from c to d
        load_c, load_d = float(state.size[:, c].sum()), float(state.size[:, d].sum())
        seconds_c, seconds_d = (load_c - moved) * self.seconds[c], (load_d + moved) * self.seconds[d]
        if self.setup[c] or self.setup[d]:
            jobs = subsets @ ((size_c > 0).astype(float) - (size_d > 0))
            seconds_c = seconds_c + ((state.size[:, c] > 0).sum() - jobs) * self.setup[c]
            seconds_d = seconds_d + ((state.size[:, d] > 0).sum() + jobs) * self.setup[d]
        worth = self._penalty(c, seconds_c) + self._penalty(d, seconds_d)
        if np.isfinite(self.most_sent) and self.sent[c] != self.sent[d]:
            sent = state.size[:, self.sent].sum() + (moved if self.sent[d] else -moved)
            worth = worth + np.maximum(sent - self.most_sent, 0) * LATE_USD_PER_S
        best = int(np.argmin(worth))
        if worth[best] >= worth[0] - 1e-12 * max(1.0, abs(worth[0])):
            return False
        chosen = rows[subsets[best] > 0]
        state.fragment[np.ix_(chosen, [c, d])] = state.fragment[np.ix_(chosen, [d, c])]
        state.size[np.ix_(chosen, [c, d])] = state.size[np.ix_(chosen, [d, c])]
        return True

    def _late_there(self, state: State, c: int, d: int) -> bool:
        load = state.size[:, [c, d]].sum(axis=0)
        return bool((load * self.seconds[[c, d]] > self.deadline).any())

    def _candidates(self, state: State, c: int, d: int) -> Ints:
        rows = np.flatnonzero((state.fragment[:, c] >= 0) | (state.fragment[:, d] >= 0))
        if self.allowed is not None and not self.problem.own:  # rows of one slide are not independent then: one of each
            rows = self.random.permutation(rows)
            rows = rows[np.unique([self.problem.rows[r].slide for r in rows.tolist()], return_index=True)[1]]
        if len(rows) > ROWS:
            rows = self.random.choice(rows, ROWS, replace=False)
        if self.allowed is None:
            return rows
        return np.array([r for r in rows.tolist() if self._may_swap(state, r, c, d)], np.int64)

    def _may_swap(self, state: State, r: int, c: int, d: int) -> bool:
        places = self.places(state, r)
        swapped = {i: (self.columns[d] if j == self.columns[c] else self.columns[c] if j == self.columns[d] else j)
                   for i, j in places.items()}
        return self.allowed is None or self.allowed(self, state, r, {i: int(j) for i, j in swapped.items()})

    def places(self, state: State, r: int) -> dict[int, int]:
        """Fragment → column of the problem."""
        row = state.fragment[r]
        return {int(row[c]): int(self.columns[c]) for c in np.flatnonzero(row >= 0).tolist()}

    def kick(self, state: State) -> State:
        """A copy with a few rows shuffled."""
        other = state.copy()
        for r in self.random.choice(len(state.size), min(3, len(state.size)), replace=False).tolist():
            order = self.random.permutation(len(self.columns))
            if self.allowed is None:
                other.fragment[r], other.size[r] = other.fragment[r, order], other.size[r, order]
            else:
                c, d = order[:2].tolist() if len(order) > 1 else (0, 0)
                if self._may_swap(other, r, c, d):
                    other.fragment[r, [c, d]], other.size[r, [c, d]] = other.fragment[r, [d, c]], other.size[r, [d, c]]
        return other

    def run(self, state: State, kicks: int, good_enough_usd: float, end: float = np.inf) -> State:
        """The best state of a descent and of `kicks` more from shuffled copies; ends early at a cost that is good enough, or at
        `end` (of time.monotonic).
        """
        self.descend(state)
        best, late, cost = state, self.late(state), self.cost(state)
        for _ in range(kicks):
            if (not late and cost <= good_enough_usd) or time.monotonic() > end:
                break
            other = self.kick(best)
            self.descend(other)
            other_late, other_cost = self.late(other), self.cost(other)
            if (other_late, other_cost) < (late, cost):
                best, late, cost = other, other_late, other_cost
        return best
