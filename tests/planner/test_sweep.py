"""One slide: the sweep against brute force, against linear assignment, and its own promises."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voxelhub_planner import PlannerError, matrix_front
from voxelhub_planner.sweep import sweep_front

SIZES = st.lists(st.integers(0, 40), min_size=1, max_size=4)
NODES = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 20)), min_size=1, max_size=6)


def brute(sizes: list[int], nodes: list[tuple[int, int]]) -> list[tuple[Fraction, Fraction]]:
    """The undominated (cost, makespan) over every assignment to distinct nodes, in exact arithmetic."""
    real = [size for size in sizes if size]
    found = set()
    for chosen in itertools.permutations(nodes, len(real)):
        cost = sum((Fraction(size * b) for size, (_, b) in zip(real, chosen, strict=True)), Fraction(0))
        found.add((cost, max((Fraction(size * a) for size, (a, _) in zip(real, chosen, strict=True)), default=Fraction(0))))
    front: list[tuple[Fraction, Fraction]] = []
    for cost, makespan in sorted(found):
        if not front or makespan < front[-1][1]:
            front.append((cost, makespan))
    return front


@settings(deadline=None, max_examples=200)
@given(SIZES, NODES)
def test_the_sweep_is_the_whole_front(sizes: list[int], nodes: list[tuple[int, int]]) -> None:
    front = sweep_front(sizes, [a for a, _ in nodes], [b for _, b in nodes])
    if not any(sizes):
        return
    assert [(Fraction(one.cost_usd), Fraction(one.makespan_s)) for one in front] == brute(sizes, nodes)
    for one in front:  # and the plan is what it says
        used = [j for j in one.nodes if j >= 0]
        assert len(set(used)) == len(used) == sum(size > 0 for size in sizes)
        assert one.cost_usd == sum(size * nodes[j][1] for size, j in zip(sizes, one.nodes, strict=True) if j >= 0)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), NODES)
def test_linear_assignment_agrees(sizes: list[int], nodes: list[tuple[int, int]]) -> None:
    times = np.outer(sizes, [a for a, _ in nodes])
    costs = np.outer(sizes, [b for _, b in nodes])
    front = [(one.cost_usd, one.makespan_s) for one in sweep_front(sizes, [a for a, _ in nodes], [b for _, b in nodes])]
    assert matrix_front(times, costs) == front


def test_too_few_nodes_have_no_plan() -> None:
    assert sweep_front([3, 2], [1.0], [1.0]) == []
    assert matrix_front([[1.0], [2.0]], [[1.0], [1.0]]) == []


@pytest.mark.parametrize("bad", [[[math.nan]], [[-1.0]], [1.0, 2.0]])
def test_a_bad_matrix_is_refused(bad: object) -> None:
    with pytest.raises(PlannerError):
        matrix_front(bad, bad)  # type: ignore[arg-type]
