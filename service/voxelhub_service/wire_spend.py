"""What crosses the wire about prices, budgets and the ledger. Money is a decimal number of the price list's currency."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from .wire import Identifier, ProjectName, Size, Wire

EntryKindOfSpend = Literal["server", "cluster", "run"]
Unit = Literal["money", "cpu_hours", "gpu_hours"]
SpendScope = Literal["mine", "project", "all"]
SpendBy = Literal["day", "kind", "profile", "tool", "project", "person"]
Month = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", examples=["2026-11"])]


class BudgetState(Wire):
    """How much of one budget of this month is spent."""

    scope: Literal["person", "project"]
    name: str = Field(description="of the person or project")
    unit: Unit
    currency: str | None = Field(description="for money")
    limit: float
    spent: float
    left: float = Field(description="not below 0")
    warns: bool = Field(description="80 % are reached")
    reached: bool
    ends_at: datetime | None = Field(description="when running work is stopped, once the budget is reached")
    sentence: str = Field(description="as: 12.60 of 40 EUR left this month")


class PriceOut(Wire):
    name: str
    title: str
    kind: EntryKindOfSpend
    price_per_hour: float


class Prices(Wire):
    currency: str | None = Field(description="null: there is no price list; hours are counted all the same")
    date: str | None
    source: str
    age_days: int | None
    items: list[PriceOut]
    run_core_hour: float | None = Field(description="of a tool run, per core and hour")
    run_gib_hour: float | None = Field(description="of a tool run, per GiB of memory and hour")
    run_gpu_hour: float | None


class Estimate(Wire):
    """Before a start: what it costs an hour, and what is left."""

    price_per_hour: float | None
    currency: str | None
    sentence: str = Field(description="as: about 0.34 EUR an hour; 12.60 of 40 EUR left this month")
    budgets: list[BudgetState]
    refused: str = Field(description="why a start would be refused now, or empty")


class SpendEstimateIn(Wire):
    """What somebody thinks of starting. Of a cluster POST /clusters/estimate says it."""

    kind: Literal["server", "run"]
    project: ProjectName = Field(description="that it would be charged to; of a server the person's own")
    profile: str | None = Field(default=None, max_length=100, description="of a server; the default one")
    tool: str | None = Field(default=None, max_length=200, description="of a run")
    version: str | None = Field(default=None, max_length=100, description="of the tool; the newest")
    runs: int = Field(default=1, ge=1, le=10_000, description="at the same time, as in a batch")


class ServerAsk(Wire):
    """The hub's question before it shows its form, and before it starts a server."""

    person: str = Field(min_length=1, max_length=200)


class ServerAnswer(Wire):
    sentences: dict[str, str] = Field(description="price of each server profile, as: about 0.06 EUR an hour")
    budgets: list[BudgetState]
    refused: str = Field(description="why no server may start now, or empty")


class ServerUse(Wire):
    """What a notebook server on Kubernetes has used since its pod was started, as the hub counts it."""

    id: Identifier = Field(description="of this start of the server")
    user: str = Field(min_length=1, max_length=200)
    server: str = Field(default="", max_length=200)
    profile: str = Field(min_length=1, max_length=100)
    cpu: float = Field(ge=0, le=10_000)
    gpus: int = Field(ge=0, le=1000)
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    seconds: float = Field(ge=0, le=10**10)


class ServersUse(Wire):
    servers: list[ServerUse] = Field(max_length=10_000)


class LedgerEntryOut(Wire):
    """What one thing cost on one day (UTC)."""

    id: Identifier
    kind: EntryKindOfSpend
    subject: str = Field(description="id of the run or cluster; name of the server")
    title: str
    person: str
    project: str | None
    profile: str = Field(description="server profile, kind of worker, or the size of a run")
    tool: str = ""
    day: date
    started_at: datetime
    ended_at: datetime | None = Field(description="null while it runs")
    seconds: float = Field(description="that it ran; of a cluster the sum over its processes")
    core_seconds: float
    gpu_seconds: float
    used_cpu_seconds: float = Field(description="that its processes computed")
    peak_memory: Size
    price_per_hour: float | None
    currency: str | None
    price_date: str | None
    cost: float | None


class LedgerPage(Wire):
    total: int
    items: list[LedgerEntryOut]


class SpendBar(Wire):
    """One part of a breakdown."""

    key: str
    title: str
    cost: float | None
    cpu_hours: float
    gpu_hours: float
    entries: int


class SpendDay(Wire):
    """What one kind of thing cost on one day (UTC), for a chart."""

    day: date
    kind: EntryKindOfSpend
    cost: float | None
    cpu_hours: float
    gpu_hours: float


class SpendSummary(Wire):
    scope: SpendScope
    project: str | None
    since: date
    until: date = Field(description="the last day, included")
    currency: str | None = Field(description="null where nothing has a price")
    other_currencies: dict[str, float] = Field(default={}, description="cost of entries in another currency, not in the sums")
    cost: float | None
    cpu_hours: float
    gpu_hours: float
    running: int = Field(description="entries that still grow")
    by: dict[SpendBy, list[SpendBar]]
    days: list[SpendDay] = Field(default=[], description="days with spend, by kind, oldest first")
    budgets: list[BudgetState]
    projects: list[str] = Field(description="whose spend the caller may read as a whole")
    everything: bool = Field(description="the caller may read all spend")


class Proposal(Wire):
    """A size that fits what was seen."""

    profile: str | None
    sentence: str
    peak_memory: Size | None
    used_cores: float | None
    seconds: float | None
    runs: int = Field(description="that it rests upon")
