"""Bad input is refused at the door, by the name of the field."""

from __future__ import annotations

import math

import numpy as np
import pytest
from voxelhub_planner import Limits, Node, PlannerError, Slide, Workload


@pytest.mark.parametrize(("field", "value"), [
    ("throughput_patches_per_s", 0), ("throughput_patches_per_s", math.nan), ("price_usd_per_hour", -1), ("uplink_mbps", 0),
    ("setup_s", math.inf), ("billing_s", -60), ("throughput_patches_per_s", "fast")])
def test_a_bad_node_names_its_field(field: str, value: object) -> None:
    good = {"id": "n", "trust_domain": "d", "throughput_patches_per_s": 200.0}
    with pytest.raises(PlannerError, match=field):
        Node(**(good | {field: value}))  # type: ignore[arg-type]


@pytest.mark.parametrize("fragments", [(), (0, 0), (-1, 2), (1.5,), (math.nan,), (math.inf,), ("3",), (True,), (None,)])
def test_a_bad_slide_is_refused(fragments: tuple[int, ...]) -> None:
    with pytest.raises(PlannerError, match="Slide s"):
        Slide("s", fragments)


def test_twice_the_same_slide_is_refused() -> None:
    with pytest.raises(PlannerError, match="Two slides"):
        Workload((Slide("s", (1,)), Slide("s", (2,))), 100)


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    slide = Slide("s", np.array([3, 4]))  # type: ignore[arg-type]
    assert slide.fragments == (3, 4)
    assert all(type(n) is int for n in slide.fragments)


@pytest.mark.parametrize("limits", [
    {"max_share": 1.2}, {"budget_usd": -1}, {"deadline_s": math.nan}, {"max_nodes": 2.5}, {"max_nodes": math.nan},
    {"max_nodes": "8"}, {"egress_mbps": 0}, {"max_pair_leak": -0.1}, {"deadline_s": math.inf}, {"budget_usd": True}])
def test_impossible_limits_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(PlannerError):
        Limits(**limits)  # type: ignore[arg-type]


def test_time_and_cost_of_the_published_instance() -> None:
    """A T4 with 40.26 Mbit/s: 213,270 / 5 patches of 100 kB in 1060.841 s (arXiv 2401.12597, Table III)."""
    node = Node("n", "d", 200.0, price_usd_per_hour=0.36, uplink_mbps=40.26)
    time = node.time_s(213_270 // 5, 100)
    assert time == pytest.approx(1060.841, abs=0.001)
    assert node.cost_usd(time) == pytest.approx(time * 0.0001)
    assert Node("n", "d", 200.0, price_usd_per_hour=60, billing_s=60).cost_usd(61) == pytest.approx(2.0)
