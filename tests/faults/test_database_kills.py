"""The database server is killed as by a power cut and comes back: the service says so, waits, and goes on where it was.

Real processes: PostgreSQL, api, worker, supervisors, bubblewrap, import child and a tool. No run is lost or done twice.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import postgresql
from support.fleet import Fleet
from support.journeys import Journey, going
from support.world import ROOT, add_project, add_version, run_row, until
from voxelhub_sandbox.bubblewrap import unavailable

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(bool(postgresql.unavailable()), reason=postgresql.unavailable()),
    pytest.mark.skipif(not (ROOT / ".envs/tool-dicom-to-nifti").exists(), reason="the tool's environment is not installed"),
]
KILLS, SEED = 6, 7


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Cluster]:
    """Of this module alone: others are not to lose theirs. What it said to be committed must outlive its kill."""
    with postgresql.Cluster(synchronous_commit="on", full_page_writes="on") as started:
        yield started


@pytest.fixture(scope="module")
def fleet(server: postgresql.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with Fleet(tmp_path_factory.mktemp("fleet"), server.create("fleet")) as started:
        it: Any = started
        it.project = add_project(it.context, "alpha")
        it.entries = add_version(it.context, it.project, "data", {
            "table.csv": ("table", "table", "csv", {"table.csv": b"a,b\n1,2\n"})})
        until(lambda: not going(it), 120)  # the demonstration dataset comes in at the first start
        yield it


@pytest.fixture(autouse=True)
def logs_for_a_failure(fleet: Any, server: postgresql.Cluster) -> Iterator[None]:
    yield
    for path in (*fleet.logs.iterdir(), server.folder / "log"):
        print(f"--- {path.name}\n{path.read_text()[-3000:]}")


def _asked(fleet: Any, path: str) -> httpx.Response:
    """Once, without coming back."""
    answer: httpx.Response = fleet.client.get(path)
    return answer


def test_while_it_is_away_the_service_says_so_and_afterwards_everything_goes_on(fleet: Any, server: postgresql.Cluster) -> None:
    tool = Journey(fleet, "tool", "over the gap", sleep=2.0)
    tool.begin()
    until(lambda: run_row(fleet.context, tool.run_id).progress_text == "sleeping", 120)
    with fleet.client.stream("GET", "/events") as stream:  # an open stream ends; its client comes back
        lines = stream.iter_lines()
        assert next(lines).startswith("retry")
        server.kill()
        for path in ("/health", "/runs", "/entries", "/me"):
            answer = _asked(fleet, path)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), path
            assert answer.json()["code"] == "database_away" and answer.json()["fix"].startswith("Try again")
        assert list(lines)[-1] == "", "it ended in order, between two messages"
    until(lambda: fleet.executor.observe(tool.run_id).process == "ended", 60)  # it needs no database
    time.sleep(6)  # the worker's lease is renewed every 5 s: that fails now
    server.start()
    assert _asked(fleet, "/runs").status_code == 200, "the first request after its return is served"
    tool.check(tool.end(), "succeeded")
    assert fleet.deaths == [], "neither the service nor the worker had to be started again"


@pytest.mark.parametrize("kind", ["upload", "tool"])
@pytest.mark.parametrize("state", ["staging_in", "running", "staging_out"])
def test_killed_in_each_state_of_a_run(fleet: Any, server: postgresql.Cluster, kind: str, state: str) -> None:
    one = Journey(fleet, kind, f"{kind} {state}", sleep=0.5)
    one.begin()
    until(lambda: run_row(fleet.context, one.run_id).state in (state, "succeeded"), 120, step=0.005)
    server.kill()
    time.sleep(1.0)
    server.start()
    one.check(one.end(), "succeeded")
    assert fleet.deaths == []


def test_killed_again_and_again_while_several_work(fleet: Any, server: postgresql.Cluster, capsys: Any) -> None:
    """Every client goes on as its requests are answered; nothing is lost and nothing happens twice."""
    seed, count = random.Random(SEED), 0
    journeys = [Journey(fleet, "tool" if n % 2 else "upload", f"storm {n}", sleep=seed.random()) for n in range(6)]
    with ThreadPoolExecutor(3) as pool:
        walks = [pool.submit(one.walk) for one in journeys]
        while count < KILLS and wait(walks, seed.uniform(0.5, 3.0)).not_done:
            server.kill()
            time.sleep(seed.uniform(0.05, 1.5))
            server.start()
            count += 1
        for walk in walks:
            walk.result()
    for one in journeys:
        one.check(run_row(fleet.context, one.run_id), "succeeded")
    assert fleet.deaths == []
    with capsys.disabled():
        print(f"\n{count} kills of PostgreSQL (seed {SEED}) over {len(journeys)} runs: each ended once, nothing lost")


def test_nothing_is_left_of_the_server(tmp_path: Path) -> None:
    import psutil

    with postgresql.Cluster() as one:
        assert one.process is not None
        pids = [one.process.pid, *(child.pid for child in psutil.Process(one.process.pid).children(recursive=True))]
        assert len(pids) > 3
    assert not any(psutil.pid_exists(pid) for pid in pids) and not one.folder.exists()
