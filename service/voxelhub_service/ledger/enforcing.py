"""What a budget does: one warning at 80 %, at 100 % nothing new, and after a grace the end of what still runs.

`decide` is pure; what was done already is a BudgetMark, so that each thing happens once whatever is restarted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ..context import Context, emit
from ..models import BudgetMark, Project
from ..wire_spend import BudgetState
from . import budgets
from .budgets import REACHED, WARNS, spent_sentence

Act = Literal["warn", "reach", "stop", "lift_warning", "lift"]
ACTIONS: dict[Act, str] = {
    "warn": "budget.warn", "reach": "budget.reach", "lift": "budget.lift", "lift_warning": "budget.lift",
}


@dataclass(frozen=True)
class Judged:
    """A budget of this month, and when it was warned about (80) or reached (100)."""

    state: BudgetState
    marks: Mapping[int, datetime]
    project_id: str | None  # of a project's budget


def decide(state: BudgetState, marks: Mapping[int, datetime], now: datetime, grace: timedelta) -> list[Act]:
    """What is to be done about one budget now; in this order."""
    if state.reached:
        if REACHED not in marks:
            return ["reach"]
        return ["stop"] if now >= marks[REACHED] + grace else []
    done: list[Act] = ["lift"] if REACHED in marks else []  # it was raised: the next time is warned about anew
    if state.warns:
        return done if WARNS in marks else [*done, "warn"]
    return [*done, "lift_warning"] if WARNS in marks else done


def judged(context: Context, session: Session, now: datetime) -> list[Judged]:
    """Every budget of whoever used something this month, or was marked."""
    prices, known = budgets.in_force(context.settings)
    month, grace = budgets.month_of(now), timedelta(seconds=context.settings.budget_grace)
    marks: dict[tuple[str, str], dict[int, datetime]] = {}
    for row in session.scalars(select(BudgetMark).where(BudgetMark.month == month)):
        marks.setdefault((row.scope, row.unit), {})[row.level] = row.at
    found = []
    for scope, name, project_id, limits, spent in _spenders(session, known, month, prices.currency):
        for unit in (one for one in budgets.UNITS if one in limits):
            at = marks.get((f"{scope}:{name}", unit), {})
            ends_at = at[REACHED] + grace if REACHED in at else None
            state = budgets.judge(scope, name, unit, limits[unit], getattr(spent, unit), prices.currency, ends_at)
            found.append(Judged(state, at, project_id))
    return found


def mark(context: Context, session: Session, one: Judged, act: Act, now: datetime) -> None:
    """Write down that an act other than a stop happened, and tell whom it concerns."""
    state = one.state
    scope, month = budgets.scope_key(state), budgets.month_of(now)
    if act in ("warn", "reach"):
        new = ({WARNS, REACHED} if act == "reach" else {WARNS}) - set(one.marks)
        session.add_all(BudgetMark(scope=scope, unit=state.unit, month=month, level=level, at=now) for level in new)
    else:
        level = REACHED if act == "lift" else WARNS
        session.execute(delete(BudgetMark).where(
            BudgetMark.scope == scope, BudgetMark.unit == state.unit, BudgetMark.month == month, BudgetMark.level == level))
    figures = {"unit": state.unit, "spent": round(state.spent, 4), "limit": state.limit, "month": month}
    context.audit.append(session, "system", ACTIONS[act], _resource(state), detail=figures)
    if act in ("warn", "reach"):
        tell(session, one, warning(state, act, now + timedelta(seconds=context.settings.budget_grace)), act)


def warning(state: BudgetState, act: Act, ends_at: datetime) -> str:
    """What people read when it happens."""
    if act == "warn":
        return f"{spent_sentence(state)} At its end nothing new may start."
    return f"{spent_sentence(state)} Nothing new may start, and what still runs is stopped at {ends_at:%H:%M} UTC."


def tell(session: Session, one: Judged, text: str, act: Act) -> None:
    """The event of a person goes to them, that of a project to its members."""
    payload: dict[str, Any] = {"act": act, "unit": one.state.unit, "sentence": text}
    person = one.state.name if one.state.scope == "person" else None
    emit(session, "spend", budgets.scope_key(one.state), project_id=one.project_id, user=person, payload=payload)


def _spenders(
    session: Session, known: budgets.Budgets, month: str, currency: str | None,
) -> Iterator[tuple[budgets.Scope, str, str | None, budgets.Limits, budgets.Used]]:
    for name, spent in budgets.used(session, "person", month, currency).items():
        yield "person", name, None, known.of_person(name), spent
    by_project = budgets.used(session, "project", month, currency)
    for project in session.scalars(select(Project).where(Project.id.in_(list(by_project)))):
        yield "project", project.name, project.id, known.of_project(project), by_project[project.id]


def _resource(state: BudgetState) -> str:
    return f"user:{state.name}" if state.scope == "person" else f"project:{state.name}"
