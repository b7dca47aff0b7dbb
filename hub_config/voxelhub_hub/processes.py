"""Which processes belong to an installation, and how they are ended. Reads /proc; ends nothing that is not ours.

Every process that `voxelhub up` starts inherits VOXELHUB_INSTALLATION, a random name of the state folder. A process
that carries it is ours, whoever its parent is now; no process number is trusted across a restart.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

MARKER = "VOXELHUB_INSTALLATION"
PR_SET_CHILD_SUBREAPER = 36


def installation_id(state_dir: Path) -> str:
    """The random name of a state folder, made once."""
    path = state_dir / "run" / "installation"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}")
        part.write_text(secrets.token_hex(16))
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
        part.unlink()
    return path.read_text().strip()


def die_with(parent: int) -> list[str]:
    """The beginning of a command whose process gets SIGTERM when `parent`, which starts it, dies."""
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("die_with_parent.py")), str(parent)]


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent dies."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def carrying(installation: str) -> list[int]:
    """Live processes that carry the marker, this one excepted."""
    wanted = f"{MARKER}={installation}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def descendants() -> list[int]:
    """Every process below this one."""
    found: list[int] = []
    left = children_of(os.getpid())
    while left:
        pid = left.pop()
        found.append(pid)
        left += children_of(pid)
    return found


class Reaper:
    """Collects adopted processes that have ended.

    Only those found ended at two looks: a child of our own is collected at once by whoever started it.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def look(self) -> None:
        ended = {pid for pid in children_of(os.getpid()) if not alive(pid)}
        for pid in ended & self._seen:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        self._seen = ended


def end(pids: Iterable[int], grace: float) -> list[int]:
    """TERM to the topmost, which end their own; after `grace` seconds KILL to all that are left, which are returned."""
    handles: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            handles[pid] = os.pidfd_open(pid)
    try:
        _signal({pid: handle for pid, handle in handles.items() if parent_of(pid) not in handles}, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while (left := [pid for pid in handles if alive(pid)]) and time.monotonic() < deadline:
            time.sleep(0.05)
        _signal({pid: handles[pid] for pid in left}, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while any(alive(pid) for pid in left) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left
    finally:
        for handle in handles.values():
            os.close(handle)


def _signal(handles: dict[int, int], number: signal.Signals) -> None:
    for handle in handles.values():
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, number)


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def alive(pid: int) -> bool:
    """Running, as opposed to gone or ended and not yet collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
