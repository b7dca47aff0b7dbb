"""The two questions: the cheapest plan for a deadline, and the front of plans within limits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from .apart import Apart
from .errors import PlannerError
from .exploring import explore
from .model import Front, Limits, Node, Plan, Workload
from .problem import most_nodes, problem_of
from .relaxing import refused, slide_refusal
from .solving import Solver


class Undecided(PlannerError):
    """No plan was found in the time given, and none is proven not to exist."""


def plan_front(
    nodes: Iterable[Node], workload: Workload, limits: Limits | None = None, *, own_node_per_fragment: bool = True,
    time_limit_s: float | None = None, seed: int = 0, progress: Callable[[float], None] | None = None,
) -> Front:
    """Plans of which none is better in untrusted nodes, cost and makespan at once, within the limits.

    One slide: the whole front where the search is exact (`certified_hypervolume` is 1). Many: each plan with its proven gap, and
    the proven share of the greatest hypervolume. Without a limit on nodes, up to eight more than the fewest that can do it.
    `time_limit_s` bounds the refinement; the same seed without a time limit gives the same front. `progress` is told what part
    of the work is done, from 0 to 1.
    """
    _time(time_limit_s)
    problem = problem_of(nodes, workload, limits, own_node_per_fragment)
    solver = Solver(problem, seed, time_limit_s)
    impossible = slide_refusal(problem)
    if impossible is None:
        front = explore(solver, time_limit_s, progress)
        if front.plans:
            return front
    return refused(solver, impossible, time_limit_s)


def cheapest(
    nodes: Iterable[Node], workload: Workload, *, max_nodes: int, deadline_s: float, own_node_per_fragment: bool = True,
    time_limit_s: float | None = None, seed: int = 0, limits: Limits | None = None,
) -> Plan | None:
    """The cheapest plan with at most `max_nodes` untrusted nodes by the deadline (infinite: whenever). None: proven to be none.

    `limits`: the others (budget, shares, egress, regions). Raises Undecided where nothing was found and nothing proven.
    """
    _time(time_limit_s)
    if isinstance(deadline_s, bool) or not isinstance(deadline_s, int | float) or math.isnan(deadline_s) or deadline_s < 0:
        raise PlannerError(f"`deadline_s` must be 0 or more; this is {deadline_s!r}.")
    within = replace(limits or Limits(), max_nodes=max_nodes, deadline_s=None if math.isinf(deadline_s) else deadline_s)
    problem = problem_of(nodes, workload, within, own_node_per_fragment)
    if slide_refusal(problem) is not None:
        return None
    solver = Solver(problem, seed, time_limit_s)
    solver.apart = Apart(problem, math.inf if time_limit_s is None else time.monotonic() + time_limit_s / 5)
    found, lower = solver.best(most_nodes(problem), float(deadline_s))
    budget = math.inf if within.budget_usd is None else within.budget_usd
    if found is not None and solver.within_budget(found):
        return solver.plan(found, lower)
    if math.isinf(lower) or lower > budget:
        return None
    raise Undecided(f"No plan with at most {max_nodes} nodes by {deadline_s:g} s was found, and none is proven impossible"
                    + ("." if math.isinf(budget) else f": the bound is {lower:.6g} USD, the budget {budget:g} USD.")
                    + " Give it more time, or a looser limit.")


def _time(time_limit_s: float | None) -> None:
    if time_limit_s is not None and (isinstance(time_limit_s, bool) or not time_limit_s > 0):
        raise PlannerError(f"`time_limit_s` must be above 0; this is {time_limit_s!r}.")
