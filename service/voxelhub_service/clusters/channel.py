"""What the scheduler says to its supervisor, taken as from an enemy: bounded, typed, numbers and names only."""

from __future__ import annotations

import contextlib
import json
import math
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_LINE = 1024**2  # bytes; a report about a thousand workers takes 100 KB
MAX_NUMBER = 2**53
MAX_RESOURCES = 16


@dataclass(frozen=True)
class WorkerReport:
    tasks: int
    memory: int
    cpu: float


@dataclass(frozen=True)
class Report:
    """One look at the scheduler. `workers` are those that are registered with it."""

    workers: Mapping[str, WorkerReport] = field(default_factory=dict)
    desired: int = 0
    waiting: int = 0
    active: bool = False
    closable: tuple[str, ...] = ()
    unrunnable: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Retired:
    name: str
    gone: bool


class Silent(Exception):
    """It says what cannot be, or the connection ended."""


class Channel:
    """Our end of a pair of sockets; `given` is the one that the scheduler gets."""

    def __init__(self) -> None:
        self.socket, self.given = socket.socketpair()
        self.socket.setblocking(False)
        self._pending = b""

    def read(self) -> list[Report | Retired]:
        """What came since the last time; raises Silent."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return []
        except OSError as error:
            raise Silent from error
        if not data:
            raise Silent
        *lines, self._pending = (self._pending + data).split(b"\n")
        if len(self._pending) > MAX_LINE:
            raise Silent
        return [message for line in lines if (message := parse(line)) is not None]

    def retire(self, names: list[str]) -> None:
        """Lost when the scheduler does not read: then it is asked again."""
        with contextlib.suppress(OSError):
            self.socket.send(json.dumps({"retire": names}).encode() + b"\n")

    def close(self, reason: str = "") -> None:
        """Whose computations end by that are told the reason."""
        with contextlib.suppress(OSError):
            self.socket.send(json.dumps({"close": reason}).encode() + b"\n")
        with contextlib.suppress(OSError):
            self.socket.close()


def parse(line: bytes) -> Report | Retired | None:
    """None for what is no message of ours."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if isinstance(found.get("retired"), str):
        return Retired(found["retired"], found.get("gone") is True)
    workers = found.get("workers")
    if not isinstance(workers, dict):
        return None
    return Report(
        {name: WorkerReport(whole(one.get("tasks")), whole(one.get("memory")), number(one.get("cpu")))
         for name, one in workers.items() if isinstance(one, dict)},
        desired=whole(found.get("desired")), waiting=whole(found.get("waiting")), active=found.get("active") is True,
        closable=tuple(name for name in _list(found.get("closable")) if isinstance(name, str)),
        unrunnable=_resources(found.get("unrunnable")),
    )


def _resources(found: Any) -> dict[str, int]:
    if not isinstance(found, dict):
        return {}
    named = [(name[:32], whole(count)) for name, count in found.items() if name[:32].isidentifier()]
    return dict(named[:MAX_RESOURCES])


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def number(found: Any) -> float:
    """Not negative, finite, not absurd; 0 for anything else."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return 0.0
    if isinstance(found, float) and not math.isfinite(found):
        return 0.0
    return float(min(max(found, 0), MAX_NUMBER))


def whole(found: Any) -> int:
    return int(number(found))
