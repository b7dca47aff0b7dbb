"""What each slide alone must cost: a bound against every assignment, and tighter than the fluid relaxation where that is weak."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.brute import outcome
from voxelhub_planner import Limits, Node, Slide, Workload, cheapest, example_prices, slide_of, split
from voxelhub_planner.apart import MOST_SLIDES, Apart
from voxelhub_planner.exact import violations
from voxelhub_planner.problem import problem_of
from voxelhub_planner.solving import Solver

NODES = st.lists(st.tuples(
    st.sampled_from([1.0, 2.0, 4.0]), st.sampled_from([0.0, 1.0, 3.0]), st.sampled_from("abc"),
    st.sampled_from([False, False, True]), st.sampled_from([0.0, 2.0]), st.sampled_from([0.0, 10.0, 3600.0]),
    st.sampled_from([0.0, 0.002])), min_size=3, max_size=4)
SIZES = st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=3), min_size=2, max_size=2)
COUNTS = ((1, 3, 2), (0, 1, 4), (0, 0, 2))


def slide(name: str, sizes: list[int]) -> Slide:
    """Which patches touch is made up, as for any slide."""
    table = tuple(row[:len(sizes)] for row in COUNTS[:len(sizes)])
    return Slide(name, tuple(sizes), table, table)


@settings(deadline=None, max_examples=15)
@given(NODES, SIZES, st.sampled_from([Limits(), Limits(max_pair_leak=0.5), Limits(max_share=0.6)]), st.booleans(),
       st.sampled_from([4.0, 9.0, 40.0]), st.integers(0, 4))
def test_no_assignment_undercuts_it(
    values: list[tuple[float, float, str, bool, float, float, float]], sizes: list[list[int]], limits: Limits, own: bool,
    deadline: float, k: int,
) -> None:
    nodes = [Node(f"n{j}", domain, speed, trusted, price, setup_s=setup, billing_s=billing, minimum_charge_usd=least)
             for j, (speed, price, domain, trusted, setup, billing, least) in enumerate(values)]
    work = Workload(tuple(slide(f"s{w}", one) for w, one in enumerate(sizes)), 1e-9)
    by_id, asked = {node.id: node for node in nodes}, replace(limits, max_nodes=k, deadline_s=deadline)
    every = range(len(nodes))
    ways = [list(itertools.permutations(every, len(one)) if own else itertools.product(every, repeat=len(one))) for one in sizes]
    least = math.inf
    for pair in itertools.product(*ways):
        found = outcome(nodes, work, {(w, i): j for w, way in enumerate(pair) for i, j in enumerate(way)})
        cheaper = found.nodes <= k and found.makespan <= deadline and float(found.cost) < least
        if cheaper and not violations(by_id, work, tuple(tuple(nodes[j].id for j in way) for way in pair), asked, own):
            least = float(found.cost)
    lower = float(Apart(problem_of(nodes, work, limits, own)).lower(k, np.array([deadline]))[0])
    assert lower <= least * (1 + 1e-12)


@pytest.mark.parametrize(("billing", "setup", "deadline", "times"), [
    (0.0, 0.0, 13.0, 2), (60.0, 0.0, 13.0, 4), (3600.0, 0.0, 13.0, 4), (0.0, 5.0, 26.0, 1), (0.0, 5.0, 18.0, 3)])
def test_it_is_tighter_where_the_relaxation_is_weak(billing: float, setup: float, deadline: float, times: float) -> None:
    """Two slides, trusted nodes, and a deadline that they cannot meet alone: by so many times."""
    nodes = [replace(node, billing_s=billing, setup_s=setup) for node in example_prices().nodes]
    work = Workload((Slide("a", (2027, 1624, 1018, 620)), Slide("b", (430, 226, 130, 28))), 100.0)
    problem = problem_of(nodes, work, Limits(), True)
    fluid, together = Solver(problem), Solver(problem)
    together.apart = Apart(problem)
    assert together.lower(3, deadline) >= times * fluid.lower(3, deadline)
    plan = cheapest(nodes, work, max_nodes=5, deadline_s=deadline, time_limit_s=2.0)
    assert plan is not None
    assert fluid.lower(5, deadline) <= plan.lower_bound_usd <= plan.cost_usd


def test_limits_on_pairs_enter_the_bound() -> None:
    y, x = np.mgrid[:14, :14]
    cells = np.stack([x.ravel(), y.ravel()], axis=1)
    work = Workload(tuple(slide_of(f"s{w}", cells, split(cells, "lattice4", seed=w)) for w in range(2)), 1e-9)
    nodes = [Node(f"n{j}", f"d{j // 2}", 4.0 + 3 * j, price_usd_per_hour=0.4 + 0.9 * j) for j in range(8)]
    problem = problem_of(nodes, work, Limits(max_pair_leak=0.2), True)
    fluid, together = Solver(problem), Solver(problem)
    together.apart = Apart(problem)
    assert together.lower(4, 60.0) > 1.02 * fluid.lower(4, 60.0)


def test_it_keeps_to_its_time_and_its_size() -> None:
    nodes = [Node(f"n{j}", f"d{j}", 4.0 + j, price_usd_per_hour=1.0 + j) for j in range(5)]
    work = Workload(tuple(Slide(f"s{w}", (9, 8, 7)) for w in range(2)), 1e-9)
    problem = problem_of(nodes, work, Limits(), True)
    late = Apart(problem, end=0.0)
    assert late.lower(4, np.array([1.0, 100.0])).tolist() == [0.0, 0.0]
    assert late.patterns(0, 4) == []
    many = Workload(tuple(Slide(f"s{w}", (9, 8, 7)) for w in range(MOST_SLIDES + 1)), 1e-9)
    assert Apart(problem_of(nodes, many, Limits(), True)).lower(4, np.array([1.0])).tolist() == [0.0]
    assert Apart(problem).lower(2, np.array([100.0])).tolist() == [math.inf]  # three fragments, two nodes
