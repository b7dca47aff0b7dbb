"""Each slide by itself, exactly: a start for plans of a few slides, and a bound that the fluid relaxation does not give.

A plan does for each slide no better than that slide alone could do with as many nodes by the same deadline. So no plan costs less
than the slides' own least costs added up, rounding and minimum charges left out, which several slides on one node share; nor less
than the dearest slide's own least cost, with them. Limits on what is shown, regions and whole fragments are in both.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .exhausting import GaveUp
from .model import Workload
from .one import OneSlide, Places, solvable
from .problem import Floats, Problem

MOST_SLIDES = 20  # of more, the fluid relaxation is close, and the search by exchanges finds better plans
HARD_SLIDES = 4  # the same where limits make each slide a search of its own
HARD_QUESTIONS = 8  # deadlines that are asked of such a slide
BELOW = 1 - 1e-9  # bounds are computed in double precision


@dataclass(frozen=True)
class Steps:
    """A slide's front, slowest and cheapest first; `whole`: nothing is faster than its last."""

    places: tuple[Places, ...]
    makespans: tuple[float, ...]
    costs: tuple[float, ...]
    whole: bool

    def least(self, deadlines: Floats) -> Floats:
        """No plan of this slide by the deadline costs less."""
        found = np.full(len(deadlines), math.inf if self.whole else self.costs[-1] if self.costs else 0.0)
        for makespan, cost in zip(reversed(self.makespans), reversed(self.costs), strict=True):
            found[makespan <= deadlines * (1 + 1e-9)] = cost
        return found


class Apart:
    def __init__(self, problem: Problem, end: float = math.inf) -> None:
        """`end`: by then (time.monotonic) no further question is asked."""
        self.problem, self.end = problem, end
        self._known: dict[tuple[int, int, bool], Steps] = {}

    @cached_property
    def worth_it(self) -> bool:
        problem = self.problem
        hard = problem.unequal or bool(problem.shared_line_s)
        return 1 < len(problem.slides) <= (HARD_SLIDES if hard else MOST_SLIDES) and all(
            solvable(self._alone(w, False)) for w in range(len(problem.slides)))

    def lower(self, k: int, deadlines: Floats) -> Floats:
        """USD that no plan with at most k untrusted nodes by each deadline undercuts; infinite: there is none."""
        total, dearest = np.zeros(len(deadlines)), np.zeros(len(deadlines))
        if self.worth_it:
            for w in range(len(self.problem.slides)):
                total += self.steps(w, k, False).least(deadlines)
                if not self.problem.linear:
                    dearest = np.maximum(dearest, self.steps(w, k, True).least(deadlines))
        found: Floats = np.maximum(total, dearest) * BELOW
        return found

    def patterns(self, w: int, most: int) -> list[Places]:
        """What slide `w` alone would do with up to `most` nodes; empty where that was not found out."""
        found = {tuple(sorted(places.items())): places
                 for k in range(min(most, self._fragments(w)) + 1) for places in self.steps(w, k, True).places}
        return list(found.values())

    def steps(self, w: int, k: int, charged: bool) -> Steps:
        """`charged`: with billing periods and minimum charges."""
        key = w, min(k, self._fragments(w)), charged and bool(self.problem.billing.any() or self.problem.minimum.any())
        if key not in self._known:
            self._known[key] = self._front(*key)
        return self._known[key]

    def _fragments(self, w: int) -> int:
        return sum(n > 0 for n in self.problem.slides[w].fragments)

    def _alone(self, w: int, charged: bool) -> Problem:
        problem = self.problem
        nodes = problem.nodes
        if not charged:
            nodes = tuple(replace(node, billing_s=0.0, minimum_charge_usd=0.0) for node in nodes)
        return Problem(nodes, Workload((problem.slides[w],), problem.workload.kb_per_patch), problem.limits, problem.own,
                       problem.given)

    def _front(self, w: int, k: int, charged: bool) -> Steps:
        alone = self._alone(w, charged)
        one = OneSlide(alone, k)
        most = math.inf if one.plain else HARD_QUESTIONS
        places: list[Places] = []
        makespans: list[float] = []
        costs: list[float] = []
        below = math.inf
        try:
            while len(places) < most and time.monotonic() < self.end:
                found = one.cheapest(below, strict=True)
                if found is None:
                    return Steps(tuple(places), tuple(makespans), tuple(costs), True)
                below = one.makespan(found)
                places.append(found)
                makespans.append(below)
                costs.append(_cost(alone, found))
        except GaveUp:
            pass
        return Steps(tuple(places), tuple(makespans), tuple(costs), False)


def seconds_of(problem: Problem, w: int, places: Places) -> Floats:
    """Of each node."""
    spent = np.zeros(len(problem.nodes))
    for i, j in places.items():
        spent[j] += problem.setup[j] + problem.slides[w].fragments[i] * problem.seconds[j]
    return spent


def _cost(alone: Problem, places: Places) -> float:
    return float(alone.bill(np.arange(len(alone.nodes)), seconds_of(alone, 0, places)).sum())
