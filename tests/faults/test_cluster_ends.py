"""What ends a real cluster while it is at work: a notebook's kernel that is killed, and a budget that is spent."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import voxelhub
from distributed.client import Client, FutureCancelledError
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from sqlalchemy import select
from support.clustering import ENVIRONMENT, processes_naming
from support.live import LiveService, live_service
from support.playing import PlayedServers
from support.world import ROOT, add_project, until
from voxelhub import VoxelHubError
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.clusters import reconciler
from voxelhub_service.clusters.listening import api_answers
from voxelhub_service.clusters.local import LocalClusters
from voxelhub_service.clusters.next_step import KERNEL_GONE
from voxelhub_service.clusters.servers import Owner
from voxelhub_service.database import reading
from voxelhub_service.keeping import keeper
from voxelhub_service.ledger.metering import cost_of
from voxelhub_service.models import Cluster, Event, LedgerEntry
from voxelhub_service.runs.next_step import STOPPED
from voxelhub_service.runs.worker import Worker

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not ENVIRONMENT.is_dir(), reason="the environment imaging is not made here"),
]
PATIENCE = 15.0  # seconds of silence, in place of 45
GRACE = 3
SCHEDULER, WORKER = 0.1, 0.2  # EUR a second
PRICES = f"""
currency: EUR
date: 2026-11-01
scheduler_per_hour: {SCHEDULER * 3600}
kinds:
  - {{name: small, title: Small, cpu: 1, memory: 1 GiB, price_per_hour: {WORKER * 3600}, default: true}}
"""
BUDGETS = "currency: EUR\npeople: {bob: {money: 4}}\n"


@pytest.fixture(scope="module")
def live(tmp_path_factory) -> Iterator[LiveService]:
    """The service, and its worker with a shorter patience in a thread of this process."""
    folder = tmp_path_factory.mktemp("service")
    files = {"prices_file": folder / "prices.yaml", "budgets_file": folder / "budgets.yaml"}
    for path, text in zip(files.values(), (PRICES, BUDGETS), strict=True):
        path.write_text(text)
    options = {name: str(path) for name, path in files.items()}
    with pytest.MonkeyPatch.context() as patch, live_service(
            folder, envs_dir=ROOT / ".envs", budget_grace=GRACE, **options) as service:
        patch.setattr(keeper, "EVERY", 0.5)
        patch.setattr(reconciler, "METER", 1.0)
        patch.setenv("VOXELHUB_API_URL", service.url)
        add_project(service.context)
        hub = PlayedServers()
        hub.owners = {name: Owner(name, ["/projects/demo", "/projects/alpha"], {}) for name in ("alice", "bob")}
        worker = Worker(service.context, hub, api_answers(service.url.removesuffix("/api/v1")))
        worker.clusters.patience = PATIENCE
        working = threading.Thread(target=worker.run)
        working.start()
        yield service
        worker.stop()
        working.join(120)
        worker.cluster_driver.shutdown()


def row(live: LiveService, cluster_id: str) -> Cluster:
    with reading(live.context.engine) as session:
        return session.get_one(Cluster, cluster_id)


def started(process: psutil.Process) -> float:
    """Seconds since the machine's start, as the system wrote down: no clock that is set comes into it."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def runs(process: psutil.Process) -> bool:
    """And is not only waited for by whoever collects orphans."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def kernel(live, tmp_path, monkeypatch) -> Iterator[KernelManager]:
    """A notebook's kernel of alice."""
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-alice")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    spec = tmp_path / "kernels" / "here"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Here", "language": "python"}))
    specs = KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")])
    manager = KernelManager(kernel_name="here", kernel_spec_manager=specs)
    manager.start_kernel()
    yield manager
    manager.shutdown_kernel(now=True)


def test_a_cluster_lives_as_long_as_its_kernel(live, kernel):
    """Also while nothing of Python runs in it; and no longer than that."""
    notebook = kernel.client()
    notebook.start_channels()
    try:
        notebook.wait_for_ready(timeout=120)
        notebook.execute_interactive(
            "import ctypes, voxelhub\ncluster = voxelhub.Cluster(adapt=(0, 1), project='demo', quiet=True)", timeout=240)
        with reading(live.context.engine) as session:
            cluster_id = session.scalars(select(Cluster.id).where(Cluster.owner == "alice")).one()
        assert (row(live, cluster_id).state, row(live, cluster_id).made_in) == ("running", "notebook")
        # A function in C that holds Python's lock: no thread of the kernel gets a word in.
        notebook.execute_interactive(f"ctypes.PyDLL(None).sleep({PATIENCE + 3:.0f})", timeout=120)
        assert row(live, cluster_id).state == "running"
        assert row(live, cluster_id).kept_at > row(live, cluster_id).started_at
        processes = processes_naming(cluster_id)
        assert any("cluster_keeping.py" in part for one in processes for part in one.cmdline())
        os.kill(kernel.provisioner.process.pid, signal.SIGKILL)
        until(lambda: row(live, cluster_id).state == "closed")
        assert row(live, cluster_id).reason == KERNEL_GONE
        assert psutil.wait_procs(processes, timeout=60)[1] == []
        assert processes_naming(cluster_id) == []
    finally:
        notebook.stop_channels()


def test_what_was_let_go_needs_no_kernel(live, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-alice")
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # as in a notebook
    cluster = voxelhub.Cluster(adapt=(0, 1), project="demo", quiet=True)
    assert row(live, cluster.id).kept_at is not None
    keeper = cluster._keeper.process
    cluster.disconnect()
    assert keeper.poll() is not None
    assert (row(live, cluster.id).kept_at, row(live, cluster.id).state) == (None, "running")
    with voxelhub.Cluster.connect(cluster.id, quiet=True) as again:
        until(lambda: again._keeper.process.poll() is not None)  # nothing to keep: it was let go
    assert row(live, cluster.id).kept_at is None
    voxelhub.Cluster.connect(cluster.id, quiet=True).close()
    assert row(live, cluster.id).state == "closed"


def test_a_budget_that_is_spent_in_the_middle_of_a_computation(live, monkeypatch):
    """It is warned, ends after its grace with the figures, the computation fails and says why, and each second costs once."""
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-bob")
    cluster = voxelhub.Cluster(workers=1, project="demo", quiet=True)
    client: Client = cluster.get_client()
    client.wait_for_workers(1, timeout=120)
    futures = client.map(lambda _: time.sleep(600), range(3))
    processes = processes_naming(cluster.id)
    programs = {kind: [one for one in processes if any(f"{program}.py" in part for part in one.cmdline())]
                for kind, program in (("scheduler", "scheduler"), ("small", "worker"))}
    begun = {kind: min(started(one) for one in some) for kind, some in programs.items()}
    ended: dict[str, float] = {}

    def watch() -> None:
        """Until when a process of each kind was seen from outside."""
        while living := [kind for kind, some in programs.items() if any(map(runs, some))]:
            ended.update(dict.fromkeys(living, time.clock_gettime(time.CLOCK_BOOTTIME)))
            time.sleep(0.05)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    with pytest.raises(FutureCancelledError) as failed:
        client.gather(futures)
    assert "the cluster was closed" in str(failed.value)
    assert f"{STOPPED} The budget of bob for this month: " in str(failed.value)
    assert psutil.wait_procs(processes, timeout=60)[1] == []
    watching.join(60)
    until(lambda: row(live, cluster.id).state == "closed")
    spent = re.fullmatch(re.escape(STOPPED) + r" The budget of bob for this month: ([0-9.]+) of 4 EUR are spent\.",
                         cluster.refresh().reason)
    assert spent is not None and 4 <= float(spent[1]) < 4 + (SCHEDULER + WORKER) * (GRACE + 30)
    assert cluster.state == "closed"

    with reading(live.context.engine) as session:
        events = session.scalars(select(Event).where(Event.topic == "spend").order_by(Event.id))
        told = [one.payload["sentence"] for one in events]
        entries = {one.profile: one for one in session.scalars(select(LedgerEntry).where(LedgerEntry.subject == cluster.id))}
    assert "At its end nothing new may start." in told[0] and "what still runs is stopped at" in told[-1]
    usage = LocalClusters(live.context.settings.clusters_dir).folder(cluster.id).read_status()["usage"]
    assert {name: one.ended_at is not None for name, one in entries.items()} == dict.fromkeys(usage, True)
    for name, price in (("scheduler", SCHEDULER), ("small", WORKER)):
        assert cost_of(entries[name]) == pytest.approx(usage[name]["seconds"] * price, rel=0.01)
        outside = ended[name] - begun[name]
        assert outside - 2 < usage[name]["seconds"] < outside + 5, "and so it was, as seen from outside"
    assert usage.keys() == {"scheduler", "small"}
    with pytest.raises(VoxelHubError, match=r"of 4 EUR"):
        voxelhub.Cluster(workers=1, project="demo", quiet=True)
    client.close()
