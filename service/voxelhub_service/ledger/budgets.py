"""Monthly budgets of people and projects, in money, CPU hours and GPU hours: what is set, what is spent, what that means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from ..context import Context
from ..errors import Problem
from ..models import BudgetMark, LedgerEntry, Project, utcnow
from ..settings import Settings
from ..wire_spend import BudgetState, Unit
from .prices import Fields, PriceList, PricesError, known_prices, load_prices, read_yaml

UNITS: tuple[Unit, ...] = ("money", "cpu_hours", "gpu_hours")
WARNS, REACHED = 80, 100  # per cent
NAMES: dict[Unit, str] = {"money": "", "cpu_hours": "CPU hours", "gpu_hours": "GPU hours"}
Scope = Literal["person", "project"]
Limits = Mapping[Unit, float]


@dataclass(frozen=True)
class Budgets:
    """Of a month. One's own limits stand before the defaults, unit by unit; the default of projects is for shared ones."""

    person: Limits = field(default_factory=dict)
    project: Limits = field(default_factory=dict)
    people: Mapping[str, Mapping[Unit, float | None]] = field(default_factory=dict)
    projects: Mapping[str, Mapping[Unit, float | None]] = field(default_factory=dict)

    def of_person(self, name: str) -> Limits:
        return _set({**self.person, **self.people.get(name, {})})

    def of_project(self, project: Project) -> Limits:
        default = self.project if project.kind == "shared" else {}
        return _set({**default, **self.projects.get(project.name, {})})


@dataclass(frozen=True)
class Used:
    """Of one person or project in one month. Money is the sum in the price list's currency."""

    money: float = 0.0
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0


def load_budgets(settings: Settings, prices: PriceList) -> Budgets:
    """PricesError with a sentence. Read anew where it is needed: a changed file is in force at once."""
    if not settings.budgets_file:
        return Budgets()
    return parse_budgets(read_yaml(Path(settings.budgets_file), "budgets file"), prices)


def parse_budgets(document: Any, prices: PriceList) -> Budgets:
    top = Fields("The budgets file", document, {"currency", "defaults", "people", "projects"})
    defaults = Fields("The budgets file: defaults", top.get("defaults") or {}, {"person", "project"})
    parts = {scope: _limits(f"defaults: {scope}", defaults.get(scope) or {}) for scope in ("person", "project")}
    named = {scope: {str(name): _limits(f"{scope}: {name}", one or {}) for name, one in _mapping(top, scope).items()}
             for scope in ("people", "projects")}
    currency = top.currency("currency")
    if any(one.get("money") is not None for one in (*parts.values(), *named["people"].values(), *named["projects"].values())):
        if prices.currency is None:
            raise PricesError("The budgets file has budgets in money, but nothing has a price: write a price list first.")
        if currency != prices.currency:
            raise PricesError(f"The budgets file needs `currency: {prices.currency}`, as the prices have; it has {currency}.")
    return Budgets(_set(parts["person"]), _set(parts["project"]), named["people"], named["projects"])


def month_of(at: datetime) -> str:
    """ISO 8601, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m")


def used(session: Session, scope: Scope, month: str, currency: str | None, key: str | None = None) -> dict[str, Used]:
    """By name of the person or id of the project; of `key` alone, where it is given."""
    column = LedgerEntry.owner if scope == "person" else LedgerEntry.project_id
    priced = case((LedgerEntry.currency == currency, LedgerEntry.seconds * LedgerEntry.price_per_hour), else_=0.0)
    sums = [func.coalesce(func.sum(one), 0.0) for one in (priced, LedgerEntry.core_seconds, LedgerEntry.gpu_seconds)]
    query = select(column, *sums).where(LedgerEntry.day.between(f"{month}-01", f"{month}-31")).group_by(column)
    rows = session.execute(query.where(column == key) if key is not None else query).all()
    return {row[0]: Used(*(float(one) / 3600 for one in row[1:])) for row in rows if row[0] is not None}


def states(
    context: Context, session: Session, owner: str | None, project: Project | None, at: datetime | None = None,
) -> list[BudgetState]:
    """Every budget that bears on work of this person in this project; one of both may be left out.

    A file that is wrong is none: what is asked of it is answered with a Problem, as nothing may start unseen by its budget.
    """
    if not context.settings.budgets_file:
        return []
    prices, budgets = in_force(context.settings)
    month = month_of(at or utcnow())
    found: list[BudgetState] = []
    if owner is not None and (limits := budgets.of_person(owner)):
        found += _states(context, session, "person", owner, owner, limits, month, prices.currency)
    if project is not None and (limits := budgets.of_project(project)):
        found += _states(context, session, "project", project.name, project.id, limits, month, prices.currency)
    return found


def refuse_if_reached(context: Context, session: Session, owner: str, project: Project | None) -> None:
    """Nothing new where a budget is spent: Problem 403 `budget_reached` with its figures."""
    if refusal := refusal_of(states(context, session, owner, project)):
        raise Problem(403, "budget_reached", refusal, "Ask an administrator for a larger budget, or wait for the next month.")


def refusal_of(known: Sequence[BudgetState]) -> str:
    """Why a start is refused, or an empty string."""
    return " ".join(f"The budget of {_whose(one)} for this month is spent: {_spent(one)}." for one in known if one.reached)


def in_force(settings: Settings) -> tuple[PriceList, Budgets]:
    """For what begins; Problem where either file is wrong."""
    try:
        prices = load_prices(settings)
        return prices, load_budgets(settings, prices)
    except PricesError as error:
        raise _unreadable() from error


def shown_prices(settings: Settings) -> PriceList:
    """For what is only looked at: the last list that could be read."""
    try:
        return known_prices(settings)
    except PricesError as error:
        raise _unreadable() from error


def _unreadable() -> Problem:
    return Problem(503, "prices_unreadable", "Prices and budgets cannot be read here, so nothing new may start.",
                   "An administrator finds why with `voxelhub doctor`.")


def scope_key(state: BudgetState) -> str:
    """As BudgetMark names it."""
    return f"{state.scope}:{state.name}"


def _states(
    context: Context, session: Session, scope: Scope, name: str, key: str, limits: Limits, month: str, currency: str | None,
) -> list[BudgetState]:
    spent = used(session, scope, month, currency, key).get(key, Used())
    marks = {row.unit: row.at for row in session.scalars(select(BudgetMark).where(
        BudgetMark.scope == f"{scope}:{name}", BudgetMark.month == month, BudgetMark.level == REACHED))}
    grace = timedelta(seconds=context.settings.budget_grace)
    return [judge(scope, name, unit, limits[unit], getattr(spent, unit), currency,
                  marks[unit] + grace if unit in marks else None) for unit in UNITS if unit in limits]


def judge(
    scope: Scope, name: str, unit: Unit, limit: float, spent: float, currency: str | None, ends_at: datetime | None,
) -> BudgetState:
    """Pure: whether it warns, whether it is reached, and the sentence."""
    reached = spent >= limit
    left = max(0.0, limit - spent)
    what = (currency or "") if unit == "money" else NAMES[unit]
    whose = "" if scope == "person" else f" of {name}"
    return BudgetState(
        scope=scope, name=name, unit=unit, currency=currency if unit == "money" else None, limit=limit, spent=spent, left=left,
        warns=spent >= limit * WARNS / 100, reached=reached, ends_at=ends_at if reached else None,
        sentence=f"{_figure(left, unit)} of {_round(limit, unit)} {what} left this month{whose}")


def _whose(state: BudgetState) -> str:
    return f"the project {state.name}" if state.scope == "project" else state.name


def _spent(state: BudgetState) -> str:
    what = state.currency if state.unit == "money" else NAMES[state.unit]
    return f"{_figure(state.spent, state.unit)} of {_round(state.limit, state.unit)} {what}"


def spent_sentence(state: BudgetState) -> str:
    """As: The budget of ada for this month: 33.10 of 40 EUR are spent."""
    return f"The budget of {_whose(state)} for this month: {_spent(state)} are spent."


def _figure(value: float, unit: Unit) -> str:
    return f"{value:.2f}" if unit == "money" else f"{value:.1f}"


def _round(limit: float, unit: Unit) -> str:
    return f"{limit:.0f}" if limit == int(limit) else f"{limit:.2f}" if unit == "money" else f"{limit:g}"


def _mapping(top: Fields, key: str) -> Mapping[Any, Any]:
    value = top.get(key) or {}
    if not isinstance(value, Mapping):
        raise PricesError(f"The budgets file: `{key}` is a mapping of names to budgets.")
    return value


def _limits(where: str, document: Any) -> dict[Unit, float | None]:
    fields = Fields(f"The budgets file: {where}", document, set(UNITS))
    return {unit: fields.amount(unit) for unit in UNITS if unit in document}


def _set(limits: Mapping[Unit, float | None]) -> dict[Unit, float]:
    """Without those that say null: no limit."""
    return {unit: limit for unit, limit in limits.items() if limit is not None}
