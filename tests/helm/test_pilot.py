"""values-pilot.yaml fits the pilot of row E-018: 18 CPUs, 32 GiB, 500 GiB, with four people and more at work on it."""

from __future__ import annotations

import pytest
import yaml
from support.helm import EVALUATION, PILOT, Manifest, of_kind, pods, render
from support.quantities import GIB, amount, requested
from voxelhub_spawner.kube_chart import Chart, read_chart

CPUS, MEMORY, DISK, PEOPLE = 18, 32 * GIB, 500 * GIB, 4


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return render({"publicUrl": "https://vre.example.org"}, files=[EVALUATION, PILOT])


@pytest.fixture(scope="module")
def chart(manifests: list[Manifest]) -> Chart:
    return read_chart(yaml.safe_load(of_kind(manifests, "ConfigMap")["hub"]["data"]["chart.yaml"]))


def test_requests_and_four_people_with_their_whole_profile_fit(manifests: list[Manifest], chart: Chart) -> None:
    """What is reserved for the parts of VoxelHub, and the full default profile of each person, reserved or not."""
    profile = next(p for p in chart.profiles if p.default)
    cpu, memory = (sum(requested(pod, resource) for pod in pods(manifests).values()) for resource in ("cpu", "memory"))
    claims = of_kind(manifests, "PersistentVolumeClaim").values()
    disk = sum(amount(claim["spec"]["resources"]["requests"]["storage"]) for claim in claims)
    assert cpu + PEOPLE * profile.cpu <= CPUS
    assert memory + PEOPLE * profile.memory <= MEMORY
    assert disk + PEOPLE * amount(chart.storage.capacity) <= DISK


def test_the_quota_of_the_namespace_is_the_pilot(manifests: list[Manifest]) -> None:
    hard = of_kind(manifests, "ResourceQuota")["voxelhub"]["spec"]["hard"]
    assert {name: amount(value) for name, value in hard.items()} == {
        "requests.cpu": CPUS, "requests.memory": MEMORY, "requests.storage": DISK}


def test_the_head_of_the_file_says_how_many_fit_and_no_profile_is_larger(manifests: list[Manifest], chart: Chart) -> None:
    profile = next(p for p in chart.profiles if p.default)
    cpu, memory = (total - sum(requested(pod, resource) for pod in pods(manifests).values())
                   for resource, total in (("cpu", CPUS), ("memory", MEMORY)))
    assert int(min(cpu / profile.cpu, memory / profile.memory)) == 6
    assert "room for six people" in PILOT.read_text()
    assert all(p.cpu <= cpu and p.memory <= memory for p in chart.profiles)
