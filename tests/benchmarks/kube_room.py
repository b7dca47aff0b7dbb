"""Whether a node has the CPUs that this benchmark reserves, beside what others reserve there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import kube_pilot
from cluster import names
from cluster.client import Client
from support.helm import EVALUATION, render
from support.quantities import amount


def fits(cluster: Client, values: Mapping[str, Any], peer: Mapping[str, Any], server: float, people: int) -> bool:
    """Beside the release either the plain hub with a server for each of two, or a server for everybody."""
    node = cluster.get("node", names.NODE)
    free = amount(node["status"]["allocatable"]["cpu"]) - reserved(cluster.get("pods", "--all-namespaces")["items"])
    release = kube_pilot.parts(render({**values, "publicUrl": "https://vre.example.org"}, files=[EVALUATION])).cpu
    return needed(release, [amount(each["requests"]["cpu"]) for each in peer.values()], server, people) <= free + 1e-9


def needed(release: float, peer: Sequence[float], server: float, people: int) -> float:
    return release + max(sum(peer) + 2 * server, people * server)


def reserved(pods: Sequence[Mapping[str, Any]]) -> float:
    """CPUs of the pods that have not ended."""
    requests = [container.get("resources", {}).get("requests", {}).get("cpu", "0")
                for pod in pods if pod["status"].get("phase") not in {"Succeeded", "Failed"}
                for container in pod["spec"]["containers"]]
    return sum(map(amount, requests))
