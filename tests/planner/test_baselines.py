"""The methods for comparison answer with real plans' points, never better than what is proven possible."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from support.installation import ENVS
from voxelhub_planner import Limits, Node, PlannerError, Slide, Workload, plan_front
from voxelhub_planner.baselines import Point, generic_milp, greedy, undominated
from voxelhub_planner.problem import problem_of
from voxelhub_planner.solving import Solver

NODES = [Node(f"n{j}", f"d{j}", 10.0 + 3 * j, price_usd_per_hour=float((7 * j) % 5)) for j in range(7)]
WORK = Workload(tuple(Slide(f"s{w}", (90 + 20 * w, 60 + 7 * w, 31 - w)) for w in range(4)), 1e-9)
LIMITS = Limits(max_nodes=4, budget_usd=0.2, deadline_s=40.0)


def no_better_than_proven(points: list[Point]) -> None:
    solver = Solver(problem_of(NODES, WORK, LIMITS, True))
    assert points == undominated(points)
    for nodes, usd, seconds in points:
        assert (nodes, usd, seconds) <= (4, 1e9, 1e9)
        assert usd <= 0.2
        assert seconds <= 40
        assert solver.lower(nodes, seconds * (1 + 1e-9)) <= usd * (1 + 1e-9)


def test_the_published_greedy() -> None:
    points = greedy(NODES, WORK, LIMITS)
    assert points
    no_better_than_proven(points)
    one = Workload((WORK.slides[0],), 1e-9)
    exact = [(plan.nodes, plan.cost_usd, plan.makespan_s) for plan in plan_front(NODES, one, LIMITS).plans]
    assert np.allclose(greedy(NODES, one, LIMITS), exact)  # of one slide it is the exact front


def test_the_generic_programme() -> None:
    points, took = generic_milp(NODES, WORK, LIMITS, deadlines=[25.0, 40.0], node_counts=[3, 4])
    assert len(took) == 4
    assert points
    no_better_than_proven(points)


GENETIC = """
import json, sys
from voxelhub_planner import Limits, Node, Slide, Workload
from voxelhub_planner.baselines import genetic
nodes = [Node(f"n{j}", f"d{j}", 10.0 + 3 * j, price_usd_per_hour=float((7 * j) % 5)) for j in range(7)]
work = Workload(tuple(Slide(f"s{w}", (90 + 20 * w, 60 + 7 * w, 31 - w)) for w in range(4)), 1e-9)
limits = Limits(max_nodes=4, budget_usd=0.2, deadline_s=40.0)
print(json.dumps(genetic(nodes, work, limits, method=sys.argv[1], evaluations=4000)))
"""


@pytest.mark.parametrize("method", ["nsga2", "nsga3"])
def test_genetic_search(method: str) -> None:
    """In the environment that has pymoo."""
    python = ENVS / "planner-bench" / "bin" / "python"
    if not python.exists():
        pytest.skip("the environment planner-bench is not installed; `make planner-table` installs it")
    done = subprocess.run([python, "-c", GENETIC, method], capture_output=True, text=True, check=True)
    points = [(int(nodes), usd, seconds) for nodes, usd, seconds in json.loads(done.stdout)]
    assert points
    no_better_than_proven(points)


def test_only_the_published_setting() -> None:
    with pytest.raises(PlannerError, match="published setting"):
        greedy([Node("n", "d", 1.0, setup_s=3.0)], WORK, LIMITS)
