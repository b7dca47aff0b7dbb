"""What a place that executes runs must offer. Every call is idempotent by run id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

ProcessState = Literal["absent", "starting", "running", "ended", "lost"]
Outcome = Literal["ok", "failed", "cancelled"]


@dataclass(frozen=True)
class Observation:
    """What is, as the executor sees it.

    `absent`: no attempt was ever begun (or the next may begin). `starting`: submitted, nothing confirmed yet. `lost`: an
    attempt began and its supervisor is gone without a result; its processes are gone too.
    """

    process: ProcessState
    outcome: Outcome | None = None
    reason: str = ""
    exit_code: int | None = None
    crashed: bool = False  # ended by a signal that was not ours
    progress: float = 0.0
    progress_text: str = ""
    log_size: int = 0
    attempts: int = 0
    started_at: str | None = None
    ended_at: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    method: str = ""


@dataclass(frozen=True)
class Job:
    """What to execute. Kept as `spec.json` in the run folder; paths are this machine's."""

    command: list[str]
    environ: dict[str, str]
    cwd: str
    outputs: str  # folder the program writes to; its size is limited
    cpu: float | None = None
    memory: int | None = None
    pids: int | None = None
    time: int | None = None
    output: int | None = None
    mode: Literal["sandbox", "bare", "trusted"] = "sandbox"  # bare: under --no-isolation; trusted: the service's own imports
    network: bool = False
    again: bool = False  # may be begun anew: when VoxelHub stops, this attempt is lost and not failed
    grace: float = 3.0  # seconds between TERM and KILL
    finish_on_time: bool = False  # at its time limit: a program that then ends with code 0 within the grace has succeeded
    read_only: list[tuple[str, str]] = field(default_factory=list)  # (folder outside, path inside)
    read_write: list[tuple[str, str]] = field(default_factory=list)


class Executor(Protocol):
    def prepare(self, run_id: str, job: Job) -> None:
        """Keep what `submit` will start. A later call replaces it as long as nothing began."""

    def prepared(self, run_id: str) -> bool: ...

    def submit(self, run_id: str) -> None:
        """Start it, unless an attempt exists: whoever calls twice starts once."""

    def observe(self, run_id: str) -> Observation: ...

    def cancel(self, run_id: str) -> None:
        """Ask for the end of the whole process tree; `observe` tells when it came."""

    def hurry(self, run_id: str) -> None:
        """Ask a program that finishes on time to do so now. Others are not asked."""

    def retry(self, run_id: str) -> None:
        """After `lost`: make room for the next attempt."""

    def sweep(self, run_id: str) -> None:
        """After the end, or after `lost`: nothing of it goes on. Idempotent."""

    def shutdown(self) -> None:
        """End everything this executor runs, because VoxelHub stops."""
