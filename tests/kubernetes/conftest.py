"""One real cluster per session for the tests that ask for it: our own, or that of KUBECONFIG."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from cluster import binaries, requirements
from cluster.client import Client
from cluster.plane import ControlPlane
from cluster.running import Cluster, attached
from cluster.space import Space
from release import Release
from support.ports import free_ports

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
ORDER = ("alone", "parts", "cluster", "chart_objects", "spawner_reasons", "install", "airgapped", "network", "edge", "faults",
         "restore", "upgrade")
running: list[Client] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the machine alone first; what ends the release last. Other folders' tests stay where they are."""
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    places = iter(sorted(here, key=lambda item: ORDER.index(item.path.stem.removeprefix("test_"))))
    items[:] = [next(places) if item in here else item for item in items]


def pytest_runtest_setup() -> None:
    """Where the tests have an hour, as in .ci/run, those that it has no room for say so."""
    if time.time() > float(os.environ.get("VOXELHUB_KUBERNETES_UNTIL", "inf")):
        pytest.skip("The time for the tests on Kubernetes was over before this one.")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Client]:
    """`Cluster` when it is ours, with what can be done to a node; else `Client`."""
    if given := os.environ.get("KUBECONFIG"):
        client = attached(Path(given))
        running.append(client)
        yield client
        return
    if reason := requirements.unavailable():
        pytest.skip(f"No cluster: {reason}")
    with Cluster() as started:
        running.append(started)
        yield started


@pytest.fixture(scope="session")
def objects(request: pytest.FixtureRequest) -> Iterator[Client]:
    """For tests in which no pod has to run: the cluster, or where the machine can have none, the API server alone."""
    reason = "" if os.environ.get("KUBECONFIG") or requirements.skipped() else requirements.machine()
    if not reason or binaries.missing(requirements.CONTROL_PLANE):
        yield request.getfixturevalue("cluster")
        return
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n[voxelhub] The API server alone, without a node: {reason}.")
    with ControlPlane(free_ports(4)) as started:
        running.append(started)
        yield started


@pytest.fixture
def node(cluster: Client) -> Cluster:
    """Our own cluster, for the tests that load images or break programs."""
    if not isinstance(cluster, Cluster):
        pytest.skip("The cluster of KUBECONFIG is not one of the tests' own, so its node is not touched.")
    return cluster


@pytest.fixture(scope="session")
def release(cluster: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """VoxelHub, installed once; leave it as you found it."""
    if not isinstance(cluster, Cluster):
        pytest.skip("The cluster of KUBECONFIG is not one of the tests' own: its images and ports are not ours to change.")
    with Release(cluster, tmp_path_factory.mktemp("release")) as installed:
        yield installed


@pytest.fixture
def namespace(objects: Client, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new one in which only *restricted* pods may run, gone afterwards with its volumes."""
    name = re.sub(r"[^a-z0-9]+", "-", f"{request.node.name}-{os.getpid()}".lower())[-63:].strip("-")
    objects.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    yield name
    objects.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def space(cluster: Client, namespace: str) -> Space:
    return Space(cluster, namespace)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """A failure comes with what the cluster says, before the namespace is gone."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed and running and {"cluster", "objects"} & {*getattr(item, "fixturenames", ())}:
        report.sections.append(("cluster", running[0].story()))
