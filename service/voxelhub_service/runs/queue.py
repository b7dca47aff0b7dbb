"""Which of the waiting tool runs begin now, and why the others wait: pure, from who waits, what goes on and what there is.

In order: higher priority; then whoever has the fewest runs going on, and of several such whose last one began longest ago; of one
person in the same way the batch (or the runs outside batches); then what was created first. Whoever waited PATIENCE without one
of their group beginning comes before all of that, the longest first, so that nothing waits for ever.

The first that does not fit is not starved by smaller ones: these may begin only where it would fit beside them and all that
began since it was created.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

PATIENCE = timedelta(hours=1)
ROUNDED = (1000, 500, 100, 50, 10)  # how many are before a run is told exactly only below the last of these
LONG_AGO = datetime.min.replace(tzinfo=UTC)
GIB = 1024**3
Group = tuple[str, str | None, int]  # owner, batch (None: outside batches), priority


@dataclass(frozen=True)
class Waiting:
    id: str
    owner: str
    created_at: datetime
    cpu: float  # cores
    memory: int  # bytes
    number: int = 0
    priority: int = 0
    batch: str | None = None

    @property
    def group(self) -> Group:
        return self.owner, self.batch, self.priority


@dataclass(frozen=True)
class Going:
    owner: str
    began: datetime
    cpu: float
    memory: int
    priority: int = 0
    batch: str | None = None


@dataclass(frozen=True)
class Capacity:
    """What tool runs share. `share`: runs of one person at the same time while others wait."""

    cpus: float
    memory: int
    slots: int
    share: int


@dataclass(frozen=True)
class Decision:
    """Ids of what begins, in order, and a sentence for each of the others."""

    start: list[str]
    reasons: dict[str, str]


@dataclass
class Room:
    """Cores, bytes and slots, taken and free."""

    cpu: float
    memory: int
    slots: int

    def take(self, cpu: float, memory: int) -> None:
        self.cpu, self.memory, self.slots = self.cpu - cpu, self.memory - memory, self.slots - 1

    def fits(self, cpu: float, memory: int) -> bool:
        return self.slots >= 1 and cpu <= self.cpu + 1e-9 and memory <= self.memory


def room_of(capacity: Capacity) -> Room:
    return Room(capacity.cpus, capacity.memory, capacity.slots)


def decide(
    waiting: Iterable[Waiting], going: Sequence[Going], capacity: Capacity, now: datetime,
    last_start: Mapping[Group, datetime] | None = None,
) -> Decision:
    """`last_start`: when a run of a group last began, as far as that is known. A run that asks for more cores than there are
    counts for all of them: it only takes longer.
    """
    most = capacity.cpus
    fitted = [one if one.cpu <= most else replace(one, cpu=most) for one in waiting]
    under_way = [one if one.cpu <= most else replace(one, cpu=most) for one in going]
    return _Turn(fitted, under_way, capacity, now, dict(last_start or {})).decide()


@dataclass
class _Turn:
    """One look at the line: groups in the order of their rank, which changes with each start."""

    waiting: Iterable[Waiting]
    going: Sequence[Going]
    capacity: Capacity
    now: datetime
    last_start: dict[Group, datetime]
    reasons: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.free = room_of(self.capacity)
        self.owners = Counter(one.owner for one in self.going)
        self.batches = Counter((one.owner, one.batch) for one in self.going)
        for other in self.going:
            self.free.take(other.cpu, other.memory)
        self.turns: dict[object, datetime] = {}  # when a run of an owner, and of a batch, last began
        for (owner, batch, _), at in self.last_start.items():
            self._turn(owner, batch, at)
        self.began = list(self.going)
        self.first: Waiting | None = None  # in order, of those that do not fit now
        self.beside: Room | None = None  # what may still be taken without keeping `first` out
        self.groups: dict[Group, deque[Waiting]] = {}
        for one in sorted(self.waiting, key=lambda one: (one.created_at, one.number, one.id)):
            if one.memory > self.capacity.memory:
                self.reasons[one.id] = _never(one, self.capacity)
            else:
                self.groups.setdefault(one.group, deque()).append(one)
        self.left = Counter({owner: 0 for owner, *_ in self.groups})
        for (owner, *_), many in self.groups.items():
            self.left[owner] += len(many)

    def decide(self) -> Decision:
        started: list[str] = []
        before = 0
        line = self._line()
        while line:
            _, group = heapq.heappop(line)
            one = self.groups[group].popleft()
            reason = self._reason(one, before)
            if reason:
                self.reasons[one.id], before = reason, before + 1
                if self.groups[group]:
                    heapq.heappush(line, (self._rank(group), group))
                continue
            started.append(one.id)
            self._begin(one)
            line = self._line()
        return Decision(started, self.reasons)

    def _line(self) -> list[tuple[tuple[object, ...], Group]]:
        line = [(self._rank(group), group) for group, many in self.groups.items() if many]
        heapq.heapify(line)
        return line

    def _rank(self, group: Group) -> tuple[object, ...]:
        owner, batch, priority = group
        head = self.groups[group][0]
        since = max(head.created_at, self.last_start.get(group, head.created_at))
        age = (head.created_at, head.number, head.id)
        if self.now - since >= PATIENCE:
            return (0, since, *age)
        return (1, -priority, self.owners[owner], self.turns.get(owner, LONG_AGO),
                self.batches[owner, batch], self.turns.get((owner, batch), LONG_AGO), *age)

    def _reason(self, one: Waiting, before: int) -> str:
        """Why it waits; '' where it begins."""
        if self.owners[one.owner] >= self.capacity.share and self._others_wait(one.owner):
            return f"{one.owner} has {_runs(self.owners[one.owner])} going on, and others wait too."
        fits = self.free.fits(one.cpu, one.memory)
        if fits and (self.beside is None or self.beside.fits(one.cpu, one.memory)):
            return ""
        if self.first is None:
            self.first, self.beside = one, self._beside(one)
        return _lacks(one, self.free, self.capacity) if before == 0 else _before(before)

    def _others_wait(self, owner: str) -> bool:
        return any(many and other != owner and self.owners[other] < self.capacity.share for other, many in self.left.items())

    def _beside(self, one: Waiting) -> Room:
        room = room_of(self.capacity)
        room.take(one.cpu, one.memory)
        for other in self.began:
            if other.began >= one.created_at:
                room.take(other.cpu, other.memory)
        return room

    def _begin(self, one: Waiting) -> None:
        self.free.take(one.cpu, one.memory)
        if self.beside is not None:
            self.beside.take(one.cpu, one.memory)
        self.began.append(Going(one.owner, self.now, one.cpu, one.memory, one.priority, one.batch))
        self.owners[one.owner] += 1
        self.batches[one.owner, one.batch] += 1
        self.left[one.owner] -= 1
        self.last_start[one.group] = self.now
        self._turn(one.owner, one.batch, self.now)

    def _turn(self, owner: str, batch: str | None, at: datetime) -> None:
        for key in (owner, (owner, batch)):
            self.turns[key] = max(at, self.turns.get(key, at))


def _never(one: Waiting, capacity: Capacity) -> str:
    """Made before the setting was lowered."""
    return (f"It needs {gib(one.memory)} GiB of memory, and all tool runs of this machine share {gib(capacity.memory)}. "
            "An administrator can raise VOXELHUB_RUN_MEMORY.")


def _lacks(one: Waiting, free: Room, capacity: Capacity) -> str:
    if free.slots < 1:
        return f"Waits for a place: {_runs(capacity.slots)} may go on at the same time."
    if one.memory > free.memory:
        return (f"Waits for memory: it needs {gib(one.memory)} GiB; {gib(max(free.memory, 0))} of {gib(capacity.memory)} GiB "
                "are free.")
    return f"Waits for cores: it needs {one.cpu:g}; {max(free.cpu, 0):g} of {capacity.cpus:g} are free."


def _before(count: int) -> str:
    """Rounded down, so that a long line is not rewritten at each start."""
    for step in ROUNDED:
        if count >= step:
            return f"More than {step} runs are before it." if count > step else f"{step} runs are before it."
    return f"{_runs(count)} {'is' if count == 1 else 'are'} before it."


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def gib(size: int) -> str:
    """8, 1.5, 0.25."""
    return f"{size / GIB:.2f}".rstrip("0").rstrip(".") or "0"
