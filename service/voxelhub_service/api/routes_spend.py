"""Prices, budgets and the ledger: what it would cost, what it did cost, and for whom that may be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from ..database import reading, writing
from ..errors import invalid
from ..identity.actor import personal_project
from ..ledger import accounts, budgets, prices_shown, prometheus, proposals
from ..ledger.estimating import estimate, hourly
from ..ledger.starting import price_of
from ..models import utcnow
from ..policy.authorize import require
from ..projects.store import project_by_name
from ..wire import ProjectName
from ..wire_spend import (
    EntryKindOfSpend,
    Estimate,
    LedgerPage,
    Prices,
    Proposal,
    ServerAnswer,
    ServerAsk,
    SpendEstimateIn,
    SpendScope,
    SpendSummary,
)
from .deps import CallerDep, CallerOrTokenDep, ContextDep
from .sending import SAFE, disposition

router = APIRouter(tags=["spend"])
MAX_DAYS = 366 * 3
Day = Annotated[date | None, Query(description="ISO 8601, in UTC; without both it is this month")]
Name = Annotated[str | None, Query(max_length=200)]


@router.get("/prices")
def read_prices(context: ContextDep, actor: CallerDep) -> Prices:
    """The price list in force: servers, kinds of workers, runs."""
    require(actor, "spend.read_own")
    prices = budgets.shown_prices(context.settings)
    return prices_shown.show(prices, utcnow().date())


@router.get("/spend")
def read_spend(
    context: ContextDep, actor: CallerDep, scope: SpendScope = "mine", project: ProjectName | None = None, since: Day = None,
    until: Day = None,
) -> SpendSummary:
    """What was spent, by day, kind, size, tool, project and person, and the budgets that bear on it.

    Everyone reads their own; owners their projects'; administrators all.
    """
    _fits(since, until)
    with reading(context.engine) as session:
        asked = accounts.wanted(session, actor, scope=scope, project=project, since=since, until=until)
        return accounts.summary(context, session, actor, asked)


@router.get("/spend/entries")
def list_entries(
    context: ContextDep, actor: CallerDep, scope: SpendScope = "mine", project: ProjectName | None = None, since: Day = None,
    until: Day = None, kind: EntryKindOfSpend | None = None, tool: Name = None, person: Name = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0, limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> LedgerPage:
    """Entries of the ledger, newest first: each is what one thing of one size used and cost on one day."""
    _fits(since, until)
    with reading(context.engine) as session:
        asked = accounts.wanted(session, actor, scope=scope, project=project, since=since, until=until, kind=kind, tool=tool,
                                person=person)
        total, items = accounts.page(session, actor, asked, offset, limit)
    return LedgerPage(total=total, items=items)


@router.get("/spend/entries.csv", response_class=StreamingResponse)
def download_entries(
    context: ContextDep, actor: CallerDep, scope: SpendScope = "mine", project: ProjectName | None = None, since: Day = None,
    until: Day = None, kind: EntryKindOfSpend | None = None, tool: Name = None, person: Name = None,
) -> Response:
    """The same as a table, oldest first. Text that a spreadsheet would run as a formula begins with an apostrophe."""
    _fits(since, until)
    with writing(context.engine) as session:
        asked = accounts.wanted(session, actor, scope=scope, project=project, since=since, until=until, kind=kind, tool=tool,
                                person=person)
        context.audit.append(session, actor, "spend.export", f"project:{project}" if project else f"user:{actor.name}",
                             detail={"scope": scope, "since": asked.since.isoformat(), "until": asked.until.isoformat()})

    def rows() -> Iterator[bytes]:
        with reading(context.engine) as snapshot:
            yield from accounts.as_csv(snapshot, actor, asked)

    name = f"spend {asked.since} to {asked.until}.csv"
    headers = {**SAFE, "Content-Disposition": disposition(name, attachment=True)}
    return StreamingResponse(rows(), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/spend/estimate")
def estimate_spend(body: SpendEstimateIn, context: ContextDep, actor: CallerDep) -> Estimate:
    """What an hour would cost, what is left of the budgets, and whether it would be refused. It begins nothing."""
    with reading(context.engine) as session:
        target = project_by_name(session, body.project)
        if not (target is None and body.project == personal_project(actor.name)):  # that one is made when it is first used
            require(actor, "run.create", target)
        prices, _ = budgets.in_force(context.settings)
        price = price_of(context, session, actor, prices, body)
        return estimate(price, budgets.states(context, session, actor.name, target))


@router.get("/spend/proposal")
def read_proposal(
    context: ContextDep, actor: CallerDep, kind: EntryKindOfSpend = "run", tool: Annotated[str, Query(max_length=200)] = "",
) -> Proposal:
    """Which size would do: of a tool by its newest runs in the caller's projects, of servers and clusters by their own."""
    require(actor, "spend.read_own")
    prices = budgets.shown_prices(context.settings)
    with reading(context.engine) as session:
        return proposals.propose(session, actor, prices, kind, tool)


@router.post("/internal/spend/server", include_in_schema=False)
def ask_for_server(body: ServerAsk, context: ContextDep) -> ServerAnswer:
    """For the hub alone: the form shows it, and a start is refused by it."""
    prices, _ = budgets.in_force(context.settings)
    with reading(context.engine) as session:
        known = budgets.states(context, session, body.person, project_by_name(session, personal_project(body.person)))
    return ServerAnswer(
        sentences={one.name: hourly(prices.of_server(one.name)) for one in prices.servers if one.price_per_hour}, budgets=known,
        refused=budgets.refusal_of(known))


@router.get("/metrics", response_class=PlainTextResponse)
def read_metrics(context: ContextDep, actor: CallerOrTokenDep) -> Response:
    """For Prometheus: with an administrator's token, or the one in secrets/metrics-token."""
    if actor is not None:
        require(actor, "metrics.read")
    with reading(context.engine) as session:
        text = prometheus.text(context, session)
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _fits(since: date | None, until: date | None) -> None:
    if since and until and since > until:
        raise invalid("days_do_not_fit", "The first day is after the last one.", "Exchange them.", field="since")
    if since and until and (until - since).days > MAX_DAYS:
        raise invalid("days_do_not_fit", "More than three years are too many at once.", "Take fewer days.", field="since")
