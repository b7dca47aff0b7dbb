"""What no plan can undercut: the fluid relaxation, for every deadline at once, minimised over the choice of k untrusted nodes.

Let f(m) be the patches of every row's m largest fragments. A set A of nodes takes at most f(|A|) patches, and a node at most
T / a_j by the deadline T; together at most  F(A) = min over m of  f(m) + T · (sum of the |A| − m smallest 1 / a_j in A).
Whatever the plan, the patches on nodes whose price per patch is at most β number at most F of those nodes, so with the prices
b_1 ≤ b_2 ≤ … its cost is at least  b_1 · all + sum over l of (b_l+1 − b_l) · (all − F(first l nodes)).  For a given set of nodes
this is the value of the linear programme itself (a polymatroid's greedy solution). While nodes are still to be chosen, the
fastest of the free ones stand for the choice at each price: no choice does better at any price, so the bound holds for all of
them; branching on the nodes that the prices disagree about closes it. A node that k others match or beat in both a and b
(outside the skyband) is never needed.
"""

from __future__ import annotations

import time
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from .domains import DomainBound, domain_bound
from .problem import Floats, Problem

FEW = 300  # sets are gone through faster than a multiplier is found
MULTIPLIED = 2.5  # times the earliest deadline, as below
TIGHT = 1.6  # times the earliest deadline
ROUNDING = 1e-9  # relative; far above what double precision loses here, far below any gap


def skyband(seconds: Floats, usd: Floats, k: int) -> list[int]:
    """Indices, by price, of what fewer than k others match or beat in both."""
    kept: list[int] = []
    speeds: list[float] = []
    for j in np.lexsort((seconds, usd)).tolist():
        if bisect_right(speeds, seconds[j]) < k:
            kept.append(j)
            insort(speeds, float(seconds[j]))
    return kept


@dataclass(frozen=True)
class Curve:
    """For each deadline what no plan undercuts (infinite: there is none), and sets of nodes with their fluid values."""

    deadlines: Floats
    lower_usd: Floats
    sets: tuple[tuple[int, ...], ...]  # columns, trusted ones included
    fluid_usd: Floats  # sets × deadlines

    def at(self, deadline: float) -> float:
        """For a deadline between two: the bound at the later one, which holds for it, too."""
        place = int(np.searchsorted(self.deadlines, deadline * (1 - 1e-12)))
        return float(self.lower_usd[place]) if place < len(self.lower_usd) else 0.0

    def best_sets(self, place: int, count: int) -> list[tuple[int, ...]]:
        values = self.fluid_usd[:, place]
        order = np.argsort(values, kind="stable")[:count]
        return [self.sets[i] for i in order if np.isfinite(values[i])]


class Fluid:
    """`k`: untrusted nodes at most. Trusted ones may all be used."""

    def __init__(self, problem: Problem, k: int) -> None:
        self.problem, self.k = problem, k
        self.seconds, self.usd = problem.relaxed
        trusted = np.flatnonzero(problem.trusted)
        untrusted = np.flatnonzero(~problem.trusted)
        band = [int(untrusted[i]) for i in skyband(self.seconds[untrusted], self.usd[untrusted], k)] if k else []
        self.always = trusted.tolist()
        self.free = band
        self.order = sorted([*self.always, *band], key=lambda j: (self.usd[j], self.seconds[j]))
        self.total = float(problem.by_rank[-1])
        floors = np.sort(np.maximum(problem.minimum, problem.billing * problem.usd_per_s))
        self.entrance = float(floors[:problem.ranks].sum())  # as many nodes as a row has fragments pay at least their least
        self._domains: tuple[Floats, DomainBound | None] | None = None

    def value(self, included: Sequence[int], free: Sequence[int], deadlines: Floats) -> tuple[Floats, list[list[int]]]:
        """The bound for all sets that hold `included`, the trusted nodes and at most k in all; and each price's choice."""
        quota = self.k - len(included)
        fixed, open_ = {*included, *self.always}, set(free) if quota > 0 else set()
        columns = [j for j in self.order if j in fixed or j in open_]
        slopes, chosen = self._slopes(columns, fixed, quota)
        if not columns:
            return np.full(len(deadlines), np.inf), chosen
        reach = (self.problem.by_rank[None, :, None] + slopes[:, :, None] * deadlines).min(axis=1)
        prices = self.usd[columns]
        by_domain = self._by_domain(deadlines)
        if by_domain is not None:
            place = np.searchsorted(prices, by_domain.prices, side="right")
            known = np.concatenate([np.zeros((1, len(deadlines))), reach])
            prices, reach = by_domain.prices, np.minimum(known[place], by_domain.reach)
        cost = prices[0] * self.total + np.maximum(self.total - reach[:-1], 0).T @ np.diff(prices)
        cost = np.where(reach[-1] < self.total * (1 - ROUNDING), np.inf, cost)
        if 0 < quota < len(open_) and comb(len(open_), quota) > FEW:
            self._by_multiplier(columns, fixed, quota, deadlines, cost)
        return cost, chosen

    def _by_domain(self, deadlines: Floats) -> DomainBound | None:
        if self._domains is None or self._domains[0] is not deadlines:
            self._domains = deadlines, domain_bound(self.problem, self.usd, self.seconds, deadlines)
        return self._domains[1]

    def _by_multiplier(self, columns: Sequence[int], fixed: set[int], quota: int, deadlines: Floats, cost: Floats) -> None:
        """Raises `cost` in place: for any price λ on the patches, λ · all − what the best k nodes earn at it is a bound, too.

        It keeps one choice of nodes for all prices, which counts where the deadline is tight, but knows of the rows only that a
        node takes at most the largest fragments.
        """
        tight = np.flatnonzero(np.isfinite(cost) & (deadlines < MULTIPLIED * self._last_earliest(columns, fixed, quota)))
        if not len(tight):
            return
        prices, seconds = self.usd[columns], self.seconds[columns]
        top = float(prices.max()) or 1.0
        offers = np.concatenate([np.quantile(prices, np.linspace(0.2, 1, 9)), top * np.geomspace(1.15, 12, 11)])
        most = np.minimum(deadlines[tight] / seconds[:, None], self.problem.by_rank[1])  # columns × deadlines
        earned = np.maximum(offers[:, None] - prices, 0.0)[:, :, None] * most
        kept = np.array([j in fixed for j in columns])
        free = earned[:, ~kept]
        best = np.partition(free, free.shape[1] - quota, axis=1)[:, free.shape[1] - quota:].sum(axis=1)
        bound = (offers[:, None] * self.total - best - earned[:, kept].sum(axis=1)).max(axis=0)
        cost[tight] = np.maximum(cost[tight], bound * (1 - 1e-12))

    def _last_earliest(self, columns: Sequence[int], fixed: set[int], quota: int) -> float:
        return self.earliest([j for j in fixed if j not in self.always], [j for j in columns if j not in fixed])

    def _slopes(self, columns: Sequence[int], fixed: set[int], quota: int) -> tuple[Floats, list[list[int]]]:
        """prices × (ranks + 1): the sum of the |A| − m smallest 1 / a; and per price the free nodes in A."""
        ranks = self.problem.ranks
        slopes = np.full((len(columns), ranks + 1), np.inf)
        taken: list[tuple[float, int]] = []  # free ones, slowest first
        rates: list[float] = []  # of all in A, slowest first
        chosen = []
        for level, j in enumerate(columns):
            rate = 1 / float(self.seconds[j])
            if j in fixed:
                insort(rates, rate)
            elif len(taken) < quota or rate > taken[0][0]:
                if len(taken) == quota:
                    rates.remove(taken.pop(0)[0])
                insort(taken, (rate, j))
                insort(rates, rate)
            sums = np.concatenate(([0.0], np.cumsum(rates)))
            count = len(rates)
            for m in range(min(ranks, count) + 1):
                slopes[level, m] = sums[count - m] if m < ranks else 0.0
            chosen.append([node for _, node in taken])
        return slopes, chosen

    def earliest(self, included: Sequence[int], free: Sequence[int]) -> float:
        """The first deadline that the bound allows to sets of `value`."""
        quota = self.k - len(included)
        fixed, open_ = {*included, *self.always}, set(free) if quota > 0 else set()
        slopes, _ = self._slopes([j for j in self.order if j in fixed or j in open_], fixed, quota)
        if not len(slopes):
            return np.inf
        left = self.total - self.problem.by_rank
        short = left > 0
        if not np.isfinite(slopes[-1]).all():
            return np.inf  # fewer nodes than fragments of a row
        return float((left[short] / slopes[-1][short]).max(initial=0.0))

    def curve(self, deadlines: Floats, *, tolerance: float = 2e-5, most: int = 400, end: float = np.inf) -> Curve:
        """Branch and bound over the sets, for all deadlines together.

        Ends at the tolerance, after `most` branchings or at `end` (of time.monotonic); a bound it is in any case.
        """
        search = _Search(self, np.asarray(deadlines, float))
        search.run(tolerance, most, end)
        return search.result()


class _Search:
    def __init__(self, fluid: Fluid, deadlines: Floats) -> None:
        self.fluid, self.deadlines = fluid, deadlines
        self.sets: dict[tuple[int, ...], Floats] = {}
        self.best = np.full(len(deadlines), np.inf)
        self.closed = np.full(len(deadlines), np.inf)  # bound of what was decided to the end
        self.open: list[tuple[tuple[int, ...], tuple[int, ...], Floats, list[list[int]]]] = []
        self._add((), tuple(fluid.free))

    def run(self, tolerance: float, most: int, end: float) -> None:
        for _ in range(most):
            if not self.open or time.monotonic() > end:
                return
            gaps = self._gaps()
            place = int(np.argmax(gaps))
            if gaps[place] <= tolerance:
                return
            bounds = np.array([lower[place] for _, _, lower, _ in self.open])
            included, free, _, chosen = self.open.pop(int(np.argmin(bounds)))
            j = self._disputed(included, free, chosen, float(self.deadlines[place]))
            rest = tuple(i for i in free if i != j)
            self._add((*included, j), rest)
            self._add(included, rest)
            self._prune(tolerance / 4)

    def result(self) -> Curve:
        lower = np.maximum(self._lower() + self.fluid.problem.setup_usd, self.fluid.entrance) * (1 - ROUNDING)
        later: Floats = np.minimum.accumulate(lower)  # what an earlier deadline can undercut, a later one can too
        sets = tuple(self.sets)
        values = np.array([self.sets[one] for one in sets]).reshape(len(sets), len(self.deadlines))
        return Curve(self.deadlines, later, sets, values)

    def _lower(self) -> Floats:
        lower: Floats = np.minimum(self.best, self.closed)
        for _, _, bound, _ in self.open:
            lower = np.minimum(lower, bound)
        return lower

    def _gaps(self) -> Floats:
        lower = self._lower()
        with np.errstate(invalid="ignore", divide="ignore"):
            gaps = np.where(np.isinf(self.best), np.where(np.isinf(lower), 0.0, 2.0), (self.best - lower) / self.best)
        found: Floats = np.where(self.best <= 0, 0.0, gaps)
        return found

    def _disputed(self, included: Sequence[int], free: Sequence[int], chosen: list[list[int]], deadline: float) -> int:
        """Where the deadline is tight the fastest free node, elsewhere the one that most of the price range wants."""
        if deadline < TIGHT * self.fluid.earliest(included, free):
            return min(free, key=lambda j: (self.fluid.seconds[j], self.fluid.usd[j]))
        return self._ranked(free, chosen)[0]

    def _ranked(self, free: Sequence[int], chosen: list[list[int]]) -> list[int]:
        score = dict.fromkeys(free, 0.0)
        for level in chosen:
            for j in level:
                score[j] += 1.0
        return sorted(free, key=lambda j: (-score[j], self.fluid.usd[j], self.fluid.seconds[j]))

    def _add(self, included: tuple[int, ...], free: tuple[int, ...]) -> None:
        fluid, quota = self.fluid, self.fluid.k - len(included)
        lower, chosen = fluid.value(included, free, self.deadlines)
        levels = (chosen if not included else chosen[-1:]) if quota > 0 else [[]]
        candidates = {tuple(sorted((*included, *level))) for level in levels}
        if quota > 0:
            candidates.add(tuple(sorted((*included, *self._ranked(free, chosen)[:quota]))))
        for one in candidates:
            self._meet(one)
        if quota <= 0 or len(free) <= quota or not len(chosen):
            self.closed = np.minimum(self.closed, lower)
            self._meet(tuple(sorted((*included, *free[:max(quota, 0)]))))
        else:
            self.open.append((included, free, lower, chosen))

    def _meet(self, untrusted: tuple[int, ...]) -> None:
        """A set of nodes, with what the fluid plan costs on it."""
        columns = tuple(sorted((*untrusted, *self.fluid.always)))
        if columns and columns not in self.sets and len(untrusted) <= self.fluid.k:
            value, _ = self.fluid.value(untrusted, (), self.deadlines)
            self.sets[columns] = value
            self.best = np.minimum(self.best, value)

    def _prune(self, tolerance: float) -> None:
        kept = []
        for one in self.open:
            if np.all((one[2] >= self.best * (1 - tolerance)) | np.isinf(one[2])):
                self.closed = np.minimum(self.closed, one[2])
            else:
                kept.append(one)
        self.open = kept


def latest_needed(problem: Problem, k: int) -> tuple[float, float]:
    """(earliest deadline that the bound allows, deadline after which it falls no more) for at most k untrusted nodes."""
    fluid = Fluid(problem, k)
    earliest = fluid.earliest((), fluid.free)
    if not np.isfinite(earliest):
        return np.inf, np.inf
    return earliest, float(max(problem.by_rank[1] * fluid.seconds[fluid.order].max(), earliest))
