"""Percentages ahead, dominance, and refiltering a front."""

from __future__ import annotations

import pytest
from benchmarks.planner_instance import PAPER
from support.effort import lines
from voxelhub_planner import Front, Plan, PlannerError, compared, narrowed


def test_the_papers_own_percentages() -> None:
    """arXiv 2401.12597: ahead by 60.53 % and 6.80 % for Normal, 85.20 % and 2.94 % for very few nodes."""
    expected = {"Normal": (0.6053, 0.0680), "Very few nodes": (0.8520, 0.0294)}
    for name, (cost, seconds) in expected.items():
        even, theirs = PAPER[name]
        assert even is not None
        assert theirs is not None
        found = compared(theirs, even)
        assert found.dominates
        assert not found.dominated
        assert found.cost_ahead == pytest.approx(cost, abs=5e-5)
        assert found.time_ahead == pytest.approx(seconds, abs=5e-5)
    assert compared((6, 0.1, 5.0), (7, 0.1, 4.0)).dominates is False
    assert compared((6, 0.1, 5.0), (6, 0.1, 5.0)).dominates is False
    assert compared((6, 0.1, 5.0), (6, 0.0, 5.0)).cost_ahead is None


def test_five_thousand_plans_are_refiltered_in_one_look() -> None:
    plans = tuple(Plan((("n",),), 1 + n % 9, n / 1000, 1000.0 - n / 10, largest_share=(n % 7) / 7) for n in range(5000))
    front = Front(plans, 1.0)
    limits = {"max_nodes": 5, "budget_usd": 2.0, "deadline_s": 900.0, "max_share": 0.5}
    found = narrowed(front, **limits)
    assert lines(lambda: narrowed(front, **limits)) < 25 * len(plans)
    fitting = [plan for plan in plans if plan.nodes <= 5 and plan.cost_usd <= 2 and plan.makespan_s <= 900]
    assert found.plans == tuple(plan for plan in fitting if plan.largest_share <= 0.5)
    assert found.plans
    assert narrowed(front, max_pair_leak=0.5).plans == ()
    with pytest.raises(PlannerError, match="speed"):
        narrowed(front, speed=1.0)
