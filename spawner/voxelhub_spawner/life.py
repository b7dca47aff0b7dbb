"""What a notebook server has used, kept as a file by its launcher, by a clock that nobody sets: the ledger is made from it.

    {"user", "server", "profile", "cpu", "gpus", "process": {"pid", "start"}, "started_at", "ended_at",
     "usage": {"seconds", "used_cpu_seconds", "peak_memory"}}

Written every second, so that a launcher that is killed loses no more; at the end with `ended_at`. Who reads it removes it then.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voxelhub_sandbox.limits import Confinement

NOTES = 1.0  # seconds between two times that the seconds are written down
MEASURES = 5.0  # and that memory and CPU are looked at, which costs more


class Life:
    """Of one server; a path of "" keeps nothing. A full disk never ends a server: what cannot be written now is written later."""

    def __init__(self, path: str, facts: Mapping[str, Any]) -> None:
        self._path = Path(path) if path else None
        self._facts = dict(facts) | {
            "process": {"pid": os.getpid(), "start": _start_ticks()}, "started_at": _now(), "ended_at": None}
        self._begun = time.monotonic()
        self._noted = self._measured = float("-inf")

    def note(self, confinement: Confinement) -> None:
        """Called often; does something when it is time."""
        now = time.monotonic()
        if now - self._noted < NOTES:
            return
        if now - self._measured >= MEASURES:
            self._measured = now
            confinement.measure()
        self._noted = now
        self._write(confinement)

    def end(self, confinement: Confinement) -> None:
        """The last words; CPU and memory of processes that are gone are as their cgroup, the last look, or the kernel, which
        counts for us what we waited for, knew them."""
        seconds = time.monotonic() - self._begun
        with contextlib.suppress(OSError):
            confinement.measure()
        waited, usage = resource.getrusage(resource.RUSAGE_CHILDREN), confinement.usage
        usage.cpu_seconds = max(usage.cpu_seconds, waited.ru_utime + waited.ru_stime)
        usage.peak_memory = max(usage.peak_memory, waited.ru_maxrss * 1024)
        self._facts["ended_at"] = _now()
        self._write(confinement, seconds, durable=True)

    def _write(self, confinement: Confinement, seconds: float | None = None, *, durable: bool = False) -> None:
        if self._path is None:
            return
        seconds = time.monotonic() - self._begun if seconds is None else seconds
        usage = {"seconds": round(seconds, 3), "used_cpu_seconds": round(confinement.usage.cpu_seconds, 2),
                 "peak_memory": confinement.usage.peak_memory}
        part = self._path.with_name(f".{self._path.name}.part")
        with contextlib.suppress(OSError):
            with part.open("w") as file:
                json.dump(self._facts | {"usage": usage}, file)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            part.replace(self._path)


def _start_ticks() -> int:
    """Clock ticks from boot to the start of this process (proc(5), field 22): tells it from a later one of the same number."""
    return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
