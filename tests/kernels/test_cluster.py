"""voxelhub.Cluster against the real service, worker, scheduler and workers, each in its sandbox."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import voxelhub
from support.live import LiveService, live_service
from support.working import working
from support.world import ROOT, add_project, until
from voxelhub import VoxelHubError
from voxelhub import cluster_calls as calls
from voxelhub.cluster_text import facts, summary

PRICES = """
currency: EUR
date: 2026-01-01
scheduler_per_hour: 0.02
kinds:
  - {name: small, title: Small, cpu: 1, memory: 1 GiB, price_per_hour: 0.05, default: true}
"""
BUDGETS = """
people:
  alice: {cpu_hours: 0}
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[LiveService]:
    folder = tmp_path_factory.mktemp("service")
    files = {"prices_file": folder / "prices.yaml", "budgets_file": folder / "budgets.yaml"}
    for path, text in zip(files.values(), (PRICES, BUDGETS), strict=True):
        path.write_text(text)
    with live_service(folder, envs_dir=ROOT / ".envs", **{name: str(path) for name, path in files.items()}) as live:
        add_project(live.context)
        with working(live.context):
            yield live


@pytest.fixture(scope="module", autouse=True)
def bob(service) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOXELHUB_API_URL", service.url)
        patch.setenv("JUPYTERHUB_API_TOKEN", "token-of-bob")
        patch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/bob/")
        yield


@pytest.fixture(scope="module")
def cluster(service, bob) -> Iterator[voxelhub.Cluster]:
    """One for all tests that look; it is closed by a `with`."""
    with voxelhub.Cluster(adapt=(1, 2), project="demo", name="Of the tests", quiet=True) as made:
        yield made


def test_it_computes_with_the_workers_own_versions_and_encrypted(cluster):
    client = cluster.get_client()
    assert client.gather(client.map(lambda x: x * x, range(20))) == [x * x for x in range(20)]
    assert client.get_versions(check=True)["scheduler"]["packages"]["distributed"] == client.get_versions()["client"]["packages"][
        "distributed"]
    assert cluster.scheduler_address.startswith("tls://") and set(cluster.scheduler_info["workers"])
    assert all(address.startswith("tls://") for address in cluster.scheduler_info["workers"])
    assert cluster.get_client() is client


def test_it_says_what_it_is_and_what_it_cost(cluster):
    assert (cluster.refresh().state, cluster.project, cluster.title) == ("running", "demo", "Of the tests")
    until(lambda: (cluster.cost or 0) > 0)
    assert "EUR so far" in cluster.cost_text and "an hour now" in cluster.cost_text
    assert cluster.dashboard_link == f"/user/bob/voxelhub/api/v1/clusters/{cluster.id}/dashboard/status"
    assert {"scheduler", "worker-1"} <= set(cluster.logs())
    assert set(cluster.logs("scheduler")) == {"scheduler"}
    assert next(event["kind"] for event in cluster.events()) == "state"
    assert "Of the tests" in repr(cluster) and "running" in cluster._repr_html_()


def test_it_scales_adapts_and_is_pinned(cluster):
    cluster.scale(2)
    cluster.wait_for_workers(2, timeout=180)
    until(lambda: cluster.refresh()._item["wanted_workers"] == 2)
    assert not cluster._item["adaptive"]
    cluster.adapt(1)
    assert (cluster._item["adaptive"], cluster._item["minimum"], cluster._item["maximum"]) == (True, 1, 2)
    cluster.pin(timedelta(hours=2))
    assert datetime.fromisoformat(cluster._item["pinned_until"]) > datetime.now(UTC) + timedelta(minutes=110)
    cluster.pin(None)
    assert cluster._item["pinned_until"] is None
    with pytest.raises(VoxelHubError, match="may have 16 workers"):
        cluster.scale(99)
    assert cluster.refresh().state == "running"


async def test_it_works_in_asynchronous_code_and_leaving_only_disconnects(cluster):
    from distributed import Client

    async with await voxelhub.Cluster.connect(cluster.id, asynchronous=True, quiet=True) as other:
        await other.adapt(1, 2)
        async with Client(other, asynchronous=True) as client:
            assert await client.gather(client.map(str, range(3))) == ["0", "1", "2"]
        with pytest.raises(VoxelHubError, match="16 workers"):
            await other.scale(99)
    assert calls.get(cluster.id)["state"] == "running"


def test_nobody_else_connects(cluster, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-alice")
    with pytest.raises(VoxelHubError, match="nothing here"):
        voxelhub.Cluster.connect(cluster.id)


def test_a_service_that_is_away_disturbs_no_computation(cluster, monkeypatch):
    """Nor the controls, which say so."""
    from voxelhub.cluster_widget import AWAY, Controls

    controls = Controls(cluster)
    client = cluster.get_client()
    with monkeypatch.context() as patch:
        patch.setenv("VOXELHUB_API_URL", "http://127.0.0.1:9/services/voxelhub/api/v1")
        patch.setattr("voxelhub.client.RETRY_FOR_S", 0.0)
        assert client.submit(sum, [1, 2]).result(timeout=120) == 3
        controls.buttons["scale"].click()
        assert "does not answer" in controls.said.value
        cluster.sync(controls.look)
        assert AWAY.split("'")[0] in controls.said.value
        assert "running" in controls.facts.value
    cluster.sync(controls.look)
    assert controls.said.value == ""


def test_its_controls_do_what_the_panel_does(cluster):
    bundle = cluster._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle and "text/html" in bundle
    controls = cluster._widget().controls
    controls.floor.value, controls.ceiling.value = 1, 2
    controls.buttons["adapt"].click()
    assert (cluster._item["minimum"], cluster._item["maximum"], cluster._item["adaptive"]) == (1, 2, True)
    controls.workers.value = 1
    controls.buttons["scale"].click()
    assert not cluster._item["adaptive"]
    until(lambda: cluster.refresh()._item["wanted_workers"] == 1)
    controls.workers.value = 200
    controls.buttons["scale"].click()
    assert "16 workers" in controls.said.value
    controls.buttons["pin"].click()
    assert "pinned until" in controls.facts.value and not controls.buttons["unpin"].disabled
    controls.buttons["unpin"].click()
    assert cluster._item["pinned_until"] is None
    assert cluster.dashboard_link in controls.dashboard.value
    controls.buttons["close"].click()
    assert calls.get(cluster.id)["state"] == "running" and "Press again" in controls.said.value
    assert "EUR so far" in controls.facts.value


def test_what_is_refused_is_a_sentence_and_starts_nothing(service, monkeypatch):
    before = calls.client.request("GET", "clusters")["total"]
    for options, sentence in (
        ({"environment": "nowhere"}, "no environment 'nowhere'"),
        ({"workers": 99}, "may have 16 workers"),
        ({"kind": "huge"}, "no such kind"),
        ({"project": "alpha"}, "nothing here"),
        ({"adapt": (3, 2)}, "floor is above the ceiling"),
        ({"pinned_until": datetime(2020, 1, 1, tzinfo=UTC)}, "over already"),
        ({"groups": {"Bad name": {"kind": "small"}}}, "groups"),
    ):
        with pytest.raises(VoxelHubError, match=sentence), warnings.catch_warnings():
            warnings.simplefilter("error")
            voxelhub.Cluster(**{"project": "demo", "quiet": True, **options})
    monkeypatch.setattr("voxelhub.cluster_calls.metadata.version", lambda _: "2020.1.0")
    with pytest.raises(VoxelHubError, match=r"it has distributed 2020.1.0, they 20.*Take the kernel of imaging"):
        voxelhub.Cluster(project="demo")
    assert calls.client.request("GET", "clusters")["total"] == before


def test_a_budget_that_is_reached_is_told_with_its_figures(service, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-alice")
    with pytest.raises(VoxelHubError, match=r"0.* of .*0 .*CPU.hours"):
        voxelhub.Cluster(project="demo", quiet=True)


def test_one_that_does_not_start_says_why_and_is_not_left_behind(service, monkeypatch, capsys):
    monkeypatch.setattr(calls, "START_S", 0.0)
    with pytest.raises(VoxelHubError, match="did not answer within 0 seconds"):
        voxelhub.Cluster(adapt=(0, 1), project="demo", name="Never seen")
    assert "Never seen: " in capsys.readouterr().out
    newest = calls.client.request("GET", "clusters")["items"][0]
    assert newest["title"] == "Never seen"
    until(lambda: calls.get(newest["id"])["state"] == "closed")
    with pytest.raises(VoxelHubError, match=r"'Never seen' is not running. Closed by bob"):
        voxelhub.Cluster.connect(newest["id"])


def test_a_kernel_that_ends_takes_its_clusters_with_it(service):
    code = "import voxelhub; c = voxelhub.Cluster(adapt=(0, 1), project='demo', name='Of a kernel'); print(c.id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said, id = done.stdout.split()[:-1], done.stdout.split()[-1]
    assert " ".join(said).startswith("Of a kernel: ") and "EUR an hour" in " ".join(said)
    until(lambda: calls.get(id)["state"] == "closed")


def test_why_a_cluster_failed_is_told():
    failed = {"id": "1" * 32, "state": "failed", "title": "Mine", "reason": "Its scheduler was killed."}
    with pytest.raises(VoxelHubError, match=r"'Mine' is not running. Its scheduler was killed. Its log may say more"):
        calls.running(failed)


def test_the_text_of_a_cluster_is_escaped_and_says_the_end():
    item = {"title": "<b>", "state": "failed", "reason": "<i>", "cost": 0.0123, "currency": "EUR"}
    assert facts(item) == [("Reason", "<i>"), ("Cost", "0.0123 EUR")]
    assert "<b>&lt;b&gt;</b>" in summary(item) and "&lt;i&gt;" in summary(item)
    amounts = {1.234: "1.23 EUR", 0.0: "0.00 EUR", 0.06: "0.06 EUR", 0.0001: "0.0001 EUR", None: ""}
    assert {amount: calls.money(amount, "EUR") for amount in amounts} == amounts


def test_floor_and_ceiling():
    assert calls.bounds(None, None) == (0, 4)
    assert calls.bounds(3, None) == (0, 3)
    assert calls.bounds(2, (1, 8)) == (1, 8)
