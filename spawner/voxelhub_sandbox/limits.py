"""Limits on a process tree: cgroups where they can be had, else rlimits, CPU affinity and a watchdog.

    with Confinement(Limits(cpu=2, memory=4 * 1024**3, pids=512), "run-1") as confinement:
        process = subprocess.Popen(command, preexec_fn=confinement.join)
        confinement.watch(process.pid)
        while process.poll() is None:
            if reason := confinement.breach():
                confinement.kill()
            time.sleep(0.5)

`breach()` is None or a sentence for the user. The kernel itself enforces memory, CPU and process number under cgroups;
time and output size are watched in every method, memory and process number under `watchdog` too.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

import psutil

from . import cgroups

MARGIN = 64 * 1024  # bytes
Method = Literal["cgroup2", "cgroup1", "watchdog"]
SENTENCES: dict[Method, str] = {
    "cgroup2": "cgroup v2: the kernel limits memory, CPU and processes",
    "cgroup1": "cgroup v1: the kernel limits memory, CPU and processes",
    "watchdog": "rlimits and a watchdog that looks at memory and processes twice a second: weaker, no cgroup can be made here",
}


@dataclass(frozen=True)
class Limits:
    """None means no limit. `cpu` in cores, `memory` and `output` in bytes, `time` in seconds of wall clock."""

    cpu: float | None = None
    memory: int | None = None
    pids: int | None = None
    time: float | None = None
    output: int | None = None


@dataclass
class Usage:
    """What a tree used so far: seconds of CPU, bytes at the peak of memory, bytes written below the watched folder."""

    cpu_seconds: float = 0.0
    peak_memory: int = 0
    output: int = 0


def method(forced: Method | None = None) -> Method:
    """How limits are kept on this machine. Tries once per process; `forced` is for tests and settings."""
    if forced:
        return forced
    version = cgroups.usable()
    return "cgroup2" if version == 2 else "cgroup1" if version == 1 else "watchdog"


def describe() -> str:
    """For `voxelhub doctor`."""
    return SENTENCES[method()]


class Confinement:
    """The limits around one process tree. `name` must be unique on the machine; `output` is the folder whose size counts."""

    def __init__(self, limits: Limits, name: str, *, output: Path | None = None, forced: Method | None = None) -> None:
        self.limits, self.name, self.output = limits, name, output
        self.method = method(forced)
        self.group = cgroups.Group(name, 2 if self.method == "cgroup2" else 1) if self.method != "watchdog" else None
        self.usage = Usage()
        self._root: psutil.Process | None = None
        self._started = time.monotonic()
        self._next_walk = 0.0
        self._cpu: dict[tuple[int, float], float] = {}

    def __enter__(self) -> Confinement:
        if self.group:
            self.group.create(self.limits.cpu, self.limits.memory, self.limits.pids)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def join(self) -> None:
        """Called in the child before it starts its program (`preexec_fn`), or through `apply_to` on a running one."""
        if self.group:
            self.group.add(os.getpid())
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self.method == "watchdog":
            self._rlimits(os.getpid())

    def apply_to(self, pid: int) -> None:
        """Confine a process that runs already, and all that it starts from now on."""
        if self.group:
            self.group.add(pid)
        else:
            self._rlimits(pid)
        self.watch(pid)

    def watch(self, pid: int) -> None:
        """The tree below `pid` (itself included) is what usage and breaches are about; its time starts now."""
        self._started = time.monotonic()
        with contextlib.suppress(psutil.NoSuchProcess):
            self._root = psutil.Process(pid)

    def breach(self) -> str | None:
        """A sentence when a limit was passed, else None. Cheap enough to be called twice a second."""
        limits = self.limits
        if self.method == "watchdog" and limits.pids is not None and self._more_than(limits.pids):  # first: they may be many
            return f"It started more than {limits.pids} processes and was ended."
        self.measure()
        if limits.time is not None and time.monotonic() - self._started > limits.time:
            return f"It ran longer than its limit of {duration(limits.time)} and was ended."
        if limits.output is not None and self.usage.output > limits.output:
            return f"It wrote more than its limit of {amount(limits.output)} and was ended."
        if limits.memory is not None and self._out_of_memory():
            return f"It needed more memory than its limit of {amount(limits.memory)} and was ended."
        return None

    def measure(self) -> Usage:
        """Bring `usage` up to date. Looking at a big output folder gets rarer the longer it takes, until the program's end:
        what it wrote last counts too."""
        if self.group:
            self.usage.peak_memory = max(self.usage.peak_memory, self.group.peak_memory())
            self.usage.cpu_seconds = max(self.usage.cpu_seconds, self.group.cpu_seconds())
        else:
            self._measure_tree()
        if self.output is not None and (time.monotonic() >= self._next_walk or self._over()):
            started = time.monotonic()
            self.usage.output = folder_size(self.output)
            self._next_walk = time.monotonic() + 10 * (time.monotonic() - started)
        return self.usage

    def kill(self) -> None:
        """End every process of the tree at once."""
        if self.group:
            self.group.kill()
        self._kill_spaces()
        stopped: set[psutil.Process] = set()
        while new := set(self._tree()) - stopped:  # what is stopped starts nothing that would be left behind
            for process in new:
                with contextlib.suppress(psutil.Error):
                    process.send_signal(signal.SIGSTOP)
            stopped |= new
        for process in stopped:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Kill what is left and give the cgroup back."""
        if self.group:
            self.group.kill()
            self.group.remove()

    def _out_of_memory(self) -> bool:
        if self.group:
            return self.group.oom_kills() > 0
        return self.limits.memory is not None and self.usage.peak_memory > self.limits.memory

    def _over(self) -> bool:
        """Whether the program that is watched has ended."""
        try:
            return self._root is not None and (not self._root.is_running() or self._root.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    def _kill_spaces(self) -> None:
        """The first process of each process space that the program made: with it the kernel ends all that is in it, faster
        than any of them can start another. One by one, on a machine that they keep busy, they would win."""
        if self._root is None or not self._root.is_running():
            return
        ours = _space(os.getpid())
        for pid in _children(self._root.pid):
            if _space(pid) not in (None, ours):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    def _more_than(self, count: int) -> bool:
        """Whether the tree has more processes; no more of them are looked at than that needs."""
        if self._root is None or not self._root.is_running():
            return False
        seen, pending = 0, [self._root.pid]
        while pending and seen <= count:
            seen += 1
            pending += _children(pending.pop())
        return seen > count

    def _tree(self) -> Iterator[psutil.Process]:
        if self._root is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            if self._root.is_running():
                yield self._root
            yield from self._root.children(recursive=True)

    def _measure_tree(self) -> None:
        """Private memory of the tree plus the largest shared part: what sharing would otherwise count many times."""
        private, shared = 0, 0
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                info = process.memory_info()
                private += max(0, info.rss - info.shared)
                shared = max(shared, info.shared)
                times = process.cpu_times()
                self._cpu[process.pid, process.create_time()] = times.user + times.system
        self.usage.peak_memory = max(self.usage.peak_memory, private + shared)
        self.usage.cpu_seconds = sum(self._cpu.values())

    def _rlimits(self, pid: int) -> None:
        """RLIMIT_NPROC counts all processes of the user, so it is left to the watchdog; affinity stands in for a CPU quota."""
        if self.limits.output is not None:
            ceiling = self.limits.output + MARGIN  # above the limit, so that the watchdog sees what happened and says so
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (ceiling, ceiling))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        if self.limits.cpu is not None:
            cores = sorted(os.sched_getaffinity(pid))
            wanted = max(1, math.ceil(self.limits.cpu))
            if wanted < len(cores):
                offset = pid % len(cores)
                os.sched_setaffinity(pid, [cores[(offset + i) % len(cores)] for i in range(wanted)])


def _space(pid: int) -> str | None:
    """Which process space it is in; None when it is gone, or another user's."""
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None


def _children(pid: int) -> list[int]:
    """As the kernel lists them, thread by thread: without a look at every process of the machine."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def folder_size(folder: Path) -> int:
    """Bytes allocated or named by the files below; links are not followed, files that vanish are not counted."""
    total, pending = 0, [str(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
                        else:
                            total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def amount(size: int) -> str:
    value, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.3g} {unit}"


def duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
