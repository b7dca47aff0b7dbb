"""Holds clusters on this machine, each under a detached supervisor that a restarted worker finds again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from voxelhub_sandbox.cgroups import Group as Cgroup

from ..executors.folder import alive, read_json
from ..executors.local import size_of
from .base import ClusterObservation, ClusterSpec, Happened, Wish, WorkerSeen
from .certificates import write_certificates
from .folder import NAME, ClusterFolder
from .record import read_log, read_record

MAX_STARTS = 3  # of a supervisor that ends before it claims its cluster
COULD_NOT_START = "This cluster could not be started; an administrator finds why in its supervisor.log."
STOP_PATIENCE = 10.0  # seconds a supervisor has to end its cluster when VoxelHub stops


class LocalClusters:
    def __init__(self, clusters_dir: Path) -> None:
        self.clusters_dir = clusters_dir
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._failed_starts: dict[str, int] = {}
        self._read: dict[str, tuple[int, int]] = {}

    def folder(self, cluster_id: str) -> ClusterFolder:
        return ClusterFolder(self.clusters_dir / cluster_id)

    def create(self, cluster_id: str, spec: ClusterSpec) -> None:
        folder = self.folder(cluster_id)
        if folder.claimed() or self._starting(cluster_id):
            return
        folder.make(spec)
        write_certificates(folder.tls, cluster_id)
        with (folder.path / "supervisor.log").open("ab") as errors:
            self._started[cluster_id] = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.supervisor", str(folder.path)],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True, cwd="/")

    def observe(self, cluster_id: str) -> ClusterObservation:
        folder = self.folder(cluster_id)
        starting = self._starting(cluster_id)
        if not folder.claimed():
            if self._failed_starts.get(cluster_id, 0) >= MAX_STARTS:
                return ClusterObservation("ended", "failed", COULD_NOT_START)
            return ClusterObservation("starting" if starting else "absent")
        living = folder.held()  # before the status: one that is gone may have written its result just before
        status = folder.read_status()
        if not status:
            return ClusterObservation("starting" if living else "lost")
        ended = status["state"] == "ended"
        return ClusterObservation(
            "ended" if ended else status["state"] if living else "lost", outcome=status.get("outcome"),
            reason=status.get("reason", ""), address=status.get("address", ""),
            workers=tuple(WorkerSeen(**one) for one in status.get("workers", ())), wanted=status.get("wanted", 0),
            desired=status.get("desired", 0), waiting=status.get("waiting", 0), idle=status.get("idle", 0.0),
            usage=status.get("usage", {}), running=status.get("running", {}) if living and not ended else {},
            started_at=status.get("started_at"), ended_at=status.get("ended_at"))

    def events(self, cluster_id: str, after: int) -> list[Happened]:
        path = self.folder(cluster_id).events
        state = (size_of(path), after)
        if self._read.get(cluster_id) == state:
            return []
        found = read_record(path, after)
        if not found:
            self._read[cluster_id] = state  # nothing behind that number until it grows
        return found

    def wish(self, cluster_id: str, wish: Wish) -> None:
        folder = self.folder(cluster_id)
        if folder.path.is_dir() and folder.read_wish() != wish:
            folder.write_wish(wish)

    def hold(self, cluster_id: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.folder(cluster_id).lease)

    def close(self, cluster_id: str, reason: str) -> None:
        folder = self.folder(cluster_id)
        if folder.path.is_dir() and not folder.close.exists():
            part = folder.close.with_name(f".close.{os.getpid()}")
            part.write_text(reason)
            part.replace(folder.close)

    def sweep(self, cluster_id: str) -> None:
        """What a killed supervisor left: its cgroups, and in them the processes that no sandbox ended with it; keys, scratch."""
        folder = self.folder(cluster_id)
        if folder.held():
            return
        for known in folder.read_status().get("cgroups", ()):
            group = Cgroup.from_json(known)
            group.kill()
            group.remove()
        folder.forget_secrets()
        self._failed_starts.pop(cluster_id, None)
        self._read.pop(cluster_id, None)

    def credentials(self, cluster_id: str) -> tuple[str, str, str]:
        tls = self.folder(cluster_id).tls
        try:
            authority, certificate, key = ((tls / "client" / f"{name}.pem").read_text() for name in ("ca", "cert", "key"))
        except FileNotFoundError:
            raise KeyError(cluster_id) from None
        return authority, certificate, key

    def log_names(self, cluster_id: str) -> list[str]:
        """The scheduler first, then in the order in which they were started."""
        logs = sorted(self.folder(cluster_id).logs.glob("*.log"), key=lambda path: (path.stem != "scheduler", _number(path.stem)))
        return [path.stem for path in logs]

    def log(self, cluster_id: str, name: str, size: int) -> str:
        if not NAME.fullmatch(name):
            return ""
        return read_log(self.folder(cluster_id).logs / f"{name}.log", size)

    def adopt(self) -> list[str]:
        return [folder.path.name for folder in self._folders() if folder.held()]

    def shutdown(self) -> None:
        """TERM to every supervisor of ours; each ends its processes and writes why."""
        living = [known for folder in self._folders() if alive(known := read_json(folder.claim_file))]
        _signal(living, signal.SIGTERM)
        deadline = time.monotonic() + STOP_PATIENCE
        while time.monotonic() < deadline and any(alive(process) for process in living):
            time.sleep(0.05)
        _signal(living, signal.SIGKILL)
        for cluster_id in list(self._started):
            self._starting(cluster_id)

    def _folders(self) -> Iterator[ClusterFolder]:
        for path in self.clusters_dir.iterdir() if self.clusters_dir.is_dir() else ():
            if path.is_dir():
                yield ClusterFolder(path)

    def _starting(self, cluster_id: str) -> bool:
        """Whether a supervisor that we started still runs; one that has ended is collected."""
        process = self._started.get(cluster_id)
        if process is None or process.poll() is None:
            return process is not None
        del self._started[cluster_id]
        if not self.folder(cluster_id).claimed():
            self._failed_starts[cluster_id] = self._failed_starts.get(cluster_id, 0) + 1
        return False


def _number(name: str) -> int:
    return int(tail) if (tail := name.rpartition("-")[2]).isdecimal() else 0


def _signal(processes: list[dict[str, object]], number: signal.Signals) -> None:
    for process in processes:
        if alive(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(str(process["pid"])), number)
