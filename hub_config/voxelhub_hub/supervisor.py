"""Keeps the processes of an installation running, and ends them together.

A child that dies is started again at once; one that keeps dying waits longer each time. Children get SIGTERM when this
process dies by whatever means; what they left behind is found by its marker (see `processes`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from . import processes
from .refusal import Refusal

BACKOFF_MAX = 10.0  # seconds
STEADY = 30.0  # seconds a child must live for its next death to count as the first
LOG_MAX = 20 * 1024**2  # bytes, after which a log is moved to <name>.log.1


class AlreadyRunning(Refusal):
    """Another supervisor holds this state folder."""


class ChildFailed(Refusal):
    """A child did not become ready; the text names it and its log."""


@dataclass
class Child:
    """`ready` says whether it serves; `started` is called after each start, once it is ready."""

    name: str
    command: list[str]
    environ: dict[str, str] = field(repr=False)
    ready: Callable[[], bool]
    cwd: Path | None = None
    url: str = ""
    ready_timeout: float = 120.0
    stop_grace: float = 10.0
    started: Callable[[], None] | None = None
    state: str = "waiting"  # waiting | starting | ready | restarting | stopped
    pid: int | None = None
    restarts: int = 0
    last_exit: int | None = None
    since: str = ""
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)


def hold_lock(state_dir: Path) -> IO[str]:
    """The one lock on a state folder, released when the returned file closes or this process dies."""
    path = state_dir / "run" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise AlreadyRunning(
            f"This state folder is in use by {holder}. Stop that first, or set another VOXELHUB_STATE_DIR.") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} ({Path(sys.argv[0]).name} {' '.join(sys.argv[1:2])})")
    file.flush()
    return file


@contextlib.contextmanager
def holding(state_dir: Path, name: str) -> Iterator[None]:
    """While this lasts, a child that has ended is not started again. A holder that dies holds no longer."""
    path = _hold(state_dir, name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def held(state_dir: Path, name: str) -> bool:
    path = _hold(state_dir, name)
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _hold(state_dir: Path, name: str) -> Path:
    return state_dir / "run" / f"hold-{name}"


class Supervisor:
    def __init__(self, state_dir: Path, address: str, waves: list[list[Child]]) -> None:
        """All children start together. They stop wave by wave, the last wave first."""
        self.state_dir, self.address, self.waves = state_dir, address, waves
        self.installation = processes.installation_id(state_dir)
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def children(self) -> list[Child]:
        return [child for wave in self.waves for child in wave]

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Start all, call `on_ready` once, keep them until SIGINT or SIGTERM, end them. Raises ChildFailed at start."""
        loop = asyncio.get_running_loop()
        processes.adopt_orphans()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked_to_stop)
        housekeeping = asyncio.create_task(self._housekeeping())
        try:
            await self._unless_stopped(self._start_all())
            if not self._stopping.is_set():
                await self._unless_stopped(asyncio.to_thread(on_ready))
                await self._stopping.wait()
        finally:
            self._stopping.set()
            housekeeping.cancel()
            await self._stop_all()

    def _asked_to_stop(self) -> None:
        """The second time nobody waits: everything is killed."""
        print("Ending …", flush=True)
        if self._stopping.is_set():
            for pid in processes.descendants():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        self._stopping.set()

    async def _unless_stopped(self, work: Any) -> None:
        task, stop = asyncio.ensure_future(work), asyncio.create_task(self._stopping.wait())
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if task.done():
            task.result()
        else:
            task.cancel()

    async def _start_all(self) -> None:
        first: list[asyncio.Future[None]] = []
        for child in self.children:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            first.append(done)
            self._tasks.append(asyncio.create_task(self._keep(child, done), name=child.name))
        await asyncio.gather(*first)

    async def _keep(self, child: Child, first: asyncio.Future[None]) -> None:
        wait = 0.0
        while not self._stopping.is_set():
            while held(self.state_dir, child.name) and not self._stopping.is_set():  # noqa: ASYNC110 - another process holds
                await asyncio.sleep(0.1)
            born = time.monotonic()
            process = await self._spawn(child)
            readiness = asyncio.create_task(self._until_ready(child, first))
            code = await process.wait()
            readiness.cancel()
            child.pid, child.last_exit = None, code
            if self._stopping.is_set():
                break
            if not first.done():
                first.set_exception(ChildFailed(
                    f"{child.name} ended with code {code} while it started. Its log is {self._log(child.name)}."))
                break
            wait = 0.0 if time.monotonic() - born > STEADY else min(BACKOFF_MAX, wait * 2 or 0.25)
            child.restarts += 1
            print(f"{child.name} ended with code {code} and is started again.", file=sys.stderr, flush=True)
            self._mark(child, "restarting")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait if child.restarts > 1 else 0.01)
        self._mark(child, "stopped")

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        log = self._log(child.name)
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            child.process = await asyncio.create_subprocess_exec(
                *processes.die_with(os.getpid()), *child.command,
                stdin=asyncio.subprocess.DEVNULL, stdout=descriptor, stderr=descriptor,
                env={**child.environ, processes.MARKER: self.installation}, cwd=child.cwd, start_new_session=True,
            )
        finally:
            os.close(descriptor)
        child.pid, child.since = child.process.pid, datetime.now(UTC).isoformat(timespec="seconds")
        self._mark(child, "starting")
        return child.process

    async def _until_ready(self, child: Child, first: asyncio.Future[None]) -> None:
        deadline = time.monotonic() + child.ready_timeout
        try:
            while not await asyncio.to_thread(child.ready):
                if time.monotonic() > deadline:
                    raise ChildFailed(
                        f"{child.name} did not answer within {child.ready_timeout:.0f} s. Its log is {self._log(child.name)}.")
                await asyncio.sleep(0.1)
            if child.started:
                await asyncio.to_thread(child.started)
            self._mark(child, "ready")
            if not first.done():
                first.set_result(None)
        except Exception as error:
            if not first.done():
                first.set_exception(error)
            elif child.process and child.process.returncode is None:
                child.process.kill()  # it lives and does not serve: start it again

    async def _stop_all(self) -> None:
        for wave in reversed(self.waves):
            await asyncio.gather(*(self._stop(child) for child in wave))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        left = {*processes.descendants(), *processes.carrying(self.installation)}
        await asyncio.to_thread(processes.end, left, 5.0)
        self._write_status()

    async def _stop(self, child: Child) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), child.stop_grace)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def _housekeeping(self) -> None:
        reaper = processes.Reaper()
        while True:
            reaper.look()
            for child in self.children:
                self._rotate(self._log(child.name))
            await asyncio.sleep(2)

    def _rotate(self, log: Path) -> None:
        """Copy and truncate: the child keeps its open file, which it only appends to."""
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > LOG_MAX:
                log.with_suffix(".log.1").write_bytes(log.read_bytes())
                os.truncate(log, 0)

    def _log(self, name: str) -> Path:
        return self.state_dir / "logs" / f"{name}.log"

    def _mark(self, child: Child, state: str) -> None:
        child.state = state
        self._write_status()

    def _write_status(self) -> None:
        """run/status.json, whole or not at all."""
        document = {
            "supervisor": os.getpid(), "address": self.address,
            "children": {
                child.name: {"state": child.state, "pid": child.pid, "url": child.url, "restarts": child.restarts,
                             "since": child.since, "last_exit": child.last_exit}
                for child in self.children
            },
        }
        path = self.state_dir / "run" / "status.json"
        part = path.with_suffix(".json.part")
        with part.open("w") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def sweep(state_dir: Path) -> list[int]:
    """End what a killed supervisor left of its own children; call it with the lock held.

    Notebook servers and tool supervisors are left: hub and worker take them up again. Ended are the process numbers of
    `status.json`, and of those only the ones that carry the installation's marker.
    """
    try:
        known = json.loads((state_dir / "run" / "status.json").read_text())["children"]
    except (FileNotFoundError, ValueError, KeyError):
        return []
    ours = set(processes.carrying(processes.installation_id(state_dir)))
    left = [entry["pid"] for entry in known.values() if entry.get("pid") in ours]
    processes.end(left, 10.0)
    return left
