"""Shares chosen for the nodes, and splits that have them."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from voxelhub_planner import Limits, Node, PlannerError, Workload, cheapest, leakage, slide_of, split
from voxelhub_planner.codesign import codesign, codesign_front
from voxelhub_planner.grid import FOUR, touching
from voxelhub_planner.robust import Spreading, cheapest_robust, robustness

CELLS = st.sets(st.tuples(st.integers(0, 11), st.integers(0, 11)), min_size=30, max_size=120).map(lambda s: np.array(sorted(s)))


@settings(deadline=None, max_examples=80)
@given(CELLS, st.lists(st.integers(1, 9), min_size=3, max_size=7), st.integers(0, 5))
def test_a_quota_split_has_its_shares_and_no_touching_pair(cells: np.ndarray, weights: list[int], seed: int) -> None:
    shares = np.array(weights) / sum(weights)
    try:
        labels = split(cells, "quota", shares=shares.tolist(), seed=seed)
    except PlannerError:
        parity = np.bincount(cells.sum(axis=1) % 2, minlength=2).min() / len(cells)
        assert shares.max() > 0.3 or parity < 0.45  # only large shares or ragged cells are refused
        return
    counts = np.bincount(labels, minlength=len(shares))
    assert np.abs(counts - shares * len(cells)).max() < 1
    assert all((labels[one] != labels[other]).all() for one, other in touching(cells, FOUR))


def test_a_quota_split_of_a_slide() -> None:
    cells = np.argwhere(np.hypot(*np.meshgrid(np.arange(-60, 60), np.arange(-50, 50), indexing="ij")) < 48)
    shares = [0.417, 0.314, 0.135, 0.134]
    labels = split(cells, "quota", shares=shares, seed=3)
    assert np.bincount(labels) / len(cells) == pytest.approx(shares, abs=1e-3)
    assert leakage(cells, labels).colocated4 == 0
    assert np.array_equal(labels, split(cells, "quota", shares=shares, seed=3))
    assert not np.array_equal(labels, split(cells, "quota", shares=shares, seed=4))


@pytest.mark.parametrize("shares", [None, [0.5, 0.4], [math.nan, 1.0], [-0.1, 1.1], [0.8, 0.2], []])
def test_bad_shares_are_refused(shares: list[float] | None) -> None:
    with pytest.raises(PlannerError, match=r"\."):
        split(np.argwhere(np.ones((20, 20))), "quota", shares=shares)
    with pytest.raises(PlannerError, match="shares"):
        split([[0, 0]], "lattice5", shares=[1.0])


def published() -> list[Node]:
    root = Path(os.environ.get("VOXELHUB_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    path = root / "data/planner/nodes29.json"
    if not path.exists():
        pytest.skip("the published list of 29 nodes is not here")
    return [Node(n["id"], n["location"], 200 * n["speed_rel_t4"]["value"], price_usd_per_hour=n["price_usd_per_hour"]["value"],
                 uplink_mbps=n["uplink_mbps"]["value"]) for n in json.loads(path.read_text())["nodes"]]


def test_the_published_instance_is_free_within_715_seconds() -> None:
    patches = [21_327] * 10
    design = codesign(published(), patches, 100.0, Limits(max_nodes=8, budget_usd=0.1, deadline_s=800))
    assert design is not None
    assert (design.plan.nodes, design.plan.cost_usd) == (4, 0.0)
    assert design.plan.makespan_s < 715
    assert max(design.shares) == pytest.approx(0.417, abs=0.001)
    capped = codesign(published(), patches, 100.0, Limits(max_nodes=8, deadline_s=800, max_share=0.37))
    assert capped is not None
    assert capped.plan.cost_usd == 0
    assert capped.plan.makespan_s < 772
    assert capped.plan.largest_share <= 0.37


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.sampled_from([1.0, 2.0, 5.0]), st.sampled_from([0.0, 1.0, 4.0])), min_size=3, max_size=5),
       st.sampled_from([60.0, 120.0, 400.0]), st.sampled_from([0.34, 0.4, 0.45]))
def test_no_shares_do_better(nodes: list[tuple[float, float]], deadline: float, share: float) -> None:
    """Against the linear programme over the shares, with every node allowed."""
    listed = [Node(f"n{j}", f"d{j}", speed, price_usd_per_hour=price) for j, (speed, price) in enumerate(nodes)]
    patches = [400, 300]
    seconds = np.array([1 / speed for speed, _ in nodes])
    usd = seconds * np.array([price for _, price in nodes]) / 3600
    total = sum(patches)
    answer = linprog(usd * total, None, None, [[1.0] * len(nodes)], [1.0],
                     bounds=[(0, min(share, deadline / (a * total))) for a in seconds])
    design = codesign(listed, patches, 1e-9, Limits(deadline_s=deadline, max_share=share))
    if not answer.success:
        assert design is None
    elif design is not None:  # whole patches may fail to fit where fractions just do
        assert design.plan.cost_usd == pytest.approx(answer.fun, rel=0.02, abs=1e-3)
        assert design.plan.lower_bound_usd <= answer.fun * (1 + 1e-6) + 1e-12 or design.plan.makespan_s < deadline
        assert design.plan.makespan_s <= deadline
        assert sum(design.shares) == pytest.approx(1)


def test_designs_are_what_they_say_on_real_cells() -> None:
    nodes = [Node(f"n{j}", f"d{j}", 10.0 + 7 * j, price_usd_per_hour=float(j % 3)) for j in range(6)]
    cells = np.argwhere(np.ones((50, 40)))
    for design in codesign_front(nodes, [len(cells)], 10.0, Limits(max_nodes=5)):
        slide = slide_of("s", cells, split(cells, "quota", shares=design.shares))
        assert slide.fragments == design.workload.slides[0].fragments
        assert design.plan.gap < 0.02


def test_a_promise_holds_at_the_ends_and_at_the_quantile() -> None:
    nodes = [Node(f"n{j}", f"d{j}", 10.0 + 5 * j, price_usd_per_hour=1.0, uplink_mbps=50.0) for j in range(5)]
    cells = np.argwhere(np.ones((30, 30)))
    work = Workload((slide_of("s", cells, split(cells, "lattice5")),), 100.0)
    spreads = [Spreading(f"n{j}", (25.0, 60.0), (8.0 + 5 * j, 12.0 + 5 * j)) for j in range(5)]
    plan = cheapest(nodes, work, max_nodes=5, deadline_s=60.0)
    assert plan is not None
    found = robustness(nodes, work, plan, spreads, seed=3)
    assert found.best_s < found.median_s <= found.quantile_s <= found.quantile_limit_s <= found.worst_s
    other = robustness(nodes, work, plan, spreads, seed=4, draws=50_000)
    assert other.quantile_s <= found.quantile_limit_s  # what is promised of one sample holds in another
    made = cheapest_robust(nodes, work, spreads, max_nodes=5, deadline_s=27.0)
    assert made is not None
    assert made[1].quantile_limit_s <= 27.0 < made[1].worst_s
    assert cheapest_robust(nodes, work, spreads, max_nodes=5, deadline_s=2.0) is None
    with pytest.raises(PlannerError, match="no node"):
        robustness(nodes, work, plan, [Spreading("x", (1.0, 2.0))])
    with pytest.raises(PlannerError, match="interval"):
        Spreading("n0", (3.0, 2.0))
