"""What a place that holds Dask clusters must offer. Every call is idempotent by the cluster's id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

ClusterProcess = Literal["absent", "starting", "running", "closing", "ended", "lost"]
Outcome = Literal["closed", "failed"]
HappenedKind = Literal["state", "scale", "worker", "warning"]


@dataclass(frozen=True)
class Size:
    """Of one process: cores, bytes, GPUs; `profile` is what it is priced as."""

    profile: str
    cpu: float
    memory: int
    gpus: int = 0
    resources: dict[str, float] = field(default_factory=dict)  # Dask's abstract ones

    @property
    def threads(self) -> int:
        return max(1, round(self.cpu))


@dataclass(frozen=True)
class Group:
    """Workers of a second size, of a fixed number."""

    name: str
    workers: int
    size: Size


@dataclass(frozen=True)
class Wish:
    """How many workers of the first size it shall have: `workers` of them, or between floor and ceiling as the load asks.

    `ceiling` may lie below what its owner chose, where others use the machine too.
    """

    adaptive: bool
    floor: int
    ceiling: int
    workers: int


@dataclass(frozen=True)
class ClusterSpec:
    """What to start. Paths are this machine's; `environment` is the folder of the notebook kernel's Python."""

    environment: str
    size: Size
    wish: Wish
    groups: tuple[Group, ...] = ()
    scheduler: Size = Size("scheduler", 1, 2 * 1024**3)
    read_only: tuple[tuple[str, str], ...] = ()  # (folder outside, path inside)
    environ: dict[str, str] = field(default_factory=dict)
    isolated: bool = True
    scratch: int = 20 * 1024**3  # bytes that one process may write
    lease: float = 45.0  # seconds after which it ends by itself when nobody holds it


@dataclass(frozen=True)
class WorkerSeen:
    name: str
    group: str
    state: Literal["starting", "running", "leaving"]
    threads: int
    memory: int
    memory_limit: int
    cpu: float
    tasks: int
    seconds: float


@dataclass(frozen=True)
class Happened:
    """One entry of the record that a driver keeps of a cluster; `number` counts from 1 within it."""

    number: int
    at: str  # ISO 8601, UTC
    kind: HappenedKind
    text: str
    measured: dict[str, Any]


@dataclass(frozen=True)
class ClusterObservation:
    """What is, as the driver sees it.

    `absent`: it was never begun. `starting`: begun, its scheduler does not answer yet. `lost`: it was begun and whoever held
    its processes is gone without a result; they are gone too. `usage`: profile -> counters that only grow.
    """

    process: ClusterProcess
    outcome: Outcome | None = None
    reason: str = ""
    address: str = ""
    workers: tuple[WorkerSeen, ...] = ()
    wanted: int = 0
    desired: int = 0  # what the load asks for
    waiting: int = 0
    idle: float = 0.0  # seconds since something was computed
    usage: dict[str, dict[str, float]] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)  # profile -> processes now
    started_at: str | None = None
    ended_at: str | None = None


class ClusterDriver(Protocol):
    def create(self, cluster_id: str, spec: ClusterSpec) -> None:
        """Start it, unless it was begun: whoever calls twice starts once."""

    def observe(self, cluster_id: str) -> ClusterObservation: ...

    def events(self, cluster_id: str, after: int) -> list[Happened]:
        """What happened behind that number, in order; at most a few hundred at a time."""

    def wish(self, cluster_id: str, wish: Wish) -> None:
        """Scale or adapt: takes effect within a second, and is kept."""

    def hold(self, cluster_id: str) -> None:
        """Say that somebody still minds it. Without this it ends by itself after its lease."""

    def close(self, cluster_id: str, reason: str) -> None:
        """Ask for its end; `observe` tells when it came."""

    def sweep(self, cluster_id: str) -> None:
        """After the end, or after `lost`: nothing of it goes on, keys and scratch are gone; logs stay. Idempotent."""

    def credentials(self, cluster_id: str) -> tuple[str, str, str]:
        """PEM of the certificate authority, of the client's certificate and of its key; KeyError where there are none."""

    def log_names(self, cluster_id: str) -> list[str]: ...

    def log(self, cluster_id: str, name: str, size: int) -> str:
        """The end of one process's log; "" for a name that is not among `log_names`."""

    def adopt(self) -> list[str]:
        """Ids of the clusters that live here, whoever began them."""

    def shutdown(self) -> None:
        """End every cluster of this driver, because VoxelHub stops."""
