"""What the pods of a namespace hold in memory, as the kubelet counts it: the working set, by which it also evicts."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cluster import names
from cluster.client import Client

MIB = 2**20
SUMMARY = f"/api/v1/nodes/{names.NODE}/proxy/stats/summary"
SERVERS = "jupyter-"  # how the name of a person's pod begins
OURS = ("hub", "proxy", "api", "worker", "keycloak", "postgresql")  # containers, in the order of the table
LATEST = 45.0  # seconds in which the kubelet looks at every pod


@dataclass(frozen=True)
class Memory:
    """Bytes. Servers without their namespace's own parts."""

    parts: Mapping[str, int]
    servers: tuple[int, ...] = field(default=())

    @property
    def total(self) -> int:
        return sum(self.parts.values()) + sum(self.servers)


def measured(cluster: Client, namespace: str) -> Memory:
    """Of a look that the kubelet takes after this call: it looks every ten seconds or so."""
    now, deadline = time.time(), time.monotonic() + LATEST
    while True:
        summary = json.loads(cluster.kubectl("get", "--raw", SUMMARY))
        if oldest(summary, namespace) > now or time.monotonic() > deadline:
            return read(summary, namespace)
        time.sleep(2)


def pods_of(summary: Mapping[str, Any], namespace: str) -> list[Mapping[str, Any]]:
    return [pod for pod in summary["pods"] if pod["podRef"]["namespace"] == namespace]


def containers_of(pod: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Those that run: of one that has ended nothing is said of its memory."""
    return {each["name"]: each["memory"] for each in pod["containers"] if "workingSetBytes" in each.get("memory", {})}


def oldest(summary: Mapping[str, Any], namespace: str) -> float:
    """When the kubelet looked at the pod that it has not looked at for longest."""
    times = [memory["time"] for pod in pods_of(summary, namespace) for memory in containers_of(pod).values()]
    return min((datetime.fromisoformat(each.replace("Z", "+00:00")).timestamp() for each in times), default=0.0)


def read(summary: Mapping[str, Any], namespace: str) -> Memory:
    parts: dict[str, int] = {}
    servers = []
    for pod in pods_of(summary, namespace):
        sizes = {name: int(memory["workingSetBytes"]) for name, memory in containers_of(pod).items()}
        if pod["podRef"]["name"].startswith(SERVERS):
            servers += [sum(sizes.values())] if sizes else []
        else:
            parts |= sizes
    order = [name for name in OURS if name in parts] + sorted(set(parts) - set(OURS))
    return Memory({name: parts[name] for name in order}, tuple(sorted(servers)))
