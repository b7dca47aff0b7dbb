"""Documents as Kubernetes 1.35 writes them, for tests of what is read from them."""

from __future__ import annotations

import json
from typing import Any

POD, UID, NODE = "jupyter-ada", "6f1d3a52-9c0e-4a57-8a4e-2f6f0f3b7f11", "node1"
AT = "2026-11-30T13:00:{:02d}Z"


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    found = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": AT.format(1), "observedGeneration": 1}
    return found | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def pod(*conditions: dict[str, Any], node: str = "", state: dict[str, Any] | None = None, last: dict[str, Any] | None = None,
        restarts: int = 0, phase: str = "Pending", **status: Any) -> dict[str, Any]:
    """`state` and `last` are those of the container."""
    spec: dict[str, Any] = {"containers": [{"name": "notebook", "image": "localhost/voxelhub-notebook:0.1.0"}]}
    if node:
        spec["nodeName"] = node
    if state is not None:
        status["containerStatuses"] = [{
            "name": "notebook", "image": "localhost/voxelhub-notebook:0.1.0", "imageID": "", "ready": False, "started": False,
            "restartCount": restarts, "state": state, "lastState": last or {}}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "namespace": "voxelhub", "uid": UID}, "spec": spec,
            "status": {"phase": phase, "conditions": list(conditions), "qosClass": "Burstable", **status}}


def kubelet_event(reason: str, message: str, kind: str = "Warning", second: int = 5) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Event", "type": kind, "reason": reason, "message": message, "count": 1, "eventTime": None,
        "metadata": {"name": f"{POD}.{second:x}", "namespace": "voxelhub", "uid": f"event-{reason}-{second}",
                     "creationTimestamp": AT.format(second)},
        "involvedObject": {"kind": "Pod", "namespace": "voxelhub", "name": POD, "uid": UID, "apiVersion": "v1",
                           "resourceVersion": "812"},
        "source": {"component": "kubelet", "host": NODE}, "reportingComponent": "kubelet", "reportingInstance": NODE,
        "firstTimestamp": AT.format(second), "lastTimestamp": AT.format(second),
    }


def scheduler_event(message: str, second: int = 2) -> dict[str, Any]:
    """Written by the newer events API: `lastTimestamp` is there and null."""
    return {
        "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "FailedScheduling", "message": message,
        "action": "Scheduling", "eventTime": f"2026-11-30T13:00:{second:02d}.123456Z",
        "metadata": {"name": f"{POD}.{second:x}s", "namespace": "voxelhub", "uid": f"scheduling-{second}",
                     "creationTimestamp": AT.format(second)},
        "involvedObject": {"kind": "Pod", "namespace": "voxelhub", "name": POD, "uid": UID, "apiVersion": "v1",
                           "resourceVersion": "810"},
        "source": {}, "reportingComponent": "default-scheduler", "reportingInstance": "default-scheduler-node1",
        "firstTimestamp": None, "lastTimestamp": None,
    }


def claim_event(reason: str, message: str) -> dict[str, Any]:
    return kubelet_event(reason, message) | {
        "involvedObject": {"kind": "PersistentVolumeClaim", "namespace": "voxelhub", "name": "home-ada", "uid": "c1",
                           "apiVersion": "v1", "resourceVersion": "809"},
        "source": {"component": "persistentvolume-controller"}, "reportingComponent": "persistentvolume-controller",
        "reportingInstance": ""}


def node(name: str, *, gpus: int = 0, resource: str = "nvidia.com/gpu", labels: dict[str, str] | None = None, ready: str = "True",
         cordoned: bool = False) -> dict[str, Any]:
    capacity = {"cpu": "16", "memory": "65536000Ki", "pods": "110"} | ({resource: str(gpus)} if gpus else {})
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {"allocatable": capacity, "capacity": capacity, "conditions": [
            {"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": ready}]},
    }


def holder(name: str, gpus: int, *, node: str = "", resource: str = "nvidia.com/gpu", phase: str = "Running", user: str = "",
           project: str = "", selector: dict[str, str] | None = None, deleting: bool = False) -> dict[str, Any]:
    """A pod that asks for cards."""
    resources = {"limits": {"cpu": "1", resource: str(gpus)}} if gpus else {}
    spec = {"containers": [{"name": "notebook", "resources": resources}, {"name": "beside", "resources": {}}]}
    return {
        "metadata": {"name": name, "annotations": {"hub.jupyter.org/username": user, "voxelhub/project": project}}
        | ({"deletionTimestamp": AT.format(1)} if deleting else {}),
        "spec": spec | ({"nodeName": node} if node else {}) | ({"nodeSelector": selector} if selector else {}),
        "status": {"phase": phase},
    }


def status_document(code: int, reason: str, message: str) -> str:
    return json.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                       "reason": reason, "code": code})
