"""Executes runs on this machine, each under a detached supervisor that a restarted worker finds again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from voxelhub_sandbox.cgroups import Group
from voxelhub_sandbox.limits import method

from .base import Job, Observation
from .folder import RunFolder, alive

MAX_STARTS = 3  # of a supervisor that ends before it claims its attempt
COULD_NOT_START = "This run could not be started; an administrator finds why in its supervisor.log."
STOP_PATIENCE = 10.0  # seconds a supervisor has to end its run when VoxelHub stops


class LocalExecutor:
    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._failed_starts: dict[str, int] = {}

    def folder(self, run_id: str) -> RunFolder:
        return RunFolder(self.runs_dir / run_id)

    def prepare(self, run_id: str, job: Job) -> None:
        self.folder(run_id).write_job(job)

    def prepared(self, run_id: str) -> bool:
        return self.folder(run_id).spec.exists()

    def submit(self, run_id: str) -> None:
        folder = self.folder(run_id)
        attempt = self._attempt(folder)
        if (folder.path / f"claim-{attempt}").exists() or self._starting(run_id):
            return
        with (folder.path / "supervisor.log").open("ab") as errors:
            self._started[run_id] = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.supervisor", str(folder.path), str(attempt)],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True, cwd="/",
            )

    def observe(self, run_id: str) -> Observation:
        folder = self.folder(run_id)
        attempts = folder.attempts()
        if attempts < self._attempt(folder):
            starting = self._starting(run_id)
            if self._failed_starts.get(run_id, 0) >= MAX_STARTS:
                return Observation("ended", "failed", COULD_NOT_START, attempts=attempts)
            return Observation("starting" if starting else "absent", attempts=attempts)
        self._reap(run_id)
        # The order matters: a supervisor that is gone may have written its result just before.
        living = alive(folder.claimant(attempts))
        status = folder.read_status()
        if status.get("attempt") != attempts:
            return Observation("starting" if living else "lost", attempts=attempts)
        ended = status["state"] == "ended"
        return Observation(
            "ended" if ended else "running" if living else "lost",
            outcome=status.get("outcome"), reason=status.get("reason", ""), exit_code=status.get("exit_code"),
            crashed=status.get("crashed", False),
            progress=status["progress"], progress_text=status["progress_text"], log_size=size_of(folder.log),
            attempts=attempts, started_at=status["started_at"], ended_at=status.get("ended_at"), usage=status["usage"],
            method=status["method"],
        )

    def cancel(self, run_id: str) -> None:
        folder = self.folder(run_id)
        if folder.path.is_dir():
            folder.cancel.touch()

    def hurry(self, run_id: str) -> None:
        folder = self.folder(run_id)
        if folder.path.is_dir():
            folder.finish.touch()

    def retry(self, run_id: str) -> None:
        folder = self.folder(run_id)
        (folder.path / f"next-{folder.attempts() + 1}").touch()

    def sweep(self, run_id: str) -> None:
        """What a killed supervisor left: its cgroup, and in it the processes that no sandbox ended with it."""
        folder = self.folder(run_id)
        known = folder.read_status().get("cgroup")
        if known and not alive(folder.claimant(folder.attempts())):
            group = Group.from_json(known)
            group.kill()
            group.remove()
        self._failed_starts.pop(run_id, None)

    def shutdown(self) -> None:
        """TERM to every supervisor of ours; each ends its program and writes why."""
        living = [folder.claimant(folder.attempts()) for folder in self._folders()]
        living = [process for process in living if alive(process)]
        for process in living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process["pid"], signal.SIGTERM)
        deadline = time.monotonic() + STOP_PATIENCE
        while time.monotonic() < deadline and any(alive(process) for process in living):
            time.sleep(0.05)
        for process in living:
            if alive(process):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process["pid"], signal.SIGKILL)
        for run_id in list(self._started):
            self._reap(run_id)

    def live_supervisors(self) -> list[str]:
        """Run ids whose newest attempt has a living supervisor."""
        return [folder.path.name for folder in self._folders() if alive(folder.claimant(folder.attempts()))]

    def describe(self) -> str:
        return method()

    def _folders(self) -> Iterator[RunFolder]:
        for path in self.runs_dir.iterdir() if self.runs_dir.is_dir() else ():
            if path.is_dir():
                yield RunFolder(path)

    def _attempt(self, folder: RunFolder) -> int:
        """The attempt that may run: the first, or one that `retry` made room for."""
        numbers = [int(p.name[5:]) for p in folder.path.glob("next-*") if p.name[5:].isdecimal()]
        return max([1, *numbers])

    def _starting(self, run_id: str) -> bool:
        self._reap(run_id)
        return run_id in self._started

    def _reap(self, run_id: str) -> None:
        process = self._started.get(run_id)
        if process is not None and process.poll() is not None:
            del self._started[run_id]
            if process.returncode != 0:
                self._failed_starts[run_id] = self._failed_starts.get(run_id, 0) + 1


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
