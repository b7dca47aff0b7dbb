"""On a real cluster: servers that cannot start, and the sentence of each. What the scheduler and the kubelet write is theirs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from cluster.client import Client
from kubespawner.clients import load_config
from support.chart import chart_document
from support.kube_spawners import kube_spawner
from voxelhub_spawner import VoxelHubKubeSpawner
from voxelhub_spawner.base import NotStarted

pytestmark = pytest.mark.kubernetes


@pytest.fixture
async def document(cluster: Client, namespace: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Any]]:
    """The chart's, for a namespace in which there is no service whose node servers would have to share."""
    monkeypatch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(Path(cluster.kubeconfig)))
    load_config.cache_clear()
    found = chart_document()
    found["release"]["namespace"] = namespace
    found["singleuser"]["storage"]["state"]["nodeAffinity"] = False
    yield found
    await VoxelHubKubeSpawner._stop_all_reflectors()
    load_config.cache_clear()


def image(document: dict[str, Any], name: str, policy: str) -> None:
    document["singleuser"]["image"] |= {"name": name, "pullPolicy": policy}


def profile(document: dict[str, Any], **of: Any) -> None:
    document["profiles"]["profiles"] = [{"name": "small", "cpu": 0.1, "memory": "64 MiB", **of}]


CAUSES = {
    "an image that is not there": (
        lambda d: image(d, "localhost/none", "Never"), "The software image is not on the machine", "ErrImageNeverPull"),
    "a registry that does not answer": (
        lambda d: image(d, "127.0.0.1:9/none", "IfNotPresent"), "The software image cannot be fetched", "connection refused"),
    "more cards than there are": (
        lambda d: profile(d, gpu={"count": 64}), "No GPU of this kind is free.", "Insufficient nvidia.com/gpu"),
    "more memory than there is": (
        lambda d: profile(d, memory="4 TiB"), "No machine in the cluster has enough memory free", "Insufficient memory"),
    "a storage class that is not there": (
        lambda d: d["singleuser"]["storage"].update(storageClass="no-such"), "The volume of your home cannot be made",
        "ProvisioningFailed: storageclass.storage.k8s.io &quot;no-such&quot; not found"),
    "a kind of machine that is not there": (
        lambda d: profile(d, node_selector={"no": "where"}), "No machine in the cluster is of the kind",
        "match Pod&#x27;s node affinity/selector"),
    "a service that does not run": (
        lambda d: d["singleuser"]["storage"]["state"].update(nodeAffinity=True), "The part of VoxelHub that holds the data",
        "didn&#x27;t match pod affinity rules"),
}


async def test_a_server_that_cannot_start_says_why(document: dict[str, Any]) -> None:
    """Side by side, since each waits until its time to start is over."""
    assert dict(await asyncio.gather(*(refused(document, cause) for cause in CAUSES))) == dict.fromkeys(CAUSES, "as it should be")


async def refused(document: dict[str, Any], cause: str) -> tuple[str, str]:
    spoil, sentence, behind = CAUSES[cause]
    spoil(document := deepcopy(document))
    spawner = kube_spawner(document, user=re.sub("[^a-z]", "", cause)[:20], projects_for=lambda *_: [])
    spawner.start_timeout = 25
    with pytest.raises(NotStarted) as refusal:
        await spawner.start()
    said = refusal.value.message.startswith(sentence) and behind in refusal.value.jupyterhub_html_message
    await spawner.stop(now=True)
    assert await spawner.poll() == 1, "nothing of it is left"
    return cause, "as it should be" if said else refusal.value.jupyterhub_html_message
