"""The front of plans: for each number of nodes, deadlines are asked where the proven loss of hypervolume is largest."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

import numpy as np

from .apart import Apart
from .combining import combined
from .exhausting import GaveUp, small
from .fluid import Curve, latest_needed
from .hypervolume import Reference, ceiling, hypervolume, share
from .model import Front
from .one import OneSlide, solvable
from .problem import Problem, deadline_of, most_nodes
from .solving import Found, Solver

GRID = 1000  # deadlines at which the bound is known
LATER = 40  # more of them, after the last at which the relaxation still gains
MORE_NODES = 8  # than the fewest, where the request does not say
BOUNDING = 0.3  # of the time, for the bounds
APART = 0.2  # of the time, for what each slide alone would do
# Plans looked for, for each number of nodes; the share of the hypervolume that is worth a question; how patiently.
IN_VAIN = (12, 60)  # questions in a row that bring nothing end an effort: of a small request, of others
EFFORTS = ((120, 4e-5, 0, 1), (120, 1e-5, 1, 2), (120, 3e-6, 4, 3))


def explore(solver: Solver, time_limit_s: float | None, progress: Callable[[float], None] | None = None) -> Front:
    """Without a plan: an empty front. What that proves is `relaxing`'s question."""
    problem, most = solver.problem, most_nodes(solver.problem)
    exact = _whole_front(solver, most)
    if exact is not None:
        return _front(solver, exact, 1.0 if exact else 0.0, most)
    start, limit = time.monotonic(), math.inf if time_limit_s is None else time_limit_s
    solver.apart = Apart(problem, start + limit * APART)
    fewest = next((k for k in range(most + 1) if _possible(solver, k)), None)
    if fewest is None:
        return Front((), 0.0, max_nodes=most)
    if problem.limits.max_nodes is None:
        most = min(most, fewest + MORE_NODES)
    end = start + limit
    counts = range(fewest, most + 1)
    each = limit * BOUNDING / len(counts)
    curves = {k: solver.curve(k, _grid(solver, k), start + each * (n + 1)) for n, k in enumerate(counts)}
    found = _start(solver, solver.apart, most)
    for k, curve in curves.items():
        left = end - time.monotonic()
        if progress is not None:
            progress((k - fewest) / len(counts))
        found += _Refinement(solver, k, curve, [one for one in found if one.nodes <= k]).run(
            time.monotonic() + left / (most - k + 1))
    kept = [one for one in undominated(found) if solver.within_budget(one)]
    reference = _reference(problem, most, curves, kept)
    points = [(one.nodes, one.cost, one.makespan) for one in kept]
    proven = share(hypervolume(points, reference), ceiling(curves, reference)) if kept else 0.0
    if progress is not None:
        progress(1.0)
    return _front(solver, kept, proven, most, curves, max(end, time.monotonic()) + limit / 20)


def _start(solver: Solver, apart: Apart, most: int) -> list[Found]:
    """What each slide's own best plans come to together."""
    deadline = deadline_of(solver.problem)
    found = [solver.checked(solver.named({(w, i): j for w, places in enumerate(plan) for i, j in places.items()}), most, deadline)
             for plan in combined(apart, most)]
    return undominated([one for one in found if one is not None and solver.within_budget(one)])


def _front(
    solver: Solver, found: list[Found], proven: float, most: int, curves: Mapping[int, Curve] | None = None,
    end: float = math.inf,
) -> Front:
    kept = [one for one in undominated(found) if solver.within_budget(one)]
    plans = []
    for k in sorted({one.nodes for one in kept}):
        of_k = sorted((one for one in kept if one.nodes == k), key=lambda one: one.figures.cost_usd)
        if solvable(solver.problem) and proven == 1.0:
            plans += [solver.plan(one, one.cost) for one in of_k]
            continue
        deadlines = np.array(sorted(one.makespan for one in of_k))
        curve = solver.curve(k, deadlines * (1 + 1e-12), end)
        known = (curves or {}).get(k, curve)
        plans += [solver.plan(one, max(curve.at(one.makespan), known.at(one.makespan))) for one in of_k]
    return Front(tuple(plans), proven, max_nodes=most)


def undominated(found: list[Found]) -> list[Found]:
    """Judged exactly; of equal ones the first."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda f: (f.figures.nodes, f.figures.cost_usd, f.figures.makespan_s)):
        f = one.figures
        if not any(other.figures.cost_usd <= f.cost_usd and other.figures.makespan_s <= f.makespan_s for other in kept):
            kept.append(one)
    return kept


def _possible(solver: Solver, k: int) -> bool:
    deadline, budget = deadline_of(solver.problem), solver.problem.limits.budget_usd
    lower = solver.lower(k, deadline)
    return math.isfinite(lower) and (budget is None or lower <= budget)


def _whole_front(solver: Solver, most: int) -> list[Found] | None:
    """One slide, exactly; None where that is not possible."""
    if not solvable(solver.problem):
        return None
    deadline = deadline_of(solver.problem)
    found: list[Found] = []
    try:
        for k in range(most + 1):
            for places in OneSlide(solver.problem, k).front():
                one = solver.checked(solver._whole(places), k, deadline)
                found += [] if one is None else [one]
    except GaveUp:
        return None
    return found


def _grid(solver: Solver, k: int) -> np.ndarray:
    earliest, flat = latest_needed(solver.problem, k)
    deadline = deadline_of(solver.problem)
    last = deadline if math.isfinite(deadline) else max(flat, solver.problem.patches * solver.problem.shared_line_s) * 1.01
    if not math.isfinite(earliest) or earliest >= last:
        return np.array([last])
    even = np.linspace(earliest, last, GRID)
    places = even if last < 10 * earliest else np.unique(np.concatenate([np.geomspace(earliest, last, GRID), even[1::8]]))
    surely = solver.late_enough()  # whole fragments and set-ups may need longer than the relaxation does
    if math.isfinite(deadline) or surely <= last:
        return places
    return np.concatenate([places, np.geomspace(last, surely, LATER + 1)[1:]])


def _reference(problem: Problem, most: int, curves: dict[int, Curve], found: list[Found]) -> Reference:
    limits = problem.limits
    last = deadline_of(problem)
    if not math.isfinite(last):
        last = max((one.makespan for one in found), default=1.0) * 1.1
    usd = limits.budget_usd
    if usd is None:
        usd = max((one.cost for one in found), default=0.0) * 1.1 or 1.0
    return Reference(most, float(usd), last)


class _Refinement:
    """For one number of nodes: the staircase of plans above the staircase of bounds, refined where most lies between."""

    def __init__(self, solver: Solver, k: int, curve: Curve, known: list[Found]) -> None:
        self.solver, self.k, self.curve = solver, k, curve
        finite = curve.lower_usd[np.isfinite(curve.lower_usd)]
        budget = solver.problem.limits.budget_usd
        self.top = float(budget) if budget is not None else (float(finite.max()) * 1.1 if len(finite) else 1.0) or 1.0
        self.points = [(one.makespan, one.cost) for one in known]
        self.expected = curve.lower_usd
        self.failed = -1  # the last place where nothing was found

    def run(self, end: float) -> list[Found]:
        """Quickly first, over all deadlines; then with more patience where plans and bound still differ."""
        found: list[Found] = []
        area = self.top * float(np.ptp(self.curve.deadlines)) or 1.0
        for questions, worth, kicks, sets in EFFORTS:
            self.expected = np.where(np.isfinite(self.curve.lower_usd), self.curve.lower_usd, np.inf)
            self.failed = -1
            in_vain = 0
            for n in range(questions):
                if found and time.monotonic() > end:
                    return found
                if in_vain > IN_VAIN[not small(self.solver.problem)]:
                    break
                place, gain = self._next(worth * area)
                if gain <= worth * area and (n or self.points):
                    break
                one = self._ask(place, kicks, sets)
                known = [] if one is None else [cost for makespan, cost in self.points if makespan <= one.makespan]
                in_vain = in_vain + 1 if one is None or min(known, default=math.inf) <= one.cost else 0
                if one is not None:
                    found.append(one)
                    self.points.append((one.makespan, one.cost))
        return found

    def _next(self, worth: float) -> tuple[int, float]:
        """The deadline whose rectangle up to the next plan, between known cost and bound, is largest.

        Just above a deadline that gave nothing it is halfway to the next plan: one step later would hardly give more.
        """
        while True:
            gains, following = self._gains()
            place = int(np.argmax(gains))
            if not self.points:
                return len(gains) - 1, float(gains.max())
            if place != self.failed + 1 or place == 0 or gains[place] <= worth:
                return place, float(gains[place])
            middle = (place + max(int(following[place]), place)) // 2
            if gains[middle] > worth:
                return middle, float(gains[middle])
            self.expected[:middle + 1] = np.inf
            self.failed = middle

    def _gains(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each deadline: the hypervolume that a plan at its bound would add, and the place of the next plan's makespan."""
        deadlines = self.curve.deadlines
        points = sorted(self.points)
        ends = np.append([makespan for makespan, _ in points], deadlines[-1])
        costs = np.minimum.accumulate(np.append(self.top, [min(cost, self.top) for _, cost in points]))
        after = np.searchsorted(ends[:-1], deadlines * (1 + 1e-12), side="right")
        widths = np.maximum(ends[after] - deadlines, 0.0)
        widths[-1] = max(widths[-1], 1e-6 * deadlines[-1]) if not points else widths[-1]
        gains = np.where(np.isfinite(self.expected), np.maximum(costs[after] - self.expected, 0.0), 0.0) * widths
        return gains, np.searchsorted(deadlines, ends[after], side="right") - 1

    def _ask(self, place: int, kicks: int, sets: int) -> Found | None:
        deadline = float(self.curve.deadlines[place])
        one = self.solver.look(self.k, deadline, self.curve, place, kicks=kicks, sets=sets)
        earlier = slice(None, place + 1)
        self.expected[earlier] = np.maximum(self.expected[earlier], np.inf if one is None else one.cost)
        self.failed = place if one is None else self.failed
        return one
