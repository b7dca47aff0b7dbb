"""The ledger as people read it: entries, sums and a file for a spreadsheet, of what the caller may read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from ..context import Context
from ..identity.actor import Actor
from ..models import LedgerEntry, Project, utcnow
from ..policy.authorize import decide, require
from ..projects.store import project_by_name
from ..spreadsheet import harmless
from ..wire_spend import EntryKindOfSpend, LedgerEntryOut, SpendBar, SpendBy, SpendDay, SpendScope, SpendSummary
from . import budgets
from .metering import cost_of
from .prices import SCHEDULER, PriceList

KINDS = {"server": "Notebook servers", "cluster": "Clusters", "run": "Runs"}
COLUMNS = (
    "day", "kind", "title", "person", "project", "profile", "tool", "started_at", "ended_at", "seconds", "core_seconds",
    "gpu_seconds", "used_cpu_seconds", "peak_memory", "price_per_hour", "currency", "price_date", "cost", "subject")
AS_KEPT = (
    "id", "kind", "subject", "title", "profile", "tool", "started_at", "ended_at", "seconds", "core_seconds", "gpu_seconds",
    "used_cpu_seconds", "peak_memory", "price_per_hour", "currency", "price_date")


@dataclass(frozen=True)
class Wanted:
    """Whose entries of which days; `project` limits them further."""

    scope: SpendScope
    project: Project | None
    since: date
    until: date
    kind: EntryKindOfSpend | None = None
    tool: str | None = None
    person: str | None = None


def wanted(
    session: Session, actor: Actor, *, scope: SpendScope, project: str | None, since: date | None, until: date | None,
    kind: EntryKindOfSpend | None = None, tool: str | None = None, person: str | None = None,
) -> Wanted:
    """Checked by policy; without days it is this month (UTC)."""
    found = project_by_name(session, project) if project is not None else None
    if scope == "all":
        require(actor, "spend.read_all")
    elif scope == "mine":
        require(actor, "spend.read_own")
    else:
        require(actor, "spend.read_project", found)
    if project is not None and scope != "project":
        require(actor, "project.read", found)
    today = utcnow().date()
    return Wanted(scope, found, since or today.replace(day=1), until or today, kind, tool, person)


def where(actor: Actor, asked: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [LedgerEntry.day.between(asked.since.isoformat(), asked.until.isoformat())]
    if asked.scope == "mine":
        found.append(LedgerEntry.owner == actor.name)
    if asked.project is not None:
        found.append(LedgerEntry.project_id == asked.project.id)
    named = ((LedgerEntry.kind, asked.kind), (LedgerEntry.tool, asked.tool), (LedgerEntry.owner, asked.person))
    return found + [column == value for column, value in named if value is not None]


def page(session: Session, actor: Actor, asked: Wanted, offset: int, limit: int) -> tuple[int, list[LedgerEntryOut]]:
    """Newest first."""
    mine = where(actor, asked)
    total = session.scalar(select(func.count()).select_from(LedgerEntry).where(*mine)) or 0
    newest = select(LedgerEntry).where(*mine).order_by(LedgerEntry.day.desc(), LedgerEntry.started_at.desc(), LedgerEntry.id)
    return total, entries_out(session, session.scalars(newest.offset(offset).limit(limit)).all())


def entries_out(session: Session, rows: Sequence[LedgerEntry]) -> list[LedgerEntryOut]:
    projects = _names(session, {row.project_id for row in rows if row.project_id})
    return [LedgerEntryOut(
        **{name: getattr(row, name) for name in AS_KEPT}, person=row.owner, project=projects.get(row.project_id or ""),
        day=date.fromisoformat(row.day), cost=cost_of(row)) for row in rows]


def as_csv(session: Session, actor: Actor, asked: Wanted, at_once: int = 500) -> Iterator[bytes]:
    """Oldest first. What a spreadsheet would run as a formula gets an apostrophe before it; numbers stay numbers."""
    yield _line([list(COLUMNS)])
    oldest = select(LedgerEntry).where(*where(actor, asked)).order_by(LedgerEntry.day, LedgerEntry.started_at, LedgerEntry.id)
    rows = iter(session.scalars(oldest.execution_options(yield_per=at_once)))
    while some := list(islice(rows, at_once)):
        shown = [one.model_dump(mode="json") for one in entries_out(session, some)]
        yield _line([["" if one[name] is None else harmless(str(one[name])) for name in COLUMNS] for one in shown])


def summary(context: Context, session: Session, actor: Actor, asked: Wanted) -> SpendSummary:
    prices = budgets.shown_prices(context.settings)
    cells = list(_cells(session, where(actor, asked)))
    currency = prices.currency or next((cell.currency for cell in cells if cell.currency), None)
    ours = [cell for cell in cells if cell.currency in (None, currency)]
    others: dict[str, float] = {}
    for cell in (cell for cell in cells if cell.currency not in (None, currency)):
        others[cell.currency or ""] = others.get(cell.currency or "", 0.0) + (cell.cost or 0.0)
    owner = actor.name if asked.scope == "mine" else None
    known = budgets.states(context, session, owner, asked.project) if asked.scope != "all" else []
    projects = list(session.scalars(select(Project).order_by(Project.name)))
    growing = select(func.count()).select_from(LedgerEntry).where(*where(actor, asked), LedgerEntry.ended_at.is_(None))
    return SpendSummary(
        scope=asked.scope, project=asked.project.name if asked.project else None, since=asked.since, until=asked.until,
        currency=currency, other_currencies=others, cost=_cost(ours), cpu_hours=sum(cell.cpu_hours for cell in cells),
        gpu_hours=sum(cell.gpu_hours for cell in cells), running=session.scalar(growing) or 0,
        by=_broken_down(cells, currency, prices, {one.id: one for one in projects}), days=_days(cells, currency), budgets=known,
        projects=[one.name for one in projects if decide(actor, "spend.read_project", one).allowed],
        everything=decide(actor, "spend.read_all").allowed)


@dataclass(frozen=True)
class Cell:
    """Entries that are alike in all that sums are broken down by."""

    day: str
    kind: str
    profile: str
    tool: str
    project: str | None
    person: str
    currency: str | None
    cost: float | None
    cpu_hours: float
    gpu_hours: float
    entries: int


def _cells(session: Session, mine: Sequence[ColumnElement[bool]]) -> Iterator[Cell]:
    by = (LedgerEntry.day, LedgerEntry.kind, LedgerEntry.profile, LedgerEntry.tool, LedgerEntry.project_id, LedgerEntry.owner,
          LedgerEntry.currency)
    sums = (func.sum(LedgerEntry.seconds * LedgerEntry.price_per_hour) / 3600, func.sum(LedgerEntry.core_seconds) / 3600,
            func.sum(LedgerEntry.gpu_seconds) / 3600, func.count())
    for row in session.execute(select(*by, *sums).where(*mine).group_by(*by).order_by(*by)):
        yield Cell(*row)


def _broken_down(
    cells: Sequence[Cell], currency: str | None, prices: PriceList, projects: dict[str, Project],
) -> dict[SpendBy, list[SpendBar]]:
    """The dearest first; days in their order."""
    sizes = {one.name: one.title for one in prices.servers} | {one.name: one.title for one in prices.kinds}
    sizes[SCHEDULER] = "Scheduler"
    sorts: dict[SpendBy, tuple[Callable[[Cell], str], Callable[[str], str]]] = {
        "day": (lambda cell: cell.day, str), "kind": (lambda cell: cell.kind, lambda key: KINDS.get(key, key)),
        "profile": (lambda cell: cell.profile, lambda key: sizes.get(key, key)), "tool": (lambda cell: cell.tool, str),
        "project": (lambda cell: cell.project or "", lambda key: _title(projects.get(key))),
        "person": (lambda cell: cell.person, str)}
    found: dict[SpendBy, list[SpendBar]] = {}
    for by, (key_of, title_of) in sorts.items():
        groups: dict[str, list[Cell]] = {}
        for cell in cells:
            groups.setdefault(key_of(cell), []).append(cell)
        bars = [_bar(projects[key].name if by == "project" and key in projects else key, title_of(key), group, currency)
                for key, group in groups.items() if key]
        found[by] = bars if by == "day" else sorted(bars, key=lambda bar: (-(bar.cost or 0.0), -bar.cpu_hours, bar.key))
    return found


def _bar(key: str, title: str, cells: Sequence[Cell], currency: str | None) -> SpendBar:
    return SpendBar(
        key=key, title=title, cost=_cost([cell for cell in cells if cell.currency in (None, currency)]),
        cpu_hours=sum(cell.cpu_hours for cell in cells), gpu_hours=sum(cell.gpu_hours for cell in cells),
        entries=sum(cell.entries for cell in cells))


def _days(cells: Sequence[Cell], currency: str | None) -> list[SpendDay]:
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.day, cell.kind), []).append(cell)
    return [SpendDay(
        day=date.fromisoformat(day), kind=kind, cost=_cost([cell for cell in group if cell.currency in (None, currency)]),  # type: ignore[arg-type]
        cpu_hours=sum(cell.cpu_hours for cell in group), gpu_hours=sum(cell.gpu_hours for cell in group))
        for (day, kind), group in sorted(groups.items())]


def _cost(cells: Sequence[Cell]) -> float | None:
    """None where nothing of it has a price."""
    priced = [cell.cost for cell in cells if cell.cost is not None]
    return sum(priced) if priced else None


def _title(project: Project | None) -> str:
    if project is None:
        return ""
    return f"{project.owner}'s own" if project.kind == "personal" else project.title or project.name


def _names(session: Session, ids: set[str]) -> dict[str, str]:
    return {row.id: row.name for row in session.scalars(select(Project).where(Project.id.in_(ids)))}


def _line(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
