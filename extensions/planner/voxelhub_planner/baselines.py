"""Other ways to plan, for comparison: the published greedy rebuilt, genetic search (extra `planner-bench`), a generic MILP.

Each answers with points (untrusted nodes, USD, seconds) of plans within the limits, none dominated by another. All take the
published setting: a node for each fragment, continuous billing, no set-up, nobody trusted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .errors import PlannerError
from .milp import whole_plan
from .model import Limits, Node, Workload
from .problem import Problem, deadline_of, most_nodes, problem_of
from .sweep import Point as SweepPoint
from .sweep import sweep_front

Point = tuple[int, float, float]  # untrusted nodes, USD, seconds
Assignment = tuple[tuple[str | None, ...], ...]  # node ids by slide and fragment
KEPT = 400  # combinations that the greedy product keeps after each slide


def undominated(points: Iterable[Point]) -> list[Point]:
    kept: list[Point] = []
    for one in sorted(set(points)):
        if not any(other[1] <= one[1] and other[2] <= one[2] for other in kept):
            kept.append(one)
    return kept


def within(points: Iterable[Point], limits: Limits) -> list[Point]:
    bounds = [math.inf if value is None else float(value) for value in (limits.max_nodes, limits.budget_usd, limits.deadline_s)]
    return [one for one in points if all(value <= bound for value, bound in zip(one, bounds, strict=True))]


def _published(nodes: Iterable[Node], workload: Workload, limits: Limits) -> Problem:
    problem = problem_of(nodes, workload, limits, True)
    if not problem.linear or problem.trusted.any() or problem.unequal or problem.shared_line_s:
        raise PlannerError("The methods for comparison take the published setting only: no set-up, coarse billing, trusted nodes "
                           "or limits on what is shown.")
    return problem


def greedy(nodes: Iterable[Node], workload: Workload, limits: Limits) -> list[Point]:
    """Phase two of arXiv 2401.12597: each slide's exact (cost, time) front, their product, the limits, the 3-D front.

    The whole product has too many members to list, so it is taken slide by slide and culled to its front, at most 400 members,
    after each: what the paper's seconds allow.
    """
    problem = _published(nodes, workload, limits)
    loads, _ = _product(problem, math.inf)
    return undominated(within(_points(loads, problem), limits))


def greedy_assignments(
    nodes: Iterable[Node], workload: Workload, limits: Limits, *, time_limit_s: float = math.inf,
) -> list[Assignment]:
    """The members of that product, as node ids by slide and fragment, before the limits on nodes, money and time are applied.

    Raises TimeoutError where the time does not suffice.
    """
    problem = _published(nodes, workload, limits)
    _, chosen = _product(problem, time.monotonic() + time_limit_s)
    return [tuple(tuple(problem.nodes[j].id if j >= 0 else None for j in point.nodes) for point in member) for member in chosen]


def _product(problem: Problem, end: float) -> tuple[np.ndarray, list[tuple[SweepPoint, ...]]]:
    """Members × nodes: patches on each node; and each member's point of every slide."""
    usd, count = problem.seconds * problem.usd_per_s, len(problem.nodes)
    states = np.zeros((1, count))
    members: list[tuple[SweepPoint, ...]] = [()]
    for slide in problem.slides:
        if time.monotonic() > end:
            raise TimeoutError
        front = sweep_front(slide.fragments, problem.seconds.tolist(), usd.tolist())
        if not front:
            return np.zeros((0, count)), []
        loads = np.zeros((len(front), count))
        for n, point in enumerate(front):
            for i, j in enumerate(point.nodes):
                if j >= 0:
                    loads[n, j] += slide.fragments[i]
        together = (states[:, None, :] + loads[None, :, :]).reshape(-1, count)
        kept = _culled(together, problem)
        states, members = together[kept], [(*members[i // len(front)], front[i % len(front)]) for i in kept]
    return states, members


def _points(loads: np.ndarray, problem: Problem) -> list[Point]:
    seconds = loads * problem.seconds
    costs, spans, used = (seconds * problem.usd_per_s).sum(axis=1), seconds.max(axis=1), (loads > 0).sum(axis=1)
    return list(zip(used.tolist(), costs.tolist(), spans.tolist(), strict=True))


def _culled(loads: np.ndarray, problem: Problem) -> list[int]:
    """Which of them make the front; of a long one, some."""
    points = _points(loads, problem)
    kept: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: points[i]):
        if not any(points[j][1] <= points[i][1] and points[j][2] <= points[i][2] for j in kept):
            kept.append(i)
    return kept if len(kept) <= KEPT else [kept[i] for i in np.linspace(0, len(kept) - 1, KEPT).astype(int)]


def genetic(
    nodes: Iterable[Node], workload: Workload, limits: Limits, *, method: str = "nsga2", evaluations: int = 50_000, seed: int = 0,
) -> list[Point]:
    """`method`: nsga2 or nsga3 (pymoo), on keys: which nodes, how many, and in which order they take each slide's fragments."""
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.algorithms.moo.nsga3 import NSGA3
        from pymoo.optimize import minimize
        from pymoo.util.ref_dirs import get_reference_directions
    except ImportError as error:
        raise PlannerError("NSGA needs pymoo: pip install voxelhub[planner-bench].") from error
    problem = _published(nodes, workload, limits)
    if method == "nsga2":
        algorithm: Any = NSGA2(pop_size=200)
    elif method == "nsga3":
        algorithm = NSGA3(get_reference_directions("das-dennis", 3, n_partitions=18), pop_size=200)
    else:
        raise PlannerError(f"There is no method {method!r}; there are nsga2 and nsga3.")
    found = minimize(_genetic_model(problem), algorithm, ("n_eval", evaluations), seed=seed, verbose=False)
    points = found.F if found.F is not None else np.zeros((0, 3))
    return undominated(within([(round(n), float(usd), float(s)) for n, usd, s in np.atleast_2d(points).tolist()], limits))


def _genetic_model(problem: Problem) -> Any:
    from pymoo.core.problem import Problem as Model

    rows, count, fewest, most = problem.rows, len(problem.nodes), problem.ranks, max(most_nodes(problem), problem.ranks)
    bounds = [math.inf if value is None else float(value)
              for value in (problem.limits.max_nodes, problem.limits.budget_usd, problem.limits.deadline_s)]
    limited = [i for i, bound in enumerate(bounds) if math.isfinite(bound)]

    class Placing(Model):  # type: ignore[misc]
        """Keys: 1 for the number of nodes, one per node for the choice, one per slide and node for the order."""

        def __init__(self) -> None:
            super().__init__(n_var=1 + count + len(rows) * count, n_obj=3, n_ieq_constr=len(limited), xl=0.0, xu=1.0)

        def _evaluate(self, x: np.ndarray, out: dict[str, Any], *_: object, **__: object) -> None:
            k = np.minimum(fewest + (x[:, 0] * (most - fewest + 1)).astype(int), most)
            place = np.argsort(np.argsort(-x[:, 1:count + 1], axis=1), axis=1)
            keys = np.where((place < k[:, None])[:, None, :], x[:, count + 1:].reshape(len(x), len(rows), count), 2.0)
            order = np.argsort(keys, axis=2)
            loads = np.zeros((len(x), count))
            for r, row in enumerate(rows):
                for i, size in enumerate(row.sizes):
                    loads[np.arange(len(x)), order[:, r, i]] += size
            seconds = loads * problem.seconds
            values = np.stack([(loads > 0).sum(axis=1), (seconds * problem.usd_per_s).sum(axis=1), seconds.max(axis=1)], axis=1)
            out["F"] = values
            if limited:
                out["G"] = np.stack([(values[:, i] - bounds[i]) / max(bounds[i], 1e-9) for i in limited], axis=1)

    return Placing()


def generic_milp(
    nodes: Iterable[Node], workload: Workload, limits: Limits, *, deadlines: Sequence[float], node_counts: Sequence[int],
    seconds_per_point: float = 20.0,
) -> tuple[list[Point], list[float]]:
    """The ε-constraint method over all nodes with HiGHS, one programme per point; and the seconds that each point took."""
    problem = _published(nodes, workload, limits)
    found: list[Point] = []
    took = []
    for k in node_counts:
        for deadline in deadlines:
            start = time.monotonic()
            places = whole_plan(problem, min(k, most_nodes(problem)), min(deadline, deadline_of(problem)),
                                time_limit_s=seconds_per_point)
            took.append(time.monotonic() - start)
            if places is not None:
                load = np.zeros((1, len(problem.nodes)))
                for row, chosen in zip(problem.rows, places, strict=True):
                    for i, size in zip(row.fragments, row.sizes, strict=True):
                        load[0, chosen[i]] += size
                found += _points(load, problem)
    return undominated(within(found, limits)), took
