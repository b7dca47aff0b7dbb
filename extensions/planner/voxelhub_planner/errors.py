"""The one error of the planner: a sentence that says what is wrong with what was given."""

from __future__ import annotations


class PlannerError(ValueError):
    """Bad input: negative, not finite, contradictory, unknown. The text names the field."""
