"""One cgroup per process tree: v2 where a part of the tree is delegated to us, v1 where we are root.

Interface files: Linux kernel documentation, admin-guide/cgroup-v2 and admin-guide/cgroup-v1.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTROLLERS = ("memory", "pids", "cpu")
PERIOD = 100_000  # µs


class Group:
    """A cgroup (v2), or one of the same name in each hierarchy (v1). Making it raises OSError where that is not allowed."""

    def __init__(self, name: str, version: int, parents: dict[str, Path] | None = None) -> None:
        self.version = version
        parents = parents or (v2_parents() if version == 2 else v1_parents())
        self.folders = {controller: parent / f"voxelhub-{name}" for controller, parent in parents.items()}

    def to_json(self) -> dict[str, object]:
        """What another process needs to end and remove this group after its maker was killed."""
        return {"version": self.version, "folders": {name: str(folder) for name, folder in self.folders.items()}}

    @classmethod
    def from_json(cls, known: dict[str, Any]) -> Group:
        group = cls.__new__(cls)
        group.version = known["version"]
        group.folders = {name: Path(folder) for name, folder in known["folders"].items()}
        return group

    def create(self, cpu: float | None, memory: int | None, pids: int | None) -> None:
        for folder in set(self.folders.values()):
            folder.mkdir(exist_ok=True)
        if memory is not None:
            if self.version == 2:
                self._set("memory", "memory.max", memory)
                with contextlib.suppress(OSError):
                    self._set("memory", "memory.swap.max", 0)
            else:
                self._set("memory", "memory.limit_in_bytes", memory)
                with contextlib.suppress(OSError):  # absent without swap accounting
                    self._set("memory", "memory.memsw.limit_in_bytes", memory)
        if pids is not None:
            self._set("pids", "pids.max", pids)
        if cpu is not None:
            quota = max(1000, int(cpu * PERIOD))
            if self.version == 2:
                self._set("cpu", "cpu.max", f"{quota} {PERIOD}")
            else:
                self._set("cpu", "cpu.cfs_period_us", PERIOD)
                self._set("cpu", "cpu.cfs_quota_us", quota)

    def add(self, pid: int) -> None:
        for folder in set(self.folders.values()):
            (folder / "cgroup.procs").write_text(str(pid))

    def pids(self) -> set[int]:
        found: set[int] = set()
        for folder in set(self.folders.values()):
            with contextlib.suppress(OSError):
                found |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
        return found

    def kill(self, patience: float = 10.0) -> None:
        """SIGKILL until nothing is left; a fork in the meantime is found by the next round."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.version == 2:
                with contextlib.suppress(OSError):
                    (self.folders["memory"] / "cgroup.kill").write_text("1")
            left = self.pids() - {os.getpid()}
            if not left:
                return
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def remove(self) -> None:
        for folder in set(self.folders.values()):
            for _ in range(50):  # a killed process leaves its group a moment later
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)

    def oom_kills(self) -> int:
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        return self._keyed("memory", name).get("oom_kill", 0)

    def peak_memory(self) -> int:
        return self._number("memory", "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes")

    def cpu_seconds(self) -> float:
        if self.version == 2:
            return self._keyed("cpu", "cpu.stat").get("usage_usec", 0) / 1e6
        return self._number("cpuacct", "cpuacct.usage") / 1e9

    def _set(self, controller: str, name: str, value: object) -> None:
        if controller in self.folders:
            (self.folders[controller] / name).write_text(str(value))

    def _number(self, controller: str, name: str) -> int:
        try:
            return int((self.folders[controller] / name).read_text())
        except (OSError, ValueError, KeyError):
            return 0

    def _keyed(self, controller: str, name: str) -> dict[str, int]:
        try:
            lines = (self.folders[controller] / name).read_text().splitlines()
        except (OSError, KeyError):
            return {}
        return {key: int(value) for key, _, value in (line.partition(" ") for line in lines) if value.isdigit()}


@functools.cache
def usable() -> int:
    """2, 1 or 0 (none): decided by confining a real process."""
    for version, parents in ((2, v2_parents()), (1, v1_parents())):
        if all(controller in parents for controller in CONTROLLERS):
            group = Group(f"probe-{os.getpid()}", version, parents)
            try:
                group.create(cpu=1, memory=64 * 1024**2, pids=16)
                subprocess.run(["/bin/sh", "-c", ":"], preexec_fn=lambda group=group: group.add(os.getpid()), check=True)  # type: ignore[misc]
                return version
            except (OSError, subprocess.SubprocessError):
                continue
            finally:
                with contextlib.suppress(OSError):
                    group.remove()
    return 0


def v2_parents(root: Path | None = None, own: str | None = None) -> dict[str, Path]:
    """The nearest cgroup at or above our own that may have children with our controllers; {} where there is none.

    systemd delegates `user@<uid>.service` to its user: there an ancestor of ours qualifies, while our own does not, because
    a v2 cgroup with processes cannot hand controllers to children.
    """
    root = root or _mounts().get("cgroup2")
    own = own if own is not None else _own("")
    if root is None or own is None:
        return {}
    folder = root / own.lstrip("/")
    while folder.is_relative_to(root):
        if os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK) and _hand_down(folder):
            return dict.fromkeys(CONTROLLERS, folder)
        if folder == root:
            break
        folder = folder.parent
    return {}


def _hand_down(folder: Path) -> bool:
    control = folder / "cgroup.subtree_control"
    try:
        missing = set(CONTROLLERS) - set(control.read_text().split())
        if not missing:
            return True
        if not missing <= set((folder / "cgroup.controllers").read_text().split()):
            return False
        control.write_text(" ".join(f"+{controller}" for controller in sorted(missing)))
    except OSError:
        return False
    return True


def v1_parents() -> dict[str, Path]:
    """Our own cgroup in each v1 hierarchy, so that a limit around us still holds."""
    mounts, found = _mounts(), {}
    for controller in (*CONTROLLERS, "cpuacct"):
        own, mount = _own(controller), mounts.get(controller)
        if own is None or mount is None:
            continue
        folder = mount / own.lstrip("/")
        found[controller] = folder if folder.is_dir() else mount
    return found


@dataclass(frozen=True)
class Around:
    """What the cgroups that hold this process allow all of it together; None: they set no limit."""

    memory: int | None  # bytes
    cpus: float | None  # cores


def limits_around(mounts: dict[str, Path] | None = None, own: Callable[[str], str | None] | None = None) -> Around:
    """The least limit of our own cgroup and of those above it, in either version; where it is hidden from us, none."""
    mounts, own = _mounts() if mounts is None else mounts, own or _own
    memory: list[int] = []
    cpus: list[float] = []
    for controller in ("memory", "cpu", "cgroup2"):
        mount, path = mounts.get(controller), own("" if controller == "cgroup2" else controller)
        if mount is None or path is None:
            continue
        folder = mount / path.lstrip("/")
        while folder.is_relative_to(mount):
            memory += [int(text) for name in ("memory.max", "memory.limit_in_bytes") if (text := _text(folder / name)).isdigit()]
            quota, _, period = _text(folder / "cpu.max").partition(" ")
            if not quota:
                quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
            if quota.isdigit() and period.isdigit():
                cpus.append(int(quota) / max(int(period), 1))
            folder = folder.parent
    return Around(min(memory, default=None), min(cpus, default=None))


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _mounts() -> dict[str, Path]:
    """Where each v1 controller and the v2 tree are mounted."""
    found: dict[str, Path] = {}
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        left, _, right = line.partition(" - ")
        where = Path(left.split()[4])
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup2":
            found.setdefault("cgroup2", where)
        elif kind == "cgroup":
            for option in options.split(","):
                found.setdefault(option, where)
    return found


def _own(controller: str) -> str | None:
    """Our path in a hierarchy; the empty name is v2."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(",") if controller else names == "":
            return path
    return None
