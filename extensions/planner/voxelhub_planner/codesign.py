"""Choosing the split for the nodes: with shares that fit the machines, cost and makespan are a linear programme's.

Where a share may be at most s, the m largest fragments of all slides hold at most min(m · s, 1) of all patches: the fluid
relaxation with exactly this f is then no relaxation, but the answer, up to whole patches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .errors import PlannerError
from .exploring import undominated
from .fluid import Fluid, latest_needed
from .model import Limits, Node, Plan, Slide, Workload
from .problem import Floats, Problem, deadline_of, most_nodes, problem_of
from .search import Exchange
from .solving import Found, Solver

MOST_SHARE = 0.45  # on slides of ordinary shape, so much fits a fragment without two patches that share an edge
DEADLINES = 120


@dataclass(frozen=True)
class Design:
    """`split(cells, 'quota', shares=design.shares)` makes the fragments; the plan says on which node each of them runs."""

    shares: tuple[float, ...]
    workload: Workload
    plan: Plan


def codesign(
    nodes: Iterable[Node], patches: Sequence[int], kb_per_patch: float, limits: Limits | None = None, *,
    names: Sequence[str] | None = None,
) -> Design | None:
    """The cheapest design within the limits, and the fastest of the cheapest; None: proven that there is none.

    `patches`: of each slide. `limits.max_share`: default 0.45. Limits on what parties see together are not taken here.
    """
    front = codesign_front(nodes, patches, kb_per_patch, limits, names=names)
    return min(front, key=lambda one: (one.plan.cost_usd, one.plan.makespan_s), default=None)


def codesign_front(
    nodes: Iterable[Node], patches: Sequence[int], kb_per_patch: float, limits: Limits | None = None, *,
    names: Sequence[str] | None = None,
) -> tuple[Design, ...]:
    """Designs of which none is better in nodes, cost and makespan at once."""
    limits = limits or Limits()
    share = min(MOST_SHARE if limits.max_share is None else limits.max_share, MOST_SHARE)
    if limits.max_pair_leak is not None:
        raise PlannerError("Co-design takes no `max_pair_leak`: measure the split it gives with `leakage`.")
    if not share:
        raise PlannerError("`max_share` is 0: nothing could be placed.")
    problem = problem_of(nodes, _finest(patches, kb_per_patch, share, names), limits, True)
    if not problem.linear:
        raise PlannerError("Co-design takes no set-up times, billing periods or minimum charges.")
    by_found = {}
    for k in range(1, most_nodes(problem) + 1):
        for deadline, columns in _questions(problem, k):
            one = _whole(problem, deadline, columns, share)
            if one is not None:
                by_found[one[0]] = one
    solver = Solver(problem)
    kept = [one for one in undominated(list(by_found)) if solver.within_budget(one)]
    lower: dict[Found, float] = {}
    for k in {one.nodes for one in kept}:
        of_k = sorted((one for one in kept if one.nodes == k), key=lambda one: one.makespan)
        curve = Fluid(problem, k).curve(np.array([one.makespan for one in of_k]) * (1 + 1e-12))
        lower |= {one: curve.at(one.makespan) for one in of_k}
    return tuple(Design(tuple(by_found[one][2]), by_found[one][1].workload, Solver(by_found[one][1]).plan(one, lower[one]))
                 for one in kept)


def _finest(patches: Sequence[int], kb_per_patch: float, share: float, names: Sequence[str] | None) -> Workload:
    """Slides in the fragments that `share` allows at most: their f is the one above."""
    called = list(names) if names is not None else [f"slide-{w + 1}" for w in range(len(patches))]
    slides = []
    for name, count in zip(called, patches, strict=True):
        if isinstance(count, bool) or count != int(count) or count < 1:
            raise PlannerError(f"Slide {name}: the number of patches is a whole number above 0; this is {count!r}.")
        largest = max(int(share * count), 1)
        whole, rest = divmod(int(count), largest)
        slides.append(Slide(name, (largest,) * whole + ((rest,) if rest else ())))
    return Workload(tuple(slides), kb_per_patch)


def _questions(problem: Problem, k: int) -> Iterable[tuple[float, tuple[int, ...]]]:
    """Deadlines with the sets of nodes that are best for them."""
    earliest, flat = latest_needed(problem, k)
    last = min(deadline_of(problem), flat)
    if not math.isfinite(earliest) or earliest > last * (1 + 1e-9):
        return
    deadlines = np.unique(np.append(np.geomspace(earliest * (1 + 1e-6), max(last, earliest * (1 + 1e-6)), DEADLINES), last))
    curve = Fluid(problem, k).curve(deadlines)
    seen = set()
    for place, deadline in enumerate(deadlines.tolist()):
        for columns in curve.best_sets(place, 1):
            yield deadline, columns
            if columns not in seen:  # and the fastest that these nodes can be
                seen.add(columns)
                own = Problem(tuple(problem.nodes[j] for j in columns), problem.workload, problem.limits, True)
                yield latest_needed(own, len(columns))[0] * (1 + 1e-6), columns


def _whole(
    problem: Problem, deadline: float, columns: tuple[int, ...], share: float,
) -> tuple[Found, Problem, list[float]] | None:
    """The fluid plan in whole patches; a hair faster where rounding makes it late."""
    last = deadline_of(problem)
    for margin in (1.0, 1 - 1e-5, 1 - 1e-3):
        load = Exchange(problem, columns, deadline * margin, 0).target()
        if load.sum() < problem.patches * (1 - 1e-9):
            continue
        used = [c for c in np.argsort(-load, kind="stable").tolist() if load[c] > 0.5]
        shares = load[used] / load[used].sum()
        rounded = _rounded(problem, shares, share)
        if rounded is None:
            return None
        slides = tuple(Slide(slide.id, tuple(row)) for slide, row in zip(problem.slides, rounded, strict=True))
        whole = Problem(problem.nodes, Workload(slides, problem.workload.kb_per_patch), problem.limits, True, problem.given)
        ids = [problem.nodes[columns[c]].id for c in used]
        assignment = tuple(tuple(name if n else None for name, n in zip(ids, slide.fragments, strict=True)) for slide in slides)
        found = Solver(whole).checked(assignment, len(used), last)
        if found is not None:
            return found, whole, [float(one) for one in shares]
    return None


def _rounded(problem: Problem, shares: Floats, most_share: float) -> list[list[int]] | None:
    """Patches per slide and fragment: each slide's sum exact, none above the share allowed, running totals near their shares."""
    done, owed = np.zeros(len(shares)), 0
    rows = []
    for slide in problem.slides:
        count = sum(slide.fragments)
        most = max(int(most_share * count), 1)
        owed += count
        wanted = np.clip(shares * owed - done, 0, most)
        row = np.floor(wanted).astype(int)
        while row.sum() > count:
            row[np.argmax(row - wanted)] -= 1
        while row.sum() < count:
            room = np.flatnonzero(row < most)
            if not len(room):
                return None
            row[room[np.argmax((shares * owed - done - row)[room])]] += 1
        done += row
        rows.append([int(n) for n in row])
    return rows
