"""The workers of one cluster: as many as are wanted, those that die replaced, those that are too many sent away one by one.

Stands in for Dask's nanny. What a worker's death costs in results, Dask computes again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .adapting import LOOKS, Measured, next_size, workers
from .base import ClusterSpec, Group, Size, Wish, WorkerSeen
from .channel import Report
from .processes import Process
from .record import Record

STORM, STORM_SECONDS = 6, 60.0  # deaths beyond twice the workers' number in so many seconds end the cluster
START_PATIENCE = 60.0  # seconds for a worker to register with the scheduler
RETIRE_PATIENCE = 10.0  # seconds after which one that could not leave is asked again


class Hopeless(Exception):
    """The cluster cannot go on; the text is the sentence for its owner."""


@dataclass
class Member:
    process: Process
    group: Group | None
    seen: bool = False  # by the scheduler
    leaving: float | None = None  # since when; its results are moving to others

    @property
    def state(self) -> str:
        return "leaving" if self.leaving is not None else "running" if self.seen else "starting"


class Crew:
    """`start(name, size)` starts a worker's process, `retire(names)` asks the scheduler to let workers go."""

    def __init__(self, spec: ClusterSpec, wish: Wish, record: Record, start: Callable[[str, Size], Process],
                 retire: Callable[[list[str]], None], ended: Callable[[Process], None]) -> None:
        self.spec, self.wish, self.record = spec, wish, record
        self._start, self._retire, self._ended = start, retire, ended
        self.size = wish.floor if wish.adaptive else min(wish.workers, wish.ceiling)
        self.members: dict[str, Member] = {}
        self.history: deque[Measured] = deque(maxlen=LOOKS)
        self.report = Report()
        self._count = 0
        self._deaths: deque[float] = deque()
        self._unborn = 0  # deaths in a row of workers that the scheduler never saw
        self._asked_again: dict[str, float] = {}

    def fill(self) -> None:
        """Start those that are missing."""
        for group in self.spec.groups:
            for _ in range(group.workers - sum(one.group == group for one in self.members.values())):
                self._begin(f"group-{group.name}", group.size, group)
        for _ in range(self.size - len(self._staying())):
            self._begin("worker", self.spec.size, None)

    def look(self, report: Report) -> None:
        """Take in a new report, decide, and do it."""
        self.report = report
        for name, member in self.members.items():
            if name in report.workers and not member.seen:
                member.seen, self._unborn = True, 0
        self._decide()
        self.fill()
        self._send_away()

    def heed(self, wish: Wish) -> None:
        if wish != self.wish:
            self.wish = wish
            self.history.clear()

    def retired(self, name: str, gone: bool) -> None:
        """The scheduler's answer: it leaves, or it could not."""
        member = self.members.get(name)
        if member is not None and member.leaving is not None and not gone:
            member.leaving = None
            self._asked_again[name] = time.monotonic() + RETIRE_PATIENCE

    def bury(self, name: str) -> None:
        """A worker's process has ended."""
        member = self.members.pop(name)
        process = member.process
        process.end()
        why = process.why()
        self._ended(process)  # from here on its counters stand still
        self._asked_again.pop(name, None)
        if member.leaving is not None:
            return
        measured: dict[str, Any] = {"seconds": round(process.seconds, 1), "peak_memory": process.confinement.usage.peak_memory}
        self.record.add("worker", f"{name} {why}; another takes its place.", measured)
        self._unborn += not member.seen
        self._mind_storm(process, why)

    def breached(self) -> None:
        """End those that are over their limits."""
        for member in self.members.values():
            if member.process.confinement.breach():
                member.process.confinement.kill()

    def seen(self) -> list[WorkerSeen]:
        found = []
        for name, one in self.members.items():
            told = self.report.workers.get(name)
            found.append(WorkerSeen(
                name, one.group.name if one.group else "", one.state, one.process.size.threads,  # type: ignore[arg-type]
                told.memory if told else 0, one.process.size.memory, told.cpu if told else 0.0, told.tasks if told else 0,
                round(one.process.seconds, 1)))
        return found

    def _begin(self, kind: str, size: Size, group: Group | None) -> None:
        self._count += 1
        name = f"{kind}-{self._count}"
        self.members[name] = Member(self._start(name, size), group)

    def _staying(self) -> list[str]:
        """Of the first size, without those that leave."""
        return [name for name, one in self.members.items() if one.group is None and one.leaving is None]

    def _decide(self) -> None:
        wish, report = self.wish, self.report
        free = [name for name in report.closable if name in self.members]
        measured = Measured(report.desired, report.waiting, sum(one.memory for one in report.workers.values()), len(free))
        self.history.append(measured)
        if wish.adaptive:
            decision = next_size(list(self.history), self.size, wish.floor, wish.ceiling)
        else:
            wanted = min(wish.workers, wish.ceiling)
            decision = next_size((), self.size, wanted, wanted)
        if decision.size == self.size:
            return
        verb = "Grows" if decision.size > self.size else "Shrinks"
        cause = decision.cause if wish.adaptive else f"{workers(wish.workers).capitalize()} are wanted."
        self.record.add("scale", f"{verb} from {self.size} to {workers(decision.size)}. {cause}",
                        {**measured.as_detail(), "from": self.size, "to": decision.size})
        self.size = decision.size
        self.history.clear()

    def _send_away(self) -> None:
        """One of those that are too many, unless one is on its way out: the idle before the busy, the unseen before all."""
        staying = self._staying()
        if len(staying) <= self.size or any(one.leaving is not None for one in self.members.values()):
            return
        unseen = [name for name in staying if name not in self.report.workers]
        if unseen:
            member = self.members[unseen[-1]]
            member.leaving = time.monotonic()
            member.process.confinement.kill()
            return
        may = [name for name in staying if self._asked_again.get(name, 0.0) < time.monotonic()]
        may.sort(key=lambda name: (name not in self.report.closable, self.report.workers[name].tasks))
        if may:
            self.members[may[0]].leaving = time.monotonic()
            self._retire([may[0]])

    def _mind_storm(self, process: Process, why: str) -> None:
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths[0] < now - STORM_SECONDS:
            self._deaths.popleft()
        if self._unborn >= 3:
            line = process.last_line()
            raise Hopeless(f"Its workers end before they are ready: {process.name} {why}."
                           + (f" Its log ends with: {line}" if line else ""))
        allowed = STORM + 2 * (self.size + sum(group.workers for group in self.spec.groups))
        if len(self._deaths) > allowed:
            raise Hopeless(f"{len(self._deaths)} of its workers ended within a minute; the last, {process.name}, {why}.")
