"""Why there is no plan, and the nearest value of each limit alone that allows one."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from .exact import number, through
from .exhausting import small
from .fluid import latest_needed
from .model import Front, Relaxation
from .problem import Problem, deadline_of, most_nodes
from .rules import Spread, parties_of
from .solving import Found, Solver
from .views import largest_share, worst_pair

PATIENCE_S = 20.0  # where the request gives no time
PRIVACY = ("max_share", "max_pair_leak")
WORDS = {
    "max_nodes": ("{:.0f} untrusted nodes", "fewer than {:.0f}"),
    "budget_usd": ("a budget of {:.6g} USD", "less than {:.6g} USD"),
    "deadline_s": ("a deadline of {:.6g} s", "less than {:.6g} s"),
    "max_share": ("a largest share of {:.4g}", "less than {:.4g}"),
    "max_pair_leak": ("a pair leakage of {:.4g}", "less than {:.4g}"),
    "egress_mbps": ("an egress of {:.6g} Mbit/s", "less than {:.6g} Mbit/s"),
}


def slide_refusal(problem: Problem) -> str | None:
    """A sentence when some slide alone cannot be spread within the limits on what is shown, by enumeration; else None."""
    if not problem.nodes:
        return "No node lies in an allowed region."
    most = most_nodes(problem)
    for w, slide in enumerate(problem.slides):
        if not (slide.regions or any(getattr(problem.limits, name) is not None for name in PRIVACY)):
            continue
        try:
            if all(Spread(_without(problem, name), w, most).least(name) is None for name in PRIVACY[:1]):
                return f"Slide {slide.id} has no pattern within `max_pair_leak`, the regions and {most} untrusted nodes."
            for name in PRIVACY:
                limit = getattr(problem.limits, name)
                if limit is None:
                    continue
                least = Spread(_without(problem, name), w, most).least(name)
                if least is None or least > _exactly(limit):
                    value = "nothing" if least is None else f"{float(least):.4g}"
                    return f"Slide {slide.id} cannot be spread so that `{name}` is {limit:g}: the least is {value}."
        except TimeoutError:
            continue
    return None


def refused(solver: Solver, impossible: str | None, time_limit_s: float | None = None) -> Front:
    """The answer without a plan: proven impossible, with what to relax; or that nothing was found and nothing is proven.

    `time_limit_s` for looking again, and as much for what to relax.
    """
    limit = PATIENCE_S if time_limit_s is None else time_limit_s
    solver.end = time.monotonic() + limit
    problem, most = solver.problem, most_nodes(solver.problem)
    proof = impossible or _proof(solver, most)
    if proof is None:
        found, _ = solver.best(most, deadline_of(problem))
        if found is not None and solver.within_budget(found):
            return Front((solver.plan(found, solver.lower(found.nodes, found.makespan)),), 0.0, max_nodes=most)
        return Front((), 0.0, None, _relaxations(problem, limit), most)
    relaxations = _relaxations(problem, limit)
    return Front((), 1.0, " ".join([proof, *_advice(relaxations)]), relaxations, most)


def _proof(solver: Solver, most: int) -> str | None:
    limits, deadline = solver.problem.limits, deadline_of(solver.problem)
    exact = len(solver.problem.slides) == 1 or small(solver.problem)
    lower = solver.best(most, deadline)[1] if exact else solver.lower(most, deadline)
    by = f" by {deadline:g} s" if math.isfinite(deadline) else ""
    if math.isinf(lower):
        return f"With at most {most} untrusted nodes nothing can be done{by}."
    if limits.budget_usd is not None and lower > limits.budget_usd:
        return (f"With at most {most} untrusted nodes{by}, nothing costs less than {lower:.6g} USD; "
                f"the budget is {limits.budget_usd:g} USD.")
    return None


def _advice(relaxations: tuple[Relaxation, ...]) -> list[str]:
    if not relaxations:
        return ["No single limit helps by being relaxed alone."]
    said = []
    for one in relaxations:
        enough, never = WORDS[one.limit]
        exact = abs(one.value - one.proven) <= 1e-9 * max(abs(one.value), 1e-12)
        said.append(f"{enough.format(one.value)}" + ("" if exact else f" ({never.format(one.proven)} is impossible)"))
    return ["One of these alone allows a plan: " + "; ".join(said) + "."]


def _relaxations(problem: Problem, time_limit_s: float) -> tuple[Relaxation, ...]:
    ways = {"max_nodes": _more_nodes, "budget_usd": _more_money, "deadline_s": _more_time, "max_share": _more_shown,
            "max_pair_leak": _more_shown, "egress_mbps": _more_egress}
    given = [name for name in ways if getattr(problem.limits, name) is not None]
    found = []
    for name in given:
        one = ways[name](_without(problem, name), name, _Search(time.monotonic() + time_limit_s / len(given)))
        found += [] if one is None else [one]
    return tuple(found)


@dataclass(frozen=True)
class _Search:
    """One limit's share of the time."""

    end: float

    def found(self, problem: Problem, k: int, deadline: float) -> tuple[Found | None, float]:
        """A plan within the budget, or None; and the bound."""
        if slide_refusal(replace(problem, limits=replace(problem.limits, max_nodes=k))) is not None:
            return None, math.inf
        solver = Solver(problem)
        solver.end = self.end
        found, lower = solver.best(k, deadline)
        return (found if found is not None and solver.within_budget(found) else None), lower

    @property
    def over(self) -> bool:
        return time.monotonic() > self.end


def _without(problem: Problem, name: str) -> Problem:
    return _with(problem, name, None)


def _with(problem: Problem, name: str, value: Any) -> Problem:
    limits = replace(problem.limits, **{name: value})
    return replace(problem, limits=limits, nodes=tuple(through(node, limits.egress_mbps) for node in problem.given))


def _more_money(problem: Problem, name: str, search: _Search) -> Relaxation | None:
    found, lower = search.found(problem, most_nodes(problem), deadline_of(problem))
    return None if found is None else Relaxation(name, found.cost, min(lower, found.cost))


def _more_nodes(problem: Problem, name: str, search: _Search) -> Relaxation | None:
    budget, proven = problem.limits.budget_usd, None
    for k in range(most_nodes(problem) + 1):
        lower = Solver(problem).lower(k, deadline_of(problem))
        if math.isinf(lower) or (budget is not None and lower > budget):
            continue
        found, exact = search.found(problem, k, deadline_of(problem))
        if proven is None and not math.isinf(exact):
            proven = k
        if found is not None:
            return Relaxation(name, k, k if proven is None else proven)
    return None


def _more_time(problem: Problem, name: str, search: _Search) -> Relaxation | None:
    most, budget = most_nodes(problem), problem.limits.budget_usd
    solver = Solver(problem)
    end = solver.late_enough()
    found, _ = search.found(problem, most, end)
    if found is None:
        return None
    earliest = latest_needed(problem, most)[0]
    grid = np.linspace(min(earliest, found.makespan), found.makespan, 400)
    lower = solver.curve(most, grid).lower_usd
    able = np.isfinite(lower) if budget is None else lower <= budget
    place = int(np.argmax(able))
    proven, low = float(grid[max(place - 1, 0)]), float(grid[place])
    for _ in range(18):
        middle = (low + found.makespan) / 2
        if found.makespan - low < 1e-4 * found.makespan or search.over:
            break
        better, _ = search.found(problem, most, middle)
        if better is None:
            low = middle
        else:
            found = better
    return Relaxation(name, found.makespan, min(proven, found.makespan))


def _more_shown(problem: Problem, name: str, search: _Search) -> Relaxation | None:
    most, deadline = most_nodes(problem), deadline_of(problem)
    least = [Spread(problem, w, most).least(name) for w in range(len(problem.slides))]
    known = [one for one in least if one is not None]
    if len(known) < len(least):
        return None
    proven = float(max(known))
    value = min(proven if _exactly(proven) >= max(known) else math.nextafter(proven, 2), 1.0)
    if search.found(_with(problem, name, value), most, deadline)[0] is not None:
        return Relaxation(name, value, proven)
    found, _ = search.found(problem, most, deadline)
    if found is None:
        return None
    shown = _shown(problem, found, name)
    for step in np.linspace(proven, shown, 8)[1:-1].tolist():
        if search.over:
            break
        better, _ = search.found(_with(problem, name, step), most, deadline)
        if better is not None:
            return Relaxation(name, min(step, _shown(problem, better, name)), proven)
    return Relaxation(name, min(math.nextafter(shown, 2), 1.0), proven)


def _shown(problem: Problem, found: Found, name: str) -> float:
    """The share or the pair leakage of a plan, of the slide that fares worst."""
    column = {node.id: j for j, node in enumerate(problem.nodes)}
    worst = 0.0
    for slide, places in zip(problem.slides, found.assignment, strict=True):
        parties = parties_of(problem.nodes, slide, {i: column[one] for i, one in enumerate(places) if one is not None})
        worst = max(worst, float(largest_share(slide, parties) if name == "max_share" else worst_pair(slide, parties)))
    return worst


def _more_egress(problem: Problem, name: str, search: _Search) -> Relaxation | None:
    """Searched by doubling and halving; what is proven: all that must be sent by the deadline."""
    deadline, most = deadline_of(problem), most_nodes(problem)
    if not math.isfinite(deadline) or search.found(problem, most, deadline)[0] is None:
        return None
    solver = Solver(problem)
    sent = max(problem.patches - float(solver._kept_at_most(np.array([deadline]))[0]), 0.0)
    proven = sent * problem.workload.kb_per_patch * 8 / 1000 / deadline
    low, high = proven, max(proven, 1e-3) * 2
    for _ in range(30):
        if _with_egress(problem, high, search) is not None:
            break
        low, high = high, high * 2
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (low, middle) if _with_egress(problem, middle, search) is not None else (middle, high)
    return Relaxation(name, high, proven)


def _with_egress(problem: Problem, mbps: float, search: _Search) -> Found | None:
    slower = _with(problem, "egress_mbps", mbps)
    return search.found(slower, most_nodes(slower), deadline_of(problem))[0]


def _exactly(value: float) -> Fraction:
    return number(float(value))
