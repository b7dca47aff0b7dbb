"""How clusters share a machine: each keeps its floor, and what is free is divided among those that may grow. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Room:
    """Cores and bytes of memory."""

    cpus: float
    memory: int

    def minus(self, other: Room) -> Room:
        return Room(self.cpus - other.cpus, self.memory - other.memory)

    def times(self, count: int) -> Room:
        return Room(self.cpus * count, self.memory * count)

    def fits(self, one: Room) -> int:
        """How many of these fit into this room; never fewer than none."""
        counts = [int((self.cpus + 1e-9) / one.cpus) if one.cpus else None, self.memory // one.memory if one.memory else None]
        return max(0, min((count for count in counts if count is not None), default=0))


@dataclass(frozen=True)
class Share:
    """One open cluster: the size of one worker, how many it is sure of, has now, and may have; what its groups hold."""

    name: str
    worker: Room
    floor: int
    now: int
    ceiling: int
    groups: Room = Room(0, 0)


def promised(shares: Sequence[Share]) -> Room:
    """What is given for sure: floors and groups."""
    total = Room(0, 0)
    for one in shares:
        held = one.worker.times(one.floor)
        total = Room(total.cpus + held.cpus + one.groups.cpus, total.memory + held.memory + one.groups.memory)
    return total


def ceilings(room: Room, shares: Sequence[Share]) -> dict[str, int]:
    """The most workers that each may have now: what it has, and an equal part of what is free; never below its floor."""
    free = room
    for one in shares:
        free = free.minus(one.worker.times(max(one.now, one.floor))).minus(one.groups)
    growing = [one for one in shares if one.ceiling > max(one.now, one.floor)]
    found = {one.name: min(one.ceiling, max(one.now, one.floor)) for one in shares}
    for position, one in enumerate(growing):
        others = len(growing) - position
        part = Room(free.cpus / others, free.memory // others)
        more = min(one.ceiling - found[one.name], max(part.fits(one.worker), 1 if free.fits(one.worker) else 0))
        found[one.name] += more
        free = free.minus(one.worker.times(more))
    return found
