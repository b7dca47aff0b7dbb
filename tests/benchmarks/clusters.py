"""(g) Dask clusters: ready, tasks a second, large transfers and the reaction of adapt, beside a bare LocalCluster."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import voxelhub
from benchmarks.measure import median, table
from distributed import Client, LocalCluster
from support.live import live_service
from support.working import working
from support.world import ROOT, add_project, until

WORKERS, TASKS, BYTES = 2, 500, 100_000_000
MEMORY = "1 GiB"
Make = Callable[..., Any]
KINDS = ("VoxelHub", "LocalCluster")


def measure(folder: Path, rounds: int = 5) -> str:
    """Both kinds in turn, so that what else this machine does falls on both."""
    seen: dict[str, dict[str, list[float]]] = {kind: {} for kind in KINDS}
    with serving(folder), light_main():
        for _ in range(rounds):
            for kind, make in zip(KINDS, (ours, bare), strict=True):
                for name, value in one_round(make).items():
                    seen[kind].setdefault(name, []).append(value)
    return report(seen, rounds)


@contextmanager
def light_main() -> Iterator[None]:
    """Workers of a LocalCluster import the program again that started them: not this one, which is large."""
    program = vars(sys.modules["__main__"])
    file = program.pop("__file__", None)
    try:
        yield
    finally:
        if file is not None:
            program["__file__"] = file


@contextmanager
def serving(folder: Path) -> Iterator[None]:
    """The service and its worker, running already, as in an installation."""
    with live_service(folder, envs_dir=ROOT / ".envs") as service:
        add_project(service.context)
        environ = {"VOXELHUB_API_URL": service.url, "JUPYTERHUB_API_TOKEN": "token-of-bob"}
        with working(service.context), patch.dict(os.environ, environ):
            log = service.context.settings.state_dir / "worker.log"
            until(lambda: "works from now on" in log.read_text(), 120)
            yield


def ours(**size: Any) -> Any:
    return voxelhub.Cluster(project="demo", quiet=True, **size)


def bare(workers: int | None = None, adapt: tuple[int, int] | None = None) -> Any:
    """Of the same processes and threads; plain TCP, no sandbox, no service."""
    cluster = LocalCluster(n_workers=workers or 0, threads_per_worker=1, memory_limit=MEMORY, dashboard_address=None)
    if adapt:
        cluster.adapt(minimum=adapt[0], maximum=adapt[1])
    return cluster


def one_round(make: Make) -> dict[str, float]:
    """Seconds; tasks a second; MB a second."""
    found: dict[str, float] = {}
    started = time.perf_counter()
    with make(workers=WORKERS) as cluster:
        client = cluster.get_client()
        client.wait_for_workers(WORKERS, timeout=300)
        found["ready"] = time.perf_counter() - started
        found |= computing(client)
        client.close()
    with make(adapt=(0, WORKERS)) as cluster:
        client = cluster.get_client()
        found |= reacting(client)
        client.close()
    return found


def computing(client: Client) -> dict[str, float]:
    """What workers compute are lambdas: these travel whole, and workers in a sandbox see no tests."""
    client.gather(client.map(lambda value: value, range(50), pure=False))
    started = time.perf_counter()
    assert sum(client.gather(client.map(lambda value: value, range(TASKS), pure=False))) == TASKS * (TASKS - 1) // 2
    found = {"tasks": TASKS / (time.perf_counter() - started)}
    block = np.random.default_rng(0).integers(0, 255, BYTES, dtype=np.uint8)
    first, second = sorted(client.scheduler_info()["workers"])
    started = time.perf_counter()
    there = client.scatter(block, workers=[first], direct=True, hash=False)
    found["to a worker"] = BYTES / 1e6 / (time.perf_counter() - started)
    started = time.perf_counter()
    assert client.submit(len, there, workers=[second], pure=False).result() == BYTES
    found["worker to worker"] = BYTES / 1e6 / (time.perf_counter() - started)
    started = time.perf_counter()
    back = there.result()
    found["back"] = BYTES / 1e6 / (time.perf_counter() - started)
    assert back.nbytes == BYTES
    return found


def reacting(client: Client) -> dict[str, float]:
    """From no worker: until a first task is done; and, of work for several, until each worker is there."""
    started = time.perf_counter()
    client.submit(lambda value: value, 1, pure=False).result()
    found = {"first answer": time.perf_counter() - started}
    started = time.perf_counter()
    work = client.map(lambda _: __import__("time").sleep(0.05), range(600), pure=False)
    client.wait_for_workers(WORKERS, timeout=300)
    found["grown"] = time.perf_counter() - started
    client.cancel(work)
    del work
    started = time.perf_counter()
    until(lambda: not client.scheduler_info()["workers"], 300)
    found["empty again"] = time.perf_counter() - started
    return found


ROWS = (
    ("ready", f"scheduler, {WORKERS} workers and client ready", "s", True),
    ("tasks", f"{TASKS} empty tasks, there and back", "a second", False),
    ("to a worker", "100 MB, client to worker", "MB/s", False),
    ("worker to worker", "100 MB, worker to worker", "MB/s", False),
    ("back", "100 MB, worker to client", "MB/s", False),
    ("first answer", "adapt: a first task's answer, from no worker", "s", True),
    ("grown", f"adapt: {WORKERS} workers there, from one, by the load", "s", True),
    ("empty again", f"adapt: from {WORKERS} workers to none", "s", True),
)


def report(seen: dict[str, dict[str, list[float]]], rounds: int) -> str:
    rows = []
    for name, title, unit, time_ in ROWS:
        mine, theirs = (median(seen[kind][name]) for kind in KINDS)
        digits = 1 if time_ else 0
        rows.append([title, f"{mine:.{digits}f} {unit}", f"{theirs:.{digits}f} {unit}", f"{mine / theirs:.2f}"])
    return (
        f"Medians of {rounds} rounds, both kinds in turn. Ours: TLS 1.3 between all, a sandbox with limits for each process, "
        "asked for through the service, a dashboard. Bare: `LocalCluster`, plain TCP, no dashboard, unlimited processes. "
        "A ratio above 1 is more: longer where seconds stand, better where a rate stands.\n\n"
        f"{table(['', 'VoxelHub', 'LocalCluster', 'ratio'], rows)}\n\n"
        "We shrink on purpose one worker at a time, each after three seconds of less load.")
