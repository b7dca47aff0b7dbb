"""The published figures are what their formulas say; and they can be won by a split that shows more."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import contingency
from scipy.stats import entropy as scipy_entropy
from voxelhub_planner import PlannerError, leakage, split
from voxelhub_planner.paper_metrics import PaperMetrics, entropy, nmi, paper_metrics
from voxelhub_planner.sealing import decode, encode

GRID = np.argwhere(np.ones((30, 24)))
VALUES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


def figures(labels: np.ndarray, cells: np.ndarray = GRID) -> PaperMetrics:
    groups = [cells[labels == label] for label in np.unique(labels)]
    known = encode(cells, labels, bytes(32), "s")
    names = [[known.names[i] for i in np.flatnonzero(labels == label)] for label in np.unique(labels)]
    return paper_metrics(groups, names, [decode(known, one) for one in names])


@settings(deadline=None, max_examples=200)
@given(VALUES)
def test_entropy_and_nmi_are_scipys(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs).T
    table = contingency.crosstab(one, other).count
    first, second, joint = (float(scipy_entropy(found)) for found in (table.sum(axis=1), table.sum(axis=0), table.ravel()))
    assert entropy(one) == pytest.approx(first, abs=1e-12)
    expected = 2 * (first + second - joint) / (first + second) if first + second > 1e-12 else 0.0
    assert nmi(one, other) == pytest.approx(expected, abs=1e-9)


def test_gain_by_hand() -> None:
    """Two of one column become two different names: ln 2 in x, nothing in y; the fragment of one gains nothing."""
    found = paper_metrics([[[0, 0], [0, 1]], [[5, 5]]], [["a", "b"], ["c"]])
    assert found.information_gain == pytest.approx((2 / 3 * math.log(2), 0.0))
    assert found.utility is None


def test_what_is_opened_has_utility_one_and_what_is_lost_has_less() -> None:
    labels = split(GRID, "lattice5")
    assert figures(labels).utility == (1.0, 1.0)
    halved = paper_metrics([GRID], [GRID], [GRID // 2]).utility
    assert halved is not None
    assert all(0 < axis < 1 for axis in halved)


def test_the_published_match_depends_on_the_lists_order_and_the_aligned_one_does_not() -> None:
    labels = split(GRID, "rs4", seed=1)
    shuffled = np.random.default_rng(3).permutation(len(GRID))
    one, other = figures(labels), figures(labels[shuffled], GRID[shuffled])
    assert one.nmi_by_position[0] > other.nmi_by_position[0] + 0.05
    assert one.nmi_aligned == pytest.approx(other.nmi_aligned)


def test_a_split_that_shows_half_wins_all_the_published_figures() -> None:
    """Why they never steer: a checkerboard with three lone patches against the lattice."""
    lattice = split(GRID, "lattice5")
    board = GRID.sum(axis=1) % 2
    board[[0, 100, 200]] = [2, 3, 4]
    ours, theirs = figures(lattice), figures(board)
    assert all(theirs.information_gain[axis] > ours.information_gain[axis] for axis in (0, 1))
    assert all(theirs.nmi_by_position[axis] < ours.nmi_by_position[axis] for axis in (0, 1))
    assert theirs.utility == ours.utility
    assert leakage(GRID, board).worst_pair > 0.95 > 0.11 > leakage(GRID, lattice).worst_pair


@pytest.mark.parametrize(("fragments", "encoded"), [
    ([], []), ([[]], [[]]), ([[[0, 0]]], [["a", "b"]]), ([[[0, 0]]], [[[1, 2, 3]]])])
def test_bad_input_is_refused_with_a_sentence(fragments: list[object], encoded: list[object]) -> None:
    with pytest.raises(PlannerError, match=r"\."):
        paper_metrics(fragments, encoded)  # type: ignore[arg-type]
