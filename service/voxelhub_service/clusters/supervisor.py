"""Holds one cluster: `python -m voxelhub_service.clusters.supervisor <folder>`.

A process of its own session, so that it outlives the service's worker. It claims the cluster, starts scheduler and workers
behind bubblewrap and their limits, replaces workers that die, scales with the load, and writes status.json. It holds no
database connection. All that it started ends with it (PR_SET_PDEATHSIG); it ends by itself when nobody touched its lease.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from ..checkpoints import reached
from ..executors.folder import identity
from .accounts import Accounts
from .base import Outcome, Size
from .bell import ring
from .channel import Channel, Report, Retired, Silent
from .crew import Crew, Hopeless
from .folder import ClusterFolder, replace_json
from .processes import Process
from .record import Record, now

LOOK = 0.25  # seconds between two looks at limits, orders and the lease
BREATH = 0.01  # seconds between two rounds: who floods us with output or reports gets no core of ours
WRITE = 1.0  # seconds between two statuses when nothing happens
START_PATIENCE = 90.0  # seconds for the scheduler to answer
CLOSE_PATIENCE = 2.0  # seconds for scheduler and workers to end by themselves
STOPPED = "VoxelHub was stopped."
ABANDONED = "It was closed because VoxelHub no longer answered."
LOST_SCHEDULER = "Its scheduler {why}, and with it what was computed; create a new cluster."


class Supervisor:
    def __init__(self, folder: ClusterFolder) -> None:
        self.folder, self.spec = folder, folder.read_spec()
        self.record, self.accounts, self.channel = Record(folder.events), Accounts(), Channel()
        self.selector = selectors.DefaultSelector()
        self.state, self.address, self.started_at = "starting", "", now()
        self.asked_to_stop = False
        self._begun = self._active = time.monotonic()
        self._lease: tuple[int, float] = (0, time.monotonic())
        self._written = 0.0
        self._told = "starting"  # the last state that was rung for
        self._reports: list[Report | Retired] = []

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.held, self.port = hold_port()
        self._start_scheduler()
        self.crew = Crew(self.spec, self.folder.read_wish() or self.spec.wish, self.record, self._start_worker,
                         self.channel.retire, self._ended)
        try:
            self.crew.fill()
            self._write()
            reached("cluster.started")
            outcome, reason = self._hold()
        except Hopeless as error:
            outcome, reason = "failed", str(error)
        except OSError as error:
            traceback.print_exc()
            outcome, reason = "failed", f"A process of it could not be started ({error.strerror})."
        self._close(outcome, reason)

    # what it starts

    def _start_scheduler(self) -> None:
        pages = unix_listener(self.folder.run, "dashboard.sock")
        size = self.spec.size
        orders = {"port": self.port, "dashboard": pages.fileno(), "threads": size.threads, "resources": size.resources}
        with pages, self.channel.given as theirs:
            self.scheduler = Process(self.folder, self.spec, "scheduler", self.spec.scheduler, "scheduler", orders,
                                     stdin=theirs.fileno(), passed=[pages.fileno()])
        self._follow(self.scheduler)
        self.selector.register(self.channel.socket, selectors.EVENT_READ, self._hear)

    def _start_worker(self, name: str, size: Size) -> Process:
        orders = {"scheduler": f"tls://127.0.0.1:{self.port}", "name": name, "threads": size.threads, "memory": size.memory,
                  "resources": size.resources}
        process = Process(self.folder, self.spec, name, size, "worker", orders)
        self._follow(process)
        return process

    def _follow(self, process: Process) -> None:
        self.selector.register(process.output, selectors.EVENT_READ, process.take)
        self.selector.register(process.pidfd, selectors.EVENT_READ, lambda: None)

    def _ended(self, process: Process) -> None:
        """No longer followed; what it used is counted."""
        for descriptor in (process.output, process.pidfd):
            with contextlib.suppress(KeyError):
                self.selector.unregister(descriptor)
        process.close()
        self.accounts.end(process)

    # its life

    def _hold(self) -> tuple[Outcome, str]:
        """Until it must end; what became of it, and why."""
        next_look = 0.0
        while True:
            for key, _ in self.selector.select(LOOK):
                key.data()
            time.sleep(BREATH)
            for message in self._take_reports():
                self._note(message)
            if self.scheduler.ended():
                return self._without_scheduler()
            for name in [name for name, one in self.crew.members.items() if one.process.ended()]:
                self.crew.bury(name)
            if time.monotonic() < next_look:
                continue
            next_look = time.monotonic() + LOOK
            if ending := self._ending():
                return ending
            self.crew.heed(self.folder.read_wish() or self.crew.wish)
            self._mind_limits()
            if time.monotonic() - self._written >= WRITE:
                self._write()

    def _ending(self) -> tuple[Outcome, str] | None:
        if self.folder.close.exists():
            return "closed", self.folder.close.read_text().strip() or "It was closed."
        if self.asked_to_stop:
            return "closed", STOPPED
        if self._abandoned():
            return "closed", ABANDONED
        if self.state == "starting" and time.monotonic() - self._begun > START_PATIENCE:
            line = self.scheduler.last_line()
            return "failed", f"Its scheduler did not answer within {START_PATIENCE:g} seconds. {line}".strip()
        return None

    def _abandoned(self) -> bool:
        """Whether the lease was not touched for its time, by the clock that nobody sets."""
        try:
            touched = self.folder.lease.stat().st_mtime_ns
        except FileNotFoundError:
            touched = -1
        if touched != self._lease[0]:
            self._lease = (touched, time.monotonic())
        return time.monotonic() - self._lease[1] > self.spec.lease

    def _hear(self) -> None:
        try:
            self._reports += self.channel.read()
        except Silent:
            self.selector.unregister(self.channel.socket)
            self.scheduler.confinement.kill()  # it says nothing sensible any more

    def _take_reports(self) -> list[Report | Retired]:
        """Of several reports, the newest."""
        taken, self._reports = self._reports, []
        newest = [one for one in taken if isinstance(one, Report)][-1:]
        return [*(one for one in taken if isinstance(one, Retired)), *newest]

    def _note(self, message: Report | Retired) -> None:
        if isinstance(message, Retired):
            self.crew.retired(message.name, message.gone)
            return
        first = self.state == "starting"
        if first:
            self.state, self.address = "running", f"tls://127.0.0.1:{self.port}"
            self.record.add("state", "Its scheduler answers.", {"seconds": round(time.monotonic() - self._begun, 2)})
            self.held.close()
        if message.active:
            self._active = time.monotonic()
        before = set(self.crew.report.workers), self.crew.size
        self.crew.look(message)
        if first:  # somebody waits for that
            self._write()
        elif before != (set(message.workers), self.crew.size):
            self._written = 0.0

    def _mind_limits(self) -> None:
        if self.scheduler.confinement.breach():
            self.scheduler.confinement.kill()
        self.crew.breached()

    def _without_scheduler(self) -> tuple[Outcome, str]:
        self.scheduler.end()
        if self.folder.close.exists() or self.asked_to_stop:
            return self._ending() or ("closed", STOPPED)
        if self.scheduler.popen.returncode == 0 and self.state == "running":
            return "closed", "A client shut its scheduler down."
        why = self.scheduler.why()
        if self.state == "starting":
            return "failed", f"Its scheduler {why} before it answered. {self.scheduler.last_line()}".strip()
        return "failed", LOST_SCHEDULER.format(why=why)

    def _close(self, outcome: Outcome, reason: str) -> None:
        """Everything ends: by itself within a moment, else killed."""
        self.state = "closing"
        self._write(reason=reason)
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(self.channel.socket)
        self.channel.close(reason)
        living = [self.scheduler, *(one.process for one in self.crew.members.values())]
        deadline = time.monotonic() + (CLOSE_PATIENCE if outcome == "closed" else 0.0)
        while time.monotonic() < deadline and sum(one.ended() for one in living) < len(living):
            for key, _ in self.selector.select(0.05):
                key.data()
            time.sleep(BREATH)
        for process in living:
            process.end()
            self._ended(process)
        self.crew.members.clear()
        self.folder.forget_secrets()
        self.record.add("state", f"{'Closed' if outcome == 'closed' else 'Failed'}: {reason}")
        self._write("ended", outcome=outcome, reason=reason, ended_at=now())

    def _write(self, state: str = "", **more: Any) -> None:
        self._written = time.monotonic()
        over = state == "ended"
        living = [] if over else [self.scheduler, *(one.process for one in self.crew.members.values())]
        running: dict[str, int] = {}
        for process in living:
            running[process.size.profile] = running.get(process.size.profile, 0) + 1
        groups = [one.confinement.group.to_json() for one in living if one.confinement.group]
        replace_json(self.folder.status, {
            "state": state or self.state, "supervisor": identity(), "address": self.address, "started_at": self.started_at,
            "workers": [asdict(worker) for worker in self.crew.seen()], "wanted": self.crew.size,
            "desired": self.crew.report.desired, "waiting": self.crew.report.waiting,
            "idle": round(time.monotonic() - self._active, 1), "usage": self.accounts.total(living), "running": running,
            "cgroups": groups, "method": self.scheduler.confinement.method, **more})
        if self._told != (told := state or self.state):
            self._told = told
            ring(self.folder.path.parent)

    def _on_term(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked_to_stop = True


def hold_port() -> tuple[socket.socket, int]:
    """A free port of loopback that nobody is given by chance until it is listened on; the socket keeps it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the listener does, which may so take it from us
    held.bind(("127.0.0.1", 0))
    return held, held.getsockname()[1]


def unix_listener(folder: Path, name: str) -> socket.socket:
    """A listening UNIX socket however long the folder's path is (sun_path holds 108 bytes). Changes into the folder."""
    os.chdir(folder)
    Path(name).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    Path(name).chmod(0o600)
    listener.listen(64)
    os.chdir("/")
    return listener


def main() -> int:
    folder = ClusterFolder(Path(sys.argv[1]))
    if not folder.claim():
        return 0
    try:
        Supervisor(folder).run()
    except Exception:  # nobody shall wait for a result that never comes
        traceback.print_exc()
        folder.forget_secrets()
        status = folder.read_status()
        replace_json(folder.status, {
            "started_at": now(), "usage": {}, **status, "state": "ended", "outcome": "failed", "ended_at": now(), "workers": [],
            "running": {}, "reason": "The supervisor of this cluster failed; an administrator finds why in its supervisor.log."})
        os._exit(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
