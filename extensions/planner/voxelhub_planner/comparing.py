"""One plan beside another: does it dominate, and by how much is it ahead?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .errors import PlannerError
from .model import Front, Plan

Point = tuple[int, float, float]  # untrusted nodes, USD, seconds


@dataclass(frozen=True)
class Comparison:
    """Of one plan with another. Fractions of the other's figure; negative: behind. None: the other's figure is 0."""

    dominates: bool  # nowhere worse, somewhere better
    dominated: bool
    nodes_fewer: int
    cost_ahead: float | None
    time_ahead: float | None


def point_of(plan: Plan | Point) -> Point:
    return (plan.nodes, plan.cost_usd, plan.makespan_s) if isinstance(plan, Plan) else plan


def compared(plan: Plan | Point, other: Plan | Point) -> Comparison:
    ours, theirs = point_of(plan), point_of(other)
    return Comparison(
        ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True)),
        ours != theirs and all(a >= b for a, b in zip(ours, theirs, strict=True)),
        theirs[0] - ours[0], _ahead(ours[1], theirs[1]), _ahead(ours[2], theirs[2]),
    )


def _ahead(ours: float, theirs: float) -> float | None:
    return (theirs - ours) / theirs if theirs else None


FITS = {"max_nodes": "nodes", "budget_usd": "cost_usd", "deadline_s": "makespan_s", "max_share": "largest_share"}


def narrowed(front: Front, **limits: float) -> Front:
    """The same front within tighter limits, without planning again: what sliders do.

    Keys: max_nodes, budget_usd, deadline_s, max_share, max_pair_leak (of plans that know it).
    """
    if unknown := set(limits) - {*FITS, "max_pair_leak"}:
        raise PlannerError(f"A front is narrowed by {', '.join([*FITS, 'max_pair_leak'])}, not by {min(unknown)}.")
    kept: list[Any] = [plan for plan in front.plans if all(
        _value(plan, name) <= value for name, value in limits.items())]
    return replace(front, plans=tuple(kept))


def _value(plan: Plan, name: str) -> float:
    if name == "max_pair_leak":
        return 1.0 if plan.leakage is None else plan.leakage.worst_pair
    return float(getattr(plan, FITS[name]))
