"""The bound against linear programmes, on every choice of nodes; and the hypervolume against counting boxes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from voxelhub_planner import Limits, Node, Slide, Workload
from voxelhub_planner.fluid import Fluid, latest_needed, skyband
from voxelhub_planner.hypervolume import Reference, hypervolume
from voxelhub_planner.problem import Problem, problem_of

NODES = st.lists(st.tuples(st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0]), st.sampled_from([0.0, 0.0, 1.0, 2.0, 5.0, 9.0]),
                           st.sampled_from([False, False, False, True])), min_size=1, max_size=6)
SLIDES = st.lists(st.lists(st.integers(1, 20), min_size=1, max_size=3), min_size=1, max_size=3)


def problem(nodes: list[tuple[float, float, bool]], slides: list[list[int]], own: bool) -> Problem:
    listed = [Node(f"n{j}", f"d{j}", speed, trusted, price) for j, (speed, price, trusted) in enumerate(nodes)]
    return problem_of(listed, Workload(tuple(Slide(f"s{w}", tuple(one)) for w, one in enumerate(slides)), 1.0), Limits(), own)


def fractional(one: Problem, columns: tuple[int, ...], deadline: float) -> float:
    """The linear programme, written down: x[row, fragment, column] ≥ 0."""
    items = [(r, size) for r, row in enumerate(one.rows) for size in row.sizes]
    width, count = len(columns), len(items) * len(columns)
    if not width:
        return math.inf
    seconds, usd = one.seconds[list(columns)], (one.seconds * one.usd_per_s)[list(columns)]
    cost = np.concatenate([size * usd for _, size in items])
    equal = np.kron(np.eye(len(items)), np.ones(width))
    late = np.zeros((width, count))
    for n, (_, size) in enumerate(items):
        for c in range(width):
            late[c, n * width + c] = size * seconds[c]
    above, most = [late], [np.full(width, deadline)]
    for r in range(len(one.rows)):
        table = np.zeros((width, count))
        for n, (row, _) in enumerate(items):
            if row == r:
                table[np.arange(width), n * width + np.arange(width)] = 1
        above.append(table)
        most.append(np.ones(width))
    answer = linprog(cost, np.concatenate(above), np.concatenate(most), equal, np.ones(len(items)))
    return float(answer.fun) if answer.success else math.inf


@settings(deadline=None, max_examples=80)
@given(NODES, SLIDES, st.booleans(), st.integers(0, 5), st.sampled_from([3.0, 8.0, 15.0, 30.0, 200.0]))
def test_the_bound_is_the_best_linear_programme(
    nodes: list[tuple[float, float, bool]], slides: list[list[int]], own: bool, k: int, deadline: float,
) -> None:
    one = problem(nodes, slides, own)
    trusted, untrusted = np.flatnonzero(one.trusted).tolist(), np.flatnonzero(~one.trusted).tolist()
    expected = min(fractional(one, (*trusted, *chosen), deadline)
                   for n in range(min(k, len(untrusted)) + 1) for chosen in itertools.combinations(untrusted, n))
    curve = Fluid(one, k).curve(np.array([deadline]), tolerance=0.0)
    assert float(curve.lower_usd[0]) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    earliest, _ = latest_needed(one, k)
    if math.isfinite(expected):
        assert earliest <= deadline * (1 + 1e-9)


@settings(deadline=None, max_examples=40)
@given(NODES, SLIDES, st.integers(1, 4), st.integers(0, 6))
def test_a_bound_that_was_not_worked_out_to_the_end_is_still_one(
    nodes: list[tuple[float, float, bool]], slides: list[list[int]], k: int, most: int,
) -> None:
    one = problem(nodes, slides, True)
    deadlines = np.linspace(1, 60, 30)
    rough, full = (Fluid(one, k).curve(deadlines, tolerance=0.0, most=n).lower_usd for n in (most, 10_000))
    assert (rough <= full * (1 + 1e-9) + 1e-12).all()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=12), st.integers(1, 4))
def test_the_skyband_leaves_out_what_k_others_beat(nodes: list[tuple[int, int]], k: int) -> None:
    seconds, usd = np.array(nodes, float).T
    kept = skyband(seconds, usd, k)
    for j in range(len(nodes)):
        beats = sum((seconds[i], usd[i], i) != (seconds[j], usd[j], j) and seconds[i] <= seconds[j] and usd[i] <= usd[j]
                    for i in range(len(nodes)))
        assert j in kept or beats >= k
        strictly = sum(seconds[i] <= seconds[j] and usd[i] <= usd[j] and (seconds[i], usd[i]) != (seconds[j], usd[j])
                       for i in range(len(nodes)))
        assert j not in kept or strictly < k


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 8), st.integers(0, 8)), max_size=7))
def test_hypervolume_counts_boxes(points: list[tuple[int, int, int]]) -> None:
    """Integer points: the volume is the number of unit boxes that some point dominates."""
    boxes = sum(any(n <= k and usd <= c and s <= t for n, usd, s in points)
                for k in range(5) for c in range(8) for t in range(8))
    assert hypervolume([(n, float(c), float(t)) for n, c, t in points], Reference(4, 8.0, 8.0)) == pytest.approx(boxes)
