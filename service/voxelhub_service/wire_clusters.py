"""What crosses the wire about Dask clusters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .wire import Identifier, ProjectName, Size, Title, Wire
from .wire_spend import BudgetState

ClusterState = Literal["starting", "running", "closing", "closed", "failed"]
EventKind = Literal["state", "scale", "worker", "warning"]
KindName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="a kind of worker in the price list")]
GroupName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Workers = Annotated[int, Field(ge=0, le=1000)]
Amount = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]


class WorkerKind(Wire):
    """A size of worker that the caller may have."""

    name: str
    title: str
    cpu: float = Field(description="cores, which are its threads (at least one)")
    memory: Size
    gpus: int
    price_per_hour: float | None = Field(description="of one worker; null where there is no price list")
    default: bool


class ClusterEnvironment(Wire):
    name: str
    title: str
    dask: str = Field(description="version of distributed")
    default: bool


class ClusterChoices(Wire):
    """What a form offers, and its bounds."""

    environments: list[ClusterEnvironment]
    kinds: list[WorkerKind]
    currency: str | None
    price_date: str | None = Field(description="of the price list, ISO 8601")
    scheduler_price_per_hour: float | None
    ceiling: int = Field(description="workers that one cluster may have here")
    clusters: int = Field(description="clusters that one person may have open")
    idle_seconds: int = Field(description="without work, after which a cluster is closed; 0 for never")
    unavailable: str = Field(description="why no cluster can be made here, or empty")


class WorkerGroup(Wire):
    """Workers of a second kind, of a fixed number, beside those that come and go."""

    name: GroupName
    kind: KindName
    workers: Annotated[int, Field(ge=1, le=100)] = 1
    resources: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")], Amount] = Field(
        default={}, max_length=8, description="Dask's abstract resources, as GPU: 1")


class ClusterIn(Wire):
    title: Title = "Cluster"
    project: ProjectName
    environment: Annotated[str, Field(max_length=64)] | None = None
    kind: KindName | None = None
    minimum: Workers = Field(default=0, description="the floor: never fewer workers while it is open")
    maximum: Workers = Field(default=4, description="the ceiling")
    adaptive: bool = Field(default=True, description="follow the load between floor and ceiling; else `workers` of them")
    workers: Workers | None = Field(default=None, description="at the start; the floor when adaptive")
    resources: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")], Amount] = Field(default={}, max_length=8)
    groups: list[WorkerGroup] = Field(default=[], max_length=4)
    pinned_until: datetime | None = Field(default=None, description="outlives its owner's server until then; with a time zone")
    made_in: Literal["panel", "notebook", "api"] = Field(
        default="api", description="a notebook's ends 45 s after its kernel sent the last POST …/keep, unless it is pinned")

    @model_validator(mode="after")
    def _consistent(self) -> ClusterIn:
        if self.minimum > self.maximum:
            raise ValueError("The floor is above the ceiling.")
        if self.workers is not None and not self.minimum <= self.workers <= self.maximum:
            raise ValueError("The number of workers is not between floor and ceiling.")
        return self


class ClusterPatch(Wire):
    """Scale (`workers` with `adaptive` false), adapt, pin. What is left out stays."""

    workers: Workers | None = None
    adaptive: bool | None = None
    minimum: Workers | None = None
    maximum: Workers | None = None
    pinned_until: datetime | None = None
    unpin: bool = False
    title: Title | None = None


class WorkerOut(Wire):
    name: str
    group: str = ""
    state: Literal["starting", "running", "leaving"]
    threads: int
    memory: Size = Field(description="in use")
    memory_limit: Size
    cpu: float = Field(description="cores in use")
    tasks: int = Field(description="that it computes now")
    seconds: float = Field(description="since it was started")


class ClusterOut(Wire):
    id: Identifier
    title: str
    project: str
    owner: str
    mine: bool
    manageable: bool = Field(description="the caller may scale, pin and close it")
    server: str | None = Field(description="name of the owner's server that it dies with; empty for the default one; null: none")
    environment: str
    kind: str
    state: ClusterState
    reason: str = Field(description="why it is in this state, in a sentence; may be empty")
    adaptive: bool
    minimum: int
    maximum: int
    wanted_workers: int
    workers: list[WorkerOut]
    threads: int
    memory: Size = Field(description="that its workers use")
    memory_limit: Size
    tasks_waiting: int = Field(description="not yet computed, those under way among them")
    price_per_hour: float | None = Field(description="of what runs now")
    price_per_hour_maximum: float | None = Field(description="with all of its workers")
    price_per_hour_floor: float | None
    cost: float | None = Field(description="so far")
    currency: str | None
    dashboard_path: str | None = Field(description="below the API, for its owner alone: clusters/<id>/dashboard/status")
    pinned_until: datetime | None
    closes_at: datetime | None = Field(description="for want of work, unless something is computed before")
    made_in: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class ClusterPage(Wire):
    total: int
    items: list[ClusterOut]


class ClusterEventOut(Wire):
    id: int
    at: datetime
    kind: EventKind
    text: str
    measured: dict[str, Any] = Field(description="the values that caused it, as tasks, cpu, memory")


class ClusterLogs(Wire):
    events: list[ClusterEventOut]
    names: list[str] = Field(description="scheduler, and the workers, also those that have ended")
    name: str
    text: str = Field(description="the end of its log")


class ClusterKept(Wire):
    state: ClusterState
    kept: bool = Field(description="it ends 45 s after no kernel kept it any more; false: it ends with no kernel, or ends now")


class ClusterCredentials(Wire):
    """For a client of the owner. PEM texts; the key is of this cluster alone."""

    address: str = Field(description="tls://host:port")
    ca: str
    certificate: str
    key: str
    versions: dict[str, str]


class ClusterEstimate(Wire):
    price_per_hour_floor: float | None
    price_per_hour_maximum: float | None
    currency: str | None
    sentence: str = Field(description="as: between 0.10 and 0.34 EUR an hour")
    budgets: list[BudgetState]
    refused: str = Field(description="why it would be refused, or empty")
