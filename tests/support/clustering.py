"""A place with a cluster driver, as tests of clusters need it: specifications, clients of the real Dask, processes counted."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from distributed import Client
from distributed.security import Security
from support.world import ROOT
from voxelhub_service.clusters.base import ClusterDriver, ClusterObservation, ClusterSpec, Group, Size, Wish
from voxelhub_service.clusters.local import LocalClusters
from voxelhub_service.clusters.processes import KERNELS

MIB = 1024**2
ENVIRONMENT = ROOT / ".envs" / "imaging"
SMALL = Size("small", 1, 512 * MIB)


class LocalPlace:
    """The driver `local`, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clusters"
        self.driver: LocalClusters = LocalClusters(self.folder)

    def again(self) -> ClusterDriver:
        """As the next worker has it, which knows nothing of what the one before began."""
        return LocalClusters(self.folder)

    def spec(self, wish: Wish, size: Size = SMALL, groups: tuple[Group, ...] = (), **more: Any) -> ClusterSpec:
        mounts = ((str(ENVIRONMENT), str(ENVIRONMENT)), (str(KERNELS), str(KERNELS)))
        return ClusterSpec(str(ENVIRONMENT), size, wish, groups, read_only=mounts, **more)

    def processes(self, cluster_id: str) -> list[psutil.Process]:
        """All that belong to it, the supervisor among them; those that ended and were not collected too."""
        return processes_naming(str(self.folder / cluster_id))

    def supervisor(self, cluster_id: str) -> psutil.Process:
        return psutil.Process(self.driver.folder(cluster_id).read_status()["supervisor"]["pid"])

    def program(self, cluster_id: str, name: str) -> psutil.Process:
        """The Python of one process of a cluster: `scheduler` or a worker's name."""
        wanted = "scheduler.py" if name == "scheduler" else f'"name": "{name}"'
        for one in self.supervisor(cluster_id).children(recursive=True):
            line = one.cmdline()
            if line and "bwrap" not in line[0] and any(wanted in part for part in line):
                return one
        raise AssertionError(f"{name} does not run")

    def end(self) -> None:
        self.driver.shutdown()


def processes_naming(text: str) -> list[psutil.Process]:
    """Processes whose command line names a folder, and all below them."""
    found: dict[int, psutil.Process] = {}
    for one in psutil.process_iter():
        try:
            if any(text in part for part in one.cmdline()):
                found |= {each.pid: each for each in (one, *one.children(recursive=True))}
        except psutil.Error:
            continue
    return list(found.values())


def wait(driver: ClusterDriver, cluster_id: str, ready: Callable[[ClusterObservation], object], seconds: float = 240,
         hold: bool = True) -> ClusterObservation:
    """Observe it, as the service does, until that is so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if hold:
            driver.hold(cluster_id)
        seen = driver.observe(cluster_id)
        if ready(seen):
            return seen
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {seen}, {driver.events(cluster_id, 0)}")


def working(seen: ClusterObservation) -> int:
    return sum(one.state == "running" for one in seen.workers)


def has(count: int) -> Callable[[ClusterObservation], bool]:
    """Exactly so many workers, all of them at work."""
    return lambda seen: working(seen) == count == len(seen.workers)


def security(credentials: tuple[str, str, str], folder: Path) -> Security:
    """A client's; the PEM texts become files, as Dask wants them."""
    for name, text in zip(("ca", "cert", "key"), credentials, strict=True):
        (folder / f"{name}.pem").write_text(text)
    return Security(require_encryption=True, tls_ca_file=str(folder / "ca.pem"), tls_client_cert=str(folder / "cert.pem"),
                    tls_client_key=str(folder / "key.pem"))


@contextmanager
def connected(driver: ClusterDriver, cluster_id: str) -> Iterator[Client]:
    address = wait(driver, cluster_id, lambda seen: seen.address).address
    with tempfile.TemporaryDirectory() as folder, Client(
            address, security=security(driver.credentials(cluster_id), Path(folder)), timeout=60, set_as_default=False) as client:
        yield client
