"""Plans for many slides: the bound says on which nodes to look, the exchange search looks, rational arithmetic judges."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .apart import Apart
from .exact import Figures, figures, number, violations
from .exhausting import Exhaustive, GaveUp, Placed, small
from .fluid import Curve, Fluid
from .milp import whole_plan
from .model import Limits, Node, Plan
from .one import OneSlide, Places, solvable
from .problem import Floats, Problem, names
from .rules import keeps, parties_of
from .search import Exchange, State
from .views import largest_share, view, worst_view


@dataclass(frozen=True)
class Found:
    assignment: tuple[tuple[str | None, ...], ...]
    figures: Figures

    @property
    def nodes(self) -> int:
        return self.figures.nodes

    @property
    def cost(self) -> float:
        return float(self.figures.cost_usd)

    @property
    def makespan(self) -> float:
        return float(self.figures.makespan_s)


class Solver:
    def __init__(self, problem: Problem, seed: int = 0, time_limit_s: float | None = None) -> None:
        self.problem, self.seed = problem, seed
        self.end = math.inf if time_limit_s is None else time.monotonic() + time_limit_s
        self.by_id: Mapping[str, Node] = {node.id: node for node in problem.nodes}
        self._fluids: dict[int, Fluid] = {}
        self.apart: Apart | None = None  # with it bounds know each slide by itself, too

    def fluid(self, k: int) -> Fluid:
        if k not in self._fluids:
            self._fluids[k] = Fluid(self.problem, k)
        return self._fluids[k]

    def curve(self, k: int, deadlines: Floats, end: float = math.inf) -> Curve:
        """The bound, the shared line's own time included."""
        curve = self.fluid(k).curve(deadlines, end=end)
        sent = np.maximum(self.problem.patches - self._kept_at_most(deadlines), 0)
        late = sent * self.problem.shared_line_s > deadlines * (1 + 1e-9)
        lower = np.where(late, np.inf, curve.lower_usd)
        if self.apart is not None:
            lower = np.maximum(lower, self.apart.lower(k, deadlines))
        return Curve(curve.deadlines, lower, curve.sets, curve.fluid_usd)

    def _kept_at_most(self, deadlines: Floats) -> Floats:
        """Patches that the trusted nodes can take by then: these need not be sent."""
        seconds = self.problem.relaxed[0][self.problem.trusted]
        room = deadlines * float((1 / seconds).sum())
        most = float(self.problem.by_rank[min(len(seconds), self.problem.ranks)])
        kept: Floats = np.minimum(room, most)
        return kept

    # -- one deadline

    def best(self, k: int, deadline: float) -> tuple[Found | None, float]:
        """(plan or None, bound) with at most k untrusted nodes by the deadline. Infinite bound: proven that there is none."""
        lower = self.lower(k, deadline)
        if solvable(self.problem):
            try:
                places = OneSlide(self.problem, k).cheapest(deadline)
                found = None if places is None else self.checked(self._whole(places), k, deadline)
                if places is None or found is not None:
                    return found, math.inf if found is None else max(lower, found.cost * (1 - 1e-12))
            except GaveUp:
                pass
        if math.isinf(lower):
            return None, lower
        horizon = deadline if math.isfinite(deadline) else self.late_enough()
        curve = self.curve(k, np.array([horizon]))
        found = self.look(k, horizon, curve, 0, kicks=12, sets=6)
        if small(self.problem) and (found is None or found.cost > lower * (1 + 1e-9)):
            try:
                better = self._exhausted(k, horizon, math.inf if found is None else found.cost * (1 - 1e-12))
                found = better or found
                return found, math.inf if found is None else max(lower, found.cost * (1 - 1e-12))
            except GaveUp:
                pass
        fits = self.problem.linear and not self.problem.unequal and not self.problem.shared_line_s
        if found is None and fits and time.monotonic() < self.end:
            found = self._by_milp(k, horizon)
        return found, lower

    def _exhausted(self, k: int, deadline: float, below_usd: float) -> Found | None:
        """The cheapest of all plans, where one is cheaper; None: there is none. Raises GaveUp."""
        placed = Exhaustive(self.problem, k, deadline * (1 + 1e-12), below_usd).cheapest()
        if placed is None:
            return None
        found = self.checked(self.named(placed), k, deadline)
        if found is None:  # a hair too late: leave it to the search
            raise GaveUp
        return found

    def named(self, placed: Placed) -> tuple[tuple[str | None, ...], ...]:
        return tuple(tuple(self.problem.nodes[placed[w, i]].id if (w, i) in placed else None for i in range(len(slide.fragments)))
                     for w, slide in enumerate(self.problem.slides))

    def lower(self, k: int, deadline: float) -> float:
        horizon = deadline if math.isfinite(deadline) else self.late_enough()
        return float(self.curve(k, np.array([horizon])).lower_usd[0])

    def late_enough(self) -> float:
        """By then the slowest node alone is done."""
        jobs = sum(len(row.sizes) for row in self.problem.rows)
        slowest = float((self.problem.patches * self.problem.seconds + jobs * self.problem.setup).max())
        return max(slowest, self.problem.patches * self.problem.shared_line_s) * 1.001

    def _by_milp(self, k: int, deadline: float) -> Found | None:
        limit = min(30.0, max(self.end - time.monotonic(), 1.0))
        places = whole_plan(self.problem, k, deadline, time_limit_s=limit)
        return None if places is None else self.checked(names(self.problem, places), k, deadline)

    def look(self, k: int, deadline: float, curve: Curve, place: int, *, kicks: int = 2, sets: int = 3) -> Found | None:
        best: Found | None = None
        lower = float(curve.lower_usd[place])
        for number_, columns in enumerate(self._sets(k, curve, place, sets)):
            if best is not None and (best.cost <= lower * (1 + 1e-6) or best.cost <= self._fluid(curve, columns, place)):
                continue
            if number_ and time.monotonic() > self.end:
                break
            for margin in (1.0, 1 - 1e-9):  # the second when rational arithmetic finds the first a hair too late
                exchange = Exchange(self.problem, columns, deadline * margin, self.seed + number_,
                                    self._allowed if self.problem.unequal else None)
                state = self._start(exchange)
                if state is None:
                    break
                state = exchange.run(state, kicks, lower * (1 + 1e-4), self.end)
                if exchange.late(state):
                    break
                places = [exchange.places(state, r) for r in range(len(self.problem.rows))]
                found = self.checked(names(self.problem, places), k, deadline)
                if found is not None:
                    best = found if best is None or found.figures.cost_usd < best.figures.cost_usd else best
                    break
        return best

    def _sets(self, k: int, curve: Curve, place: int, count: int) -> list[tuple[int, ...]]:
        chosen = curve.best_sets(place, count)
        for other in self._diverse if self.problem.unequal else ():
            deadlines = curve.deadlines[place:place + 1]
            columns = [self.problem.nodes.index(node) for node in other.nodes]
            best = Fluid(other, k).curve(deadlines, most=60).best_sets(0, 2)
            chosen += [tuple(columns[c] for c in one) for one in best]
        return list(dict.fromkeys(chosen))

    def _fluid(self, curve: Curve, columns: tuple[int, ...], place: int) -> float:
        """What no plan on these nodes undercuts."""
        known = curve.fluid_usd[curve.sets.index(columns), place] if columns in curve.sets else 0.0
        return float(known) * (1 - 1e-9)

    @cached_property
    def _diverse(self) -> list[Problem]:
        """The problem with one node for each trust domain only: the cheapest, the fastest, and one between."""
        problem = self.problem
        usd = problem.seconds * problem.usd_per_s
        found = []
        for weight in (0.0, 0.5, 1.0):
            score = weight * problem.seconds / problem.seconds.max() + (1 - weight) * usd / max(float(usd.max()), 1e-300)
            chosen: dict[str, int] = {}
            for j in np.lexsort((problem.seconds, score)).tolist():
                if not problem.trusted[j]:
                    chosen.setdefault(problem.nodes[j].trust_domain, j)
            kept = sorted([*chosen.values(), *np.flatnonzero(problem.trusted).tolist()])
            found.append(Problem(tuple(problem.nodes[j] for j in kept), problem.workload, problem.limits, problem.own))
        return found

    # -- rules of slides

    @cached_property
    def _rows_of(self) -> dict[int, list[int]]:
        rows: dict[int, list[int]] = {}
        for r, row in enumerate(self.problem.rows):
            rows.setdefault(row.slide, []).append(r)
        return rows

    def _allowed(self, exchange: Exchange, state: State, r: int, places: Places) -> bool:
        w = self.problem.rows[r].slide
        others: Places = {}
        for other in self._rows_of[w]:
            if other != r:
                others |= exchange.places(state, other)
        return keeps(self.problem, w, others | places)

    def _start(self, exchange: Exchange) -> State | None:
        target = exchange.target()
        if not self.problem.unequal:
            return exchange.start(target)
        return exchange.careful_start(target)

    # -- judging

    def checked(self, assignment: tuple[tuple[str | None, ...], ...], k: int, deadline: float) -> Found | None:
        """With its exact figures; None where it breaks a limit other than the budget."""
        problem, limits = self.problem, self.problem.limits
        asked = Limits(k, None, None if math.isinf(deadline) else deadline, limits.max_share, limits.max_pair_leak,
                       limits.egress_mbps, limits.regions)
        found = Found(assignment, figures(self.by_id, problem.workload, assignment, limits.egress_mbps))
        return None if violations(self.by_id, problem.workload, assignment, asked, problem.own, found.figures) else found

    def within_budget(self, found: Found) -> bool:
        budget = self.problem.limits.budget_usd
        return budget is None or found.figures.cost_usd <= number(float(budget))

    def _whole(self, places: Places) -> tuple[tuple[str | None, ...], ...]:
        size = len(self.problem.slides[0].fragments)
        return (tuple(self.problem.nodes[places[i]].id if i in places else None for i in range(size)),)

    def plan(self, found: Found, lower: float) -> Plan:
        """The reported plan. `lower`: of any plan with as many nodes within its makespan."""
        cost = found.cost
        if lower > cost * (1 + 1e-7) + 1e-12:
            raise RuntimeError(f"The bound of {lower!r} USD is above a plan of {cost!r} USD: this is a mistake in the planner.")
        lower = min(max(lower, 0.0), cost)
        views, share = [], 0.0
        for slide, places in zip(self.problem.slides, found.assignment, strict=True):
            columns = {i: self._column[name] for i, name in enumerate(places) if name is not None}
            parties = parties_of(self.problem.nodes, slide, columns)
            share = max(share, float(largest_share(slide, parties)))
            if slide.touching4 and slide.touching8:
                views.append(view(slide, parties))
        gap = (cost - lower) / cost if cost else 0.0
        return Plan(found.assignment, found.nodes, cost, found.makespan, lower, gap, worst_view(views), share)

    @cached_property
    def _column(self) -> dict[str, int]:
        return {node.id: j for j, node in enumerate(self.problem.nodes)}
