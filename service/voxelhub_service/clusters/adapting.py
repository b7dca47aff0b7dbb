"""How many workers a cluster shall have: up at once with the load, down one at a time when it has been less for a while. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

LOOKS = 6  # half seconds for which the load must ask for less before one worker leaves


@dataclass(frozen=True)
class Measured:
    """One look at the scheduler, about the workers that come and go. `closable`: idle ones whose data others can hold."""

    desired: int  # workers that the load asks for
    waiting: int  # tasks that are not yet computed
    memory: int  # bytes that they hold
    closable: int

    def as_detail(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Decision:
    size: int
    cause: str  # a sentence; empty when nothing changes


def next_size(history: Sequence[Measured], now: int, floor: int, ceiling: int) -> Decision:
    """The size to have now, from the looks since the size changed last (the newest last), within floor and ceiling.

    Up as far as the newest look asks; down by exactly one, and never below the floor.
    """
    floor = max(0, floor)
    ceiling = max(floor, ceiling)
    newest = history[-1] if history else Measured(0, 0, 0, 0)
    wanted = min(max(newest.desired, floor), ceiling)
    if now > ceiling:
        return Decision(now - 1, f"The ceiling is {workers(ceiling)}.")
    if wanted > now and wanted == floor:
        return Decision(floor, f"The floor is {workers(floor)}.")
    if wanted > now:
        more = "" if wanted == newest.desired else f"; the ceiling is {ceiling}"
        return Decision(wanted, f"The load asks for {workers(newest.desired)}, {tasks(newest.waiting)} wait{more}.")
    recent = history[-LOOKS:]
    if len(recent) < LOOKS or now == floor:
        return Decision(now, "")
    if all(look.desired < now and look.closable > 0 for look in recent):
        most = max(look.desired for look in recent)
        return Decision(now - 1, f"For {LOOKS / 2:g} seconds the load has asked for {workers(most)} or fewer.")
    return Decision(now, "")


def workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"
