"""The pure parts of `make bench-kubernetes`: what a pod's moments are, how memory is read, what a page says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "kubernetes"))

from benchmarks import kube_memory, kube_peer, kube_pilot, kube_report, kube_room, kube_steps
from benchmarks.kube_memory import MIB, Memory
from benchmarks.kube_report import Crowd, Seen
from support.quantities import GIB
from voxelhub_spawner.kube_chart import read_chart

RUNS = {"spec": {"nodeName": "node1"}, "status": {"containerStatuses": [{"state": {"running": {}}}]}}
MOMENTS = {"asked": 100.0, "made": 100.5, "placed": 100.5, "started": 102.0, "said": 105.25, "answers": 105.5, "output": 107.0}


@pytest.mark.parametrize(("pod", "behind"), [
    ({"spec": {}, "status": {}}, ["made"]),
    ({"spec": {"nodeName": "node1"}, "status": {"containerStatuses": [{"state": {"waiting": {}}}]}}, ["made", "placed"]),
    (RUNS, ["made", "placed", "started"]),
])
def test_a_pod_says_which_moments_it_has_behind_it(pod, behind):
    assert kube_steps.reached(pod) == behind


def test_only_the_first_time_counts_and_the_end_of_an_earlier_pod_does_not():
    moments = {"made": 1.0}
    lines = [json.dumps({"type": kind, "object": RUNS}) for kind in ("DELETED", "MODIFIED")]
    kube_steps.note(iter(lines[:1]), moments)
    assert moments == {"made": 1.0}
    kube_steps.note(iter(lines), moments)
    assert moments["made"] == 1.0 and set(moments) == {"made", "placed", "started"}


def test_the_steps_of_a_start_are_its_whole_time():
    steps = kube_steps.lengths(MOMENTS)
    assert steps["started"] == 1.5 and steps["said"] == 3.25
    assert sum(steps.values()) == 7.0
    # The watch is told a little after the hub: no step is negative, and the sum is the same.
    assert sum(kube_steps.lengths(MOMENTS | {"started": 105.4}).values()) == pytest.approx(7.0)


def summary(namespace: str = "vre") -> dict:
    def pod(name, **containers):
        return {"podRef": {"name": name, "namespace": namespace}, "containers": [
            {"name": each, "memory": {"time": when, "workingSetBytes": size * MIB}} for each, (when, size) in containers.items()]}

    gone = {"podRef": {"name": "jupyter-gone", "namespace": namespace}, "containers": [{"name": "notebook", "memory": {}}]}
    return {"pods": [
        pod("keycloak-1", keycloak=("2026-11-30T10:00:09Z", 600)),
        pod("voxelhub-service-1", worker=("2026-11-30T10:00:05Z", 150), api=("2026-11-30T10:00:07Z", 200)),
        pod("jupyter-ada", notebook=("2026-11-30T10:00:08Z", 180)), gone,
        pod("jupyter-ben", notebook=("2026-11-30T10:00:08Z", 160)),
    ]}


def test_memory_is_read_by_container_and_servers_apart():
    seen = kube_memory.read(summary(), "vre")
    assert list(seen.parts) == ["api", "worker", "keycloak"]
    assert seen.servers == (160 * MIB, 180 * MIB)  # and not the one that has ended
    assert kube_memory.read(summary("other"), "vre") == Memory({}, ())


def test_a_look_is_as_old_as_its_oldest_part():
    first = kube_memory.oldest(summary(), "vre")
    assert first % 60 == 5
    assert kube_memory.oldest(summary("other"), "vre") == 0


def test_the_pilot_holds_what_its_scarcest_part_holds():
    chart = read_chart({
        "release": {"name": "v", "namespace": "v"}, "singleuser": {"image": {"name": "n", "tag": "1"}},
        "profiles": {"profiles": [{"name": "a", "title": "A", "cpu": 2, "memory": "4 GiB"}]}})
    assert kube_pilot.rows(chart, kube_pilot.Room(10, 9 * GIB)) == [["A: 2 CPU, 4 GiB", "0.5 CPU, 2 GiB", "4", "2"]]


def test_the_room_of_a_node_is_what_running_pods_leave():
    def pod(phase, cpu):
        return {"status": {"phase": phase}, "spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}, {}]}}

    assert kube_room.reserved([pod("Running", "200m"), pod("Pending", "1"), pod("Succeeded", "4")]) == pytest.approx(1.2)
    assert kube_room.needed(1.35, [0.2, 0.1], 0.01, 10) == pytest.approx(1.67)
    assert kube_room.needed(1.35, [0.2, 0.1], 0.02, 30) == pytest.approx(1.95)


def test_a_page_says_what_was_seen_and_nothing_else():
    text = kube_report.page(Seen(installs=[90.0, 61.0, 60.0]), "now")
    assert "**61 s**" in text and text.count("## ") == 1


def test_a_page_compares_says_whether_the_aim_is_met_and_names_failures():
    seen = Seen(idle=Memory({"hub": 150 * MIB}))
    seen.spawns = {"plain": [MOMENTS], "ours": [MOMENTS | {"answers": 107.0, "output": 110.0}]}
    seen.crowds = [Crowd(1, 2, [MOMENTS], ["ReadTimeout: none"], Memory({"hub": 200 * MIB}, (170 * MIB,)))]
    text = kube_report.page(seen, "now")
    assert "| asked → the server answers | 5.50 s | 7.00 s | 1.27 |" in text and "NOT met" in text
    assert "| 1 people: the server answers | 5.5 s | 5.5 s | 5.5 s | 1 |" in text
    assert "Failed with 1: ReadTimeout: none" in text and "enough for 1" in text
    assert "| hub | 150 | 200 |" in text and "| **parts and servers** | 150 | 370 |" in text
    assert "| Standard: 2 CPU, 4 GiB |" in text


def test_the_plain_hub_has_the_sizes_of_ours():
    sizes = {"cpu": 1, "asked_cpu": 0.02, "memory": 2**31, "asked_memory": 2**26}
    made = kube_peer.objects("secret", 30500, sizes, {"hub": {"requests": {"cpu": "1m"}}, "proxy": {}})
    config = made[0]["data"]["config.py"]
    compile(config, "config.py", "exec")
    assert f"c.KubeSpawner.mem_limit, c.KubeSpawner.mem_guarantee = {2**31}, {2**26}" in config
    hub = next(each for each in made if each["kind"] == "Deployment" and each["metadata"]["name"] == "hub")
    assert hub["spec"]["template"]["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "1m"}}
