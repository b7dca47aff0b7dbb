"""Limits to start from, scaled to the work: fixed sums of money or seconds would leave nothing of some work, all of other.

Each is taken from the front itself, so that some of its plans keep to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .model import Plan

MIDDLE, TIGHT = 0.6, 0.1  # fractions of the plans, by one figure, that a limit keeps


def scaled_presets(plans: Sequence[Plan]) -> list[dict[str, Any]]:
    """`id`, `title` and `limits` (max_nodes, budget_usd, deadline_s); none where there is no plan."""
    if not plans:
        return []
    fewest = min(plan.nodes for plan in plans)
    tight = min(plan.cost_usd for plan in plans), _quantile([plan.cost_usd for plan in plans], TIGHT)
    short = _quantile([plan.makespan_s for plan in plans], TIGHT)
    return [
        {"id": "normal", "title": "Normal", "limits": _normal(plans)},
        {"id": "few-nodes", "title": "Very few nodes", "limits": {"max_nodes": fewest}},
        {"id": "tight-budget", "title": "Tight budget", "limits": {"budget_usd": rounded_up(max(tight))}},
        {"id": "short-deadline", "title": "Short deadline", "limits": {"deadline_s": rounded_up(short)}},
    ]


def _normal(plans: Sequence[Plan]) -> dict[str, float]:
    """A middling budget and deadline; looser until a plan keeps to both."""
    part = MIDDLE
    while True:
        budget = rounded_up(_quantile([plan.cost_usd for plan in plans], part))
        deadline = rounded_up(_quantile([plan.makespan_s for plan in plans], part))
        kept = [plan for plan in plans if plan.cost_usd <= budget and plan.makespan_s <= deadline]
        if kept or part >= 1:
            return {"max_nodes": max(plan.nodes for plan in kept), "budget_usd": budget, "deadline_s": deadline}
        part = min(part + 0.1, 1.0)


def _quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[math.ceil(part * (len(ordered) - 1))]


def rounded_up(value: float) -> float:
    """To three digits, never below the value."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 2)
    found = float(f"{math.ceil(value / step - 1e-9) * step:.3g}")
    return found if found >= value else float(f"{found + step:.3g}")
