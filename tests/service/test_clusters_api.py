"""Clusters as the API makes, shows and changes them, and as the reconciler keeps them, with a driver that is played."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from support.playing import PlayedDriver, PlayedServers
from support.service import bearer, make_service
from support.world import ROOT, add_project
from voxelhub_service.clusters.base import ClusterObservation, Happened, WorkerSeen
from voxelhub_service.clusters.bell import Bell
from voxelhub_service.clusters.listening import Listening
from voxelhub_service.clusters.next_step import KERNEL_GONE
from voxelhub_service.clusters.reconciler import ASK, ClusterReconciler
from voxelhub_service.clusters.servers import Owner
from voxelhub_service.clusters.tidying import sweep_clusters
from voxelhub_service.database import reading, writing
from voxelhub_service.fsck.registry import checks
from voxelhub_service.models import AuditEvent, Cluster, LedgerEntry, utcnow
from voxelhub_service.runs.lease import WorkerLease

ALICE, BOB, ADMIN, MALLORY = (bearer(name) for name in ("alice", "bob", "admin", "mallory"))
GIB = 1024**3
PRICES = """
currency: EUR
date: 2026-11-01
scheduler_per_hour: 0.10
kinds:
  - {name: small, cpu: 1, memory: 1 GiB, price_per_hour: 0.36, default: true}
  - {name: medium, cpu: 2, memory: 4 GiB, price_per_hour: 0.72}
  - {name: gpu, cpu: 1, memory: 1 GiB, gpus: 1, price_per_hour: 2}
  - {name: huge, cpu: 512, memory: 1 GiB}
"""

pytestmark = pytest.mark.skipif(not (ROOT / ".envs/imaging").is_dir(), reason="the environment imaging is not made here")


class Installation:
    def __init__(self, folder, **settings):
        prices = folder / "prices.yaml"
        prices.write_text(PRICES)
        self.client, self.context = make_service(
            folder, envs_dir=ROOT / ".envs", prices_file=str(prices), cluster_cpus=8, cluster_memory=16 * GIB, **settings)
        self.project = add_project(self.context)
        add_project(self.context, "alpha")
        self.driver, self.servers = PlayedDriver(), PlayedServers()
        lease = WorkerLease(self.context)
        assert lease.take()
        self.reconciler = ClusterReconciler(self.context, self.driver, lease, self.servers)

    def post(self, who=ALICE, key=None, **body):
        headers = who | ({"Idempotency-Key": key} if key else {})
        return self.client.post("/clusters", json={"project": "demo", **body}, headers=headers)

    def made(self, who=ALICE, **body) -> str:
        answer = self.post(who, **body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def get(self, cluster_id, who=ALICE):
        return self.client.get(f"/clusters/{cluster_id}", headers=who).json()

    def runs(self, cluster_id, **changes):
        """The driver says that it runs, and the reconciler has seen that."""
        self.driver.seen[cluster_id] = replace(RUNNING, **changes)
        self.reconciler.look()
        return self.get(cluster_id)


WORKER = WorkerSeen("worker-1", "", "running", 1, 100, GIB, 0.5, 2, 7.0)
RUNNING = ClusterObservation("running", address="tls://127.0.0.1:4000", workers=(WORKER,), wanted=1, waiting=2,
                             running={"scheduler": 1, "small": 1})


@pytest.fixture
def place(tmp_path):
    return Installation(tmp_path)


def test_choices_and_what_it_would_cost(place):
    found = place.client.get("/clusters/choices", headers=ALICE).json()
    assert found["environments"][0]["name"] == "imaging"
    assert [(one["name"], one["price_per_hour"], one["default"]) for one in found["kinds"]] == [
        ("small", 0.36, True), ("medium", 0.72, False)]  # no GPUs here, and nothing that is larger than the machine
    assert (found["currency"], found["ceiling"], found["clusters"], found["unavailable"]) == ("EUR", 16, 4, "")
    body = {"project": "demo", "minimum": 1, "maximum": 4, "groups": [{"name": "big", "kind": "medium", "workers": 2}]}
    found = place.client.post("/clusters/estimate", json=body, headers=ALICE).json()
    assert found["price_per_hour_floor"] == pytest.approx(0.10 + 0.36 + 2 * 0.72)
    assert found["price_per_hour_maximum"] == pytest.approx(0.10 + 4 * 0.36 + 2 * 0.72)
    assert found["sentence"] == "between 1.90 and 2.98 EUR an hour"
    fixed = place.client.post("/clusters/estimate", json={"project": "demo", "adaptive": False, "workers": 2}, headers=ALICE)
    assert fixed.json()["price_per_hour_floor"] == fixed.json()["price_per_hour_maximum"] == pytest.approx(0.82)


def test_it_is_made_once_and_shown(place):
    first = place.post(key="k", title="Mine", minimum=1, maximum=3)
    assert first.status_code == 201
    again = place.post(key="k", title="Mine", minimum=1, maximum=3)
    assert again.json()["id"] == first.json()["id"]
    assert place.post(key="k", title="Other").status_code == 409
    cluster_id = first.json()["id"]
    place.reconciler.look()
    spec = place.driver.created[cluster_id]
    assert (spec.wish.floor, spec.wish.ceiling, spec.size.memory) == (1, 3, GIB)
    inside = [inside for _, inside in spec.read_only]
    assert "/projects/demo" in inside
    homes = place.context.settings.homes_dir
    assert not any(Path(outside).is_relative_to(homes) for outside, _ in spec.read_only)
    shown = place.runs(cluster_id)
    assert (shown["state"], shown["wanted_workers"], shown["threads"], shown["tasks_waiting"]) == ("running", 1, 1, 2)
    assert shown["price_per_hour"] == pytest.approx(0.46)
    assert (shown["price_per_hour_floor"], shown["price_per_hour_maximum"]) == (pytest.approx(0.46), pytest.approx(1.18))
    assert shown["dashboard_path"] == f"clusters/{cluster_id}/dashboard/status"
    assert shown["server"] is None


@pytest.mark.parametrize(("body", "status", "code"), [
    ({"minimum": 3, "maximum": 2}, 422, "invalid_request"),
    ({"minimum": 1, "maximum": 4, "workers": 5}, 422, "invalid_request"),
    ({"maximum": 17}, 422, "too_many_workers"),
    ({"kind": "gpu"}, 422, "no_gpus"),
    ({"kind": "huge"}, 422, "kind_too_large"),
    ({"kind": "none-such"}, 422, "unknown_kind"),
    ({"environment": "../lab"}, 422, "unknown_environment"),
    ({"groups": [{"name": "a", "kind": "small"}, {"name": "a", "kind": "small"}]}, 422, "group_twice"),
    ({"groups": [{"name": "a", "kind": "small", "resources": {"GPU": 0}}]}, 422, "invalid_request"),
    ({"pinned_until": "2020-01-01T00:00:00Z"}, 422, "pin_over"),
    ({"pinned_until": "2099-01-01T00:00:00Z"}, 422, "pin_long"),
    ({"pinned_until": "2099-01-01T00:00:00"}, 422, "no_time_zone"),
    ({"kind": "medium", "minimum": 5, "maximum": 5}, 409, "clusters_full"),
    ({"project": "beta"}, 404, "not_found"),
])
def test_what_cannot_be_is_refused_in_a_sentence(place, body, status, code):
    answer = place.post(**body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["detail"].endswith(".")
    assert place.client.get("/clusters", headers=ALICE).json()["total"] == 0


def test_one_person_has_so_many_and_the_machine_so_much_room(place):
    ids = [place.made(minimum=1) for _ in range(4)]
    assert place.post().json()["code"] == "too_many_clusters"
    assert place.post(BOB, kind="medium", minimum=3).json()["code"] == "clusters_full"
    assert place.client.delete(f"/clusters/{ids[0]}", headers=ALICE).status_code == 202
    place.made(minimum=1)
    larger = place.client.patch(f"/clusters/{ids[1]}", json={"workers": 6}, headers=ALICE)
    assert larger.json()["code"] == "clusters_full"
    assert place.get(ids[1])["adaptive"] is True  # nothing changed


def test_scaled_adapted_pinned_closed(place):
    cluster_id = place.made(maximum=3)
    place.runs(cluster_id)

    def patch(**body):
        return place.client.patch(f"/clusters/{cluster_id}", json=body, headers=ALICE)

    assert patch(workers=2).json()["adaptive"] is False
    place.reconciler.look()
    assert vars(place.driver.wishes[cluster_id]) == {"adaptive": False, "floor": 2, "ceiling": 2, "workers": 2}
    assert patch(adaptive=True, minimum=1, maximum=5).json()["maximum"] == 5
    place.reconciler.look()
    assert vars(place.driver.wishes[cluster_id]) == {"adaptive": True, "floor": 1, "ceiling": 5, "workers": 2}
    assert patch(minimum=6).json()["code"] == "floor_above_ceiling"
    until = (utcnow() + timedelta(hours=2)).isoformat()
    assert patch(pinned_until=until).json()["pinned_until"] is not None
    assert patch(unpin=True, title="Renamed").json()["title"] == "Renamed"
    assert place.client.delete(f"/clusters/{cluster_id}", headers=ALICE).status_code == 202
    assert patch(workers=1).json()["code"] == "cluster_ended"
    place.reconciler.look()
    assert place.driver.closed == {cluster_id: "Closed by alice."}
    place.driver.seen[cluster_id] = ClusterObservation("ended", "closed", "Closed by alice.")
    place.reconciler.look()
    ended = place.get(cluster_id)
    assert (ended["state"], ended["reason"], ended["workers"], ended["manageable"]) == ("closed", "Closed by alice.", [], False)
    assert cluster_id in place.driver.swept
    assert place.client.delete(f"/clusters/{cluster_id}", headers=ALICE).json()["state"] == "closed"
    with reading(place.context.engine) as session:
        actions = [row.action for row in session.scalars(select(AuditEvent).order_by(AuditEvent.seq))]
    assert actions == ["cluster.create", "cluster.scale", "cluster.scale", "cluster.close", "cluster.end"]


def test_who_sees_whose(place):
    bobs = place.made(BOB)
    alices = place.made(project="alpha")
    for who, scope, expected in (
        (ALICE, "mine", {alices}), (ALICE, "project", {alices}), (BOB, "all", {bobs}), (ADMIN, "mine", set()),
        (ADMIN, "all", {alices, bobs}), (MALLORY, "all", set()),
    ):
        found = place.client.get("/clusters", params={"scope": scope}, headers=who).json()
        assert {one["id"] for one in found["items"]} == expected, (who, scope)
    with writing(place.context.engine) as session:  # bob joined alpha, where alice is owner
        session.get_one(Cluster, bobs).project_id = session.get_one(Cluster, alices).project_id
    found = place.client.get("/clusters", params={"scope": "project"}, headers=ALICE).json()["items"]
    assert {(one["id"], one["mine"], one["manageable"]) for one in found} == {(alices, True, True), (bobs, False, True)}
    assert found[0]["dashboard_path"] is None
    place.runs(bobs)
    refused = place.client.get(f"/clusters/{bobs}/credentials", headers=ALICE)
    assert (refused.status_code, refused.json()["detail"]) == (403, "Only the owner of a cluster connects to it.")
    assert place.client.get(f"/clusters/{bobs}/credentials", headers=MALLORY).status_code == 404
    assert place.client.delete(f"/clusters/{bobs}", headers=ALICE).status_code == 202
    assert place.client.get(f"/clusters/{alices}", headers=BOB).status_code == 404


def test_it_ends_with_its_server(place):
    """The same server; one that was started again under its name is another. A silent hub ends nothing."""
    for server, later, expected in (("", {"": "t1"}, "running"), ("", {"": "t2"}, "closing"), ("", {}, "closing"),
                                    ("", None, "running")):
        place.reconciler.forget()
        place.servers.owners["alice"] = Owner("alice", ["/projects/demo", "/projects/alpha"], {"": "t1"})
        cluster_id = place.made()
        with writing(place.context.engine) as session:
            session.get_one(Cluster, cluster_id).server = server
        assert place.runs(cluster_id)["state"] == "running"
        place.servers.owners["alice"] = (
            Owner("alice", ["/projects/demo", "/projects/alpha"], later) if later is not None else None)
        place.reconciler.forget()
        place.reconciler.look()
        assert place.get(cluster_id)["state"] == expected
        place.driver.seen[cluster_id] = ClusterObservation("ended", "closed", "Over.")
        place.reconciler.look()


def test_it_ends_with_the_kernel_that_keeps_it(place):
    """One made in a notebook, and no other; a silent hub ends nothing, as kernels are not heard then."""
    place.servers.owners["alice"] = Owner("alice", ["/projects/demo", "/projects/alpha"], {})
    clock = [0.0]
    place.reconciler.listening, place.reconciler.patience = Listening(lambda: True, lambda: clock[0]), 0.5
    panels, let_go, mine, held = (place.made(made_in=how) for how in ("panel", "notebook", "notebook", "notebook"))

    def keep(cluster_id, method="POST", who=ALICE):
        answer = place.client.request(method, f"/clusters/{cluster_id}/keep", headers=who)
        return answer.status_code, answer.json().get("kept", answer.json().get("detail"))

    assert [keep(one) for one in (panels, mine)] == [(200, False), (200, True)]
    assert keep(let_go, "DELETE") == (200, False)
    assert keep(let_go) == (200, False)  # deliberately: nobody takes that back
    assert keep(mine, who=ADMIN) == (403, "A cluster is kept by the kernels of its owner.")
    assert keep(mine, who=MALLORY)[0] == 404
    ids = (panels, let_go, mine, held)
    states = {one: place.runs(one)["state"] for one in ids}
    place.servers.owners["alice"], place.reconciler._owners = None, {}
    for _ in range(3):
        place.reconciler.look()
        clock[0] += 0.3
    assert {place.get(one)["state"] for one in ids} == {*states.values()} == {"running"}
    place.servers.owners["alice"] = Owner("alice", ["/projects/demo", "/projects/alpha"], {})
    place.reconciler._silent, place.reconciler._owners = -ASK, {}
    for _ in range(6):
        assert keep(held) == (200, True)
        place.reconciler.look()
        clock[0] += 0.2
    assert [place.get(one)["state"] for one in ids] == ["running", "running", "closing", "running"]
    assert place.driver.closed == {mine: KERNEL_GONE}
    assert keep(mine) == (200, False)


def test_it_ends_when_its_owner_loses_a_project(place):
    place.servers.owners["alice"] = Owner("alice", ["/projects/demo"], {})
    cluster_id = place.made()
    place.driver.seen[cluster_id] = RUNNING
    place.reconciler.look()
    assert place.get(cluster_id)["state"] == "closing"
    assert "lost access" in place.driver.closed[cluster_id]


def test_who_came_by_another_door_is_judged_by_no_hub(place):
    """The hub knows nobody of that name; but a server that is not there is gone."""
    place.servers.owners["alice"] = Owner("alice", None, {})
    cluster_id = place.made()
    assert place.runs(cluster_id)["state"] == "running"
    with writing(place.context.engine) as session:
        session.get_one(Cluster, cluster_id).server = ""
    place.reconciler.look()
    assert place.get(cluster_id)["state"] == "closing"


def test_what_it_used_is_in_the_ledger_once(place):
    """Counters that only grow, read again and again, by a worker that was started anew; its end counts too."""
    cluster_id = place.made()
    for seconds in (10.0, 10.0, 25.0):
        usage = {"scheduler": counters(seconds), "small": counters(seconds * 2)}
        place.runs(cluster_id, usage=usage)
        place.reconciler.forget()
    place.driver.seen[cluster_id] = ClusterObservation(
        "ended", "closed", "Over.", usage={"scheduler": counters(30.0), "small": counters(55.0)})
    place.reconciler.look()
    with reading(place.context.engine) as session:
        rows = {row.profile: row for row in session.scalars(select(LedgerEntry).where(LedgerEntry.subject == cluster_id))}
    assert {name: row.seconds for name, row in rows.items()} == {"scheduler": pytest.approx(30), "small": pytest.approx(55)}
    assert all(row.ended_at is not None for row in rows.values())
    assert place.get(cluster_id)["cost"] == pytest.approx((30 * 0.10 + 55 * 0.36) / 3600)


def counters(seconds: float) -> dict[str, float]:
    return {"seconds": seconds, "core_seconds": seconds, "gpu_seconds": 0, "used_cpu_seconds": 1, "peak_memory": 5}


def test_what_happened_is_taken_in_once(place):
    cluster_id = place.made()
    place.driver.happened[cluster_id] = [
        Happened(number, utcnow().isoformat(), "scale", f"Grows {number}.", {"desired": number}) for number in (1, 2, 3)]
    place.runs(cluster_id)
    place.reconciler.forget()
    place.reconciler.look()
    found = place.client.get(f"/clusters/{cluster_id}/logs", headers=ALICE).json()
    assert [(one["id"], one["text"], one["measured"]) for one in found["events"]] == [
        (number, f"Grows {number}.", {"desired": number}) for number in (1, 2, 3)]


def test_a_defect_fails_one_cluster_and_no_other(place):
    bad, good = place.made(), place.made(BOB)
    place.driver.broken.add(bad)
    place.driver.seen[good] = RUNNING
    place.reconciler.look()
    assert place.get(bad)["state"] == "failed"
    assert place.get(bad)["reason"].startswith("Something in VoxelHub failed")
    assert place.get(good, BOB)["state"] == "running"


@pytest.mark.parametrize(("left", "missing"), [(False, "Python"), (True, "Dask")])
def test_an_environment_that_is_gone_is_said_to_be(place, tmp_path, left, missing):
    """It was there when the cluster was asked for."""
    cluster_id = place.made()
    if left:
        (tmp_path / "envs/imaging/bin").mkdir(parents=True)
        (tmp_path / "envs/imaging/bin/python").touch()
    settings = replace(place.context.settings, envs_dir=tmp_path / "envs")
    place.reconciler.context = replace(place.context, settings=settings)
    place.reconciler.look()
    found = place.get(cluster_id)
    assert (found["state"], found["reason"]) == ("failed", (
        f"Its environment imaging has no {missing} on this machine. "
        "An administrator installs it again with `python3 hub_config/bootstrap.py imaging`."))
    assert cluster_id not in place.driver.created


def test_logs_of_clusters_that_ended_long_ago_go(place):
    ended = {}
    for days in (29, 31):
        ended[days] = place.made()
        (place.context.settings.clusters_dir / ended[days]).mkdir()
        with writing(place.context.engine) as session:
            row = session.get_one(Cluster, ended[days])
            row.state, row.ended_at = "closed", utcnow() - timedelta(days=days)
    going = place.made()
    (place.context.settings.clusters_dir / going).mkdir()
    sweep_clusters(place.context)
    assert {path.name for path in place.context.settings.clusters_dir.iterdir()} == {ended[29], going}


def test_fsck_finds_what_nobody_holds(place):
    cluster_id = place.made()
    stray = place.context.settings.clusters_dir / ("0" * 32)
    stray.mkdir()
    Bell(stray.parent).close()  # which lies beside the folders
    with writing(place.context.engine) as session:
        session.get_one(Cluster, cluster_id).created_at = utcnow() - timedelta(hours=1)
    found = {check.name: check.run(place.context, True) for check in checks() if check.name.startswith("cluster")}
    assert {name: len(some) for name, some in found.items()} == {
        "cluster-owners": 1, "cluster-folders": 1, "cluster-supervisors": 0}
    for some in found.values():
        for finding in some:
            finding.repair()
    assert not stray.exists()
    assert place.get(cluster_id)["state"] == "failed"
