"""Before a start: what an hour costs and what is left, in one sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..wire_spend import BudgetState, Estimate
from .budgets import refusal_of
from .prices import Price


def estimate(price: Price, budgets: Sequence[BudgetState]) -> Estimate:
    """Of one price an hour, beside the budgets that bear on it."""
    return Estimate(
        price_per_hour=price.per_hour, currency=price.currency, sentence=sentence(hourly(price), budgets), budgets=list(budgets),
        refused=refusal_of(budgets))


def sentence(rate: str, budgets: Sequence[BudgetState]) -> str:
    """As: about 0.34 EUR an hour; 12.60 of 40 EUR left this month."""
    return "; ".join((rate, *(one.sentence for one in budgets)))


def hourly(price: Price) -> str:
    return "no price" if price.per_hour is None else f"about {money(price.per_hour)} {price.currency} an hour"


def between(floor: Price, ceiling: Price) -> str:
    """Of what grows and shrinks. As: between 0.10 and 0.34 EUR an hour."""
    if floor.per_hour is None or ceiling.per_hour is None:
        return "no price"
    if money(floor.per_hour) == money(ceiling.per_hour):
        return hourly(ceiling)
    return f"between {money(floor.per_hour)} and {money(ceiling.per_hour)} {ceiling.currency} an hour"


def money(amount: float) -> str:
    """Two digits, or as many as show the first two that are not 0: a run may cost 0.0042 an hour."""
    if amount == 0 or amount >= 0.1:
        return f"{amount:.2f}"
    return f"{amount:.2g}" if amount >= 1e-4 else f"{amount:.6f}"
