"""What happens to a pod while somebody waits for it, as the API server tells it: which step takes how long."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cluster import names
from cluster.client import Client

# A moment, and the words for the time from the moment before it.
STEPS = (
    ("made", "asked → the pod is made"),
    ("placed", "→ it has a node"),
    ("started", "→ its container runs"),
    ("said", "→ JupyterLab has started, and the hub knows"),
    ("answers", "→ the server answers"),
    ("output", "→ first output of a kernel"),
)


@contextmanager
def watched(cluster: Client, namespace: str) -> Iterator[dict[str, float]]:
    """The moments of pods of people there, from now on; of one pod after the other."""
    moments: dict[str, float] = {}
    path = f"/api/v1/namespaces/{namespace}/pods?watch=1&labelSelector=component%3Dsingleuser-server"
    process = subprocess.Popen([str(names.TOOLS / "kubectl"), "get", "--raw", path], stdout=subprocess.PIPE, text=True,
                               env=os.environ | cluster.environ)
    assert process.stdout is not None
    thread = threading.Thread(target=note, args=(process.stdout, moments), daemon=True)
    thread.start()
    try:
        yield moments
    finally:
        process.kill()
        process.wait()
        thread.join(10)


def note(lines: Iterator[str], moments: dict[str, float]) -> None:
    for line in lines:
        event = json.loads(line)
        if event["type"] == "DELETED":
            continue
        now = time.time()
        for moment in reached(event["object"]):
            moments.setdefault(moment, now)


def reached(pod: Mapping[str, Any]) -> list[str]:
    """The moments that this pod has behind it."""
    running = any("running" in each["state"] for each in pod["status"].get("containerStatuses", []))
    return ["made", *(["placed"] if pod["spec"].get("nodeName") else []), *(["started"] if running else [])]


def lengths(moments: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each step; 0 where two moments came the other way round, None is never there."""
    found, before = {}, moments["asked"]
    for name, _ in STEPS:
        now = max(before, moments.get(name, before))
        found[name], before = now - before, now
    return found
