"""Splits are proper, reproducible and equal to their definition; what they leak is in the order that the theory gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voxelhub_planner import PlannerError, leakage, split
from voxelhub_planner.colouring import greedy_colouring
from voxelhub_planner.grid import EIGHT, FOUR, touching
from voxelhub_planner.splitting import LATTICES

CELLS = st.sets(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), min_size=1, max_size=60).map(lambda s: np.array(sorted(s)))


def tissue(width: int = 90, height: int = 70, seed: int = 4) -> np.ndarray:
    """Cells of a few overlapping blobs: holes, islands and rough borders, as tissue has."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    blobs = random.uniform((0, 0, 6), (width, height, 16), (7, 3))
    field = sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * r**2)) for cx, cy, r in blobs)
    return np.argwhere((field + random.normal(0, 0.05, field.shape)).T > 0.5)


def greedy_one_by_one(cells: np.ndarray, order: list[int], offsets: tuple[tuple[int, int], ...]) -> list[int]:
    """The definition, as networkx.greedy_color does it: each in its turn takes the lowest colour that no neighbour has."""
    index = {tuple(cell): i for i, cell in enumerate(cells.tolist())}
    colours: dict[int, int] = {}
    for i in order:
        x, y = cells[i].tolist()
        around = {colours.get(index.get((x + s * dx, y + s * dy), -1)) for dx, dy in offsets for s in (1, -1)}
        colours[i] = next(colour for colour in range(10) if colour not in around)
    return [colours[i] for i in range(len(cells))]


@settings(deadline=None, max_examples=100)
@given(CELLS, st.randoms(use_true_random=False), st.sampled_from([4, 8]))
def test_greedy_colouring_is_the_definition(cells: np.ndarray, random: object, neighbours: int) -> None:
    order = list(range(len(cells)))
    random.shuffle(order)  # type: ignore[attr-defined]
    expected = greedy_one_by_one(cells, order, FOUR if neighbours == 4 else EIGHT)
    assert greedy_colouring(cells, order, neighbours).tolist() == expected


def test_greedy_colouring_is_the_definition_on_tissue() -> None:
    cells = tissue()
    order = np.random.default_rng(1).permutation(len(cells))
    for neighbours, offsets in ((4, FOUR), (8, EIGHT)):
        assert greedy_colouring(cells, order, neighbours).tolist() == greedy_one_by_one(cells, order.tolist(), offsets)


def test_greedy_colouring_is_networkxs() -> None:
    networkx = pytest.importorskip("networkx", reason="networkx, the oracle, is not installed here")
    cells = tissue()
    order = np.random.default_rng(2).permutation(len(cells)).tolist()
    for neighbours, offsets in ((4, FOUR), (8, EIGHT)):
        graph = networkx.Graph()
        graph.add_nodes_from(range(len(cells)))
        for one, other in touching(cells, offsets):
            graph.add_edges_from(zip(one.tolist(), other.tolist(), strict=True))
        theirs = networkx.greedy_color(graph, strategy=lambda graph, colors: order)
        assert greedy_colouring(cells, order, neighbours).tolist() == [theirs[i] for i in range(len(cells))]


def test_cells_far_apart_need_no_table_of_all_places() -> None:
    cells = np.array([[0, 0], [1, 1], [10**8, 10**8], [10**8 + 1, 10**8]])
    assert greedy_colouring(cells, [0, 1, 2, 3], 8).tolist() == [0, 1, 0, 1]
    assert sum(len(one) for one, _ in touching(cells, EIGHT)) == 2


@pytest.mark.parametrize("strategy", [*LATTICES, "rs8"])
def test_touching_patches_never_share_a_fragment(strategy: str) -> None:
    cells = tissue()
    labels = split(cells, strategy, seed=3)
    assert all((labels[one] != labels[other]).all() for one, other in touching(cells, EIGHT))


@pytest.mark.parametrize("strategy", LATTICES)
def test_a_lattices_fragments_are_of_one_size(strategy: str) -> None:
    counts = np.bincount(split(np.argwhere(np.ones((300, 200))), strategy))
    assert len(counts) == LATTICES[strategy][0]
    assert np.ptp(counts) / counts.mean() < 0.01


@pytest.mark.parametrize("strategy", ["lattice5", "rs4", "rs8", "even"])
def test_a_seed_gives_the_same_split(strategy: str) -> None:
    cells = tissue()
    assert np.array_equal(split(cells, strategy, seed=7), split(cells, strategy, seed=7))
    assert strategy == "lattice5" or not np.array_equal(split(cells, strategy, seed=7), split(cells, strategy, seed=8))


def test_the_order_of_what_two_parties_see() -> None:
    """As the theory has it: lattice at its minimum of a tenth, random sequential over 4 neighbours about half."""
    cells = np.argwhere(np.ones((120, 120)))
    worst = {name: leakage(cells, split(cells, name)).worst_pair for name in ("lattice5", "rs4", "rs8", "even")}
    assert worst["lattice5"] == pytest.approx(0.1, abs=0.002)
    assert worst["lattice5"] < worst["even"] < worst["rs4"]
    assert worst["rs8"] < worst["even"]
    assert 0.45 < worst["rs4"] < 0.6
    contiguous = leakage(cells, cells[:, 0] * 5 // 120)
    assert worst["even"] < contiguous.worst_pair
    assert contiguous.colocated8 > 0.9


def test_parties_that_belong_together_see_together() -> None:
    cells = tissue()
    labels = split(cells, "lattice5")
    alone, joined = leakage(cells, labels), leakage(cells, labels, ["a", "b", "c", "d", "a"])
    assert alone.colocated8 == 0
    assert joined.colocated8 > 0
    assert joined.largest_share == pytest.approx(0.4, abs=0.01)
    assert leakage(cells, labels, ["a"] * 5).worst_pair == 1


@pytest.mark.parametrize(("cells", "strategy"), [
    ([[0, 0], [0, 0]], "lattice5"), ([[0.5, 0]], "lattice5"), ([0, 1], "lattice5"), ([[0, 0]], "magic"), ([["a", "b"]], "rs4")])
def test_bad_cells_are_refused_with_a_sentence(cells: object, strategy: str) -> None:
    with pytest.raises(PlannerError, match=r"\."):
        split(cells, strategy)  # type: ignore[arg-type]
