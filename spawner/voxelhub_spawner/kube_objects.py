"""Kubernetes objects of a server, as plain documents in the API's own words. Pure; each passes Pod Security *restricted*."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .kube_chart import Storage
from .kube_plan import PodPlan

UID = 1000  # the user of the images
CONTAINER = "notebook"  # KubeSpawner looks for a container and a port of these names
PORT = "notebook-port"
SCRATCH = "10Gi"  # of /tmp, beyond which the node ends the pod: else one user fills everybody's disk
MI = 1024**2


def pod(plan: PodPlan) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": plan.grace,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": UID, "runAsGroup": UID, "fsGroup": UID,
            "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": affinity(plan),
        "tolerations": [dict(one) for one in plan.tolerations],
        "containers": [container(plan)],
        "volumes": volumes(plan),
    }
    if plan.node_selector:
        spec["nodeSelector"] = dict(plan.node_selector)
    if plan.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in plan.pull_secrets]
    if plan.priority_class:
        spec["priorityClassName"] = plan.priority_class
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": plan.name, "namespace": plan.namespace, "labels": dict(plan.labels),
                     "annotations": dict(plan.annotations)},
        "spec": spec,
    }


def container(plan: PodPlan) -> dict[str, Any]:
    cards = {plan.gpu_resource: str(plan.gpu_count)} if plan.gpu_count else {}
    return {
        "name": CONTAINER,
        "image": plan.image,
        "imagePullPolicy": plan.pull_policy,
        "args": list(plan.command),  # after the entry point of the image, which takes in orphans
        "workingDir": plan.home,
        "env": environ(plan.environ),
        "ports": [{"name": PORT, "containerPort": plan.port}],
        # Until the server listens; without it a pod counts as running from its first moment, and one that ends at once is
        # never seen to.
        "startupProbe": {"tcpSocket": {"port": PORT}, "initialDelaySeconds": 1, "periodSeconds": 1,
                         "failureThreshold": plan.patience},
        "resources": {
            "requests": {"cpu": cores(plan.asked_cpu), "memory": size(plan.asked_memory), **cards},
            "limits": {"cpu": cores(plan.cpu), "memory": size(plan.memory), **cards},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
            "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",  # why a server ended by itself is in its last lines
        "volumeMounts": [
            {"name": "home", "mountPath": plan.home},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108
            *({"name": "projects", "mountPath": f"/projects/{one}", "subPath": f"projects/{one}", "readOnly": True}
              for one in plan.projects),
        ],
    }


def volumes(plan: PodPlan) -> list[dict[str, Any]]:
    """The state volume is read-only as a whole, so that kubelet changes no owner in it for our fsGroup."""
    state = [{"name": "projects", "persistentVolumeClaim": {"claimName": plan.state_claim, "readOnly": True}}]
    return [
        {"name": "home", "persistentVolumeClaim": {"claimName": plan.home_claim}},
        {"name": "tmp", "emptyDir": {"sizeLimit": SCRATCH}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": size(plan.memory // 2)}},  # counts as the server's memory
        *(state if plan.projects else []),
    ]


def affinity(plan: PodPlan) -> dict[str, Any]:
    ours = {"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}
    found: dict[str, Any] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 100, "preference": {"matchExpressions": [ours]}}]}}
    if plan.same_node_as:
        found["podAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchLabels": dict(plan.same_node_as)}, "topologyKey": "kubernetes.io/hostname"}]}
    return found


def environ(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, **(value if isinstance(value, Mapping) else {"value": value})}
            for name, value in sorted(variables.items())]


def claim(name: str, namespace: str, storage: Storage, labels: Mapping[str, str],
          annotations: Mapping[str, str]) -> dict[str, Any]:
    """The volume of a user's home. Its capacity is the home's quota."""
    spec: dict[str, Any] = {"accessModes": list(storage.access_modes), "resources": {"requests": {"storage": storage.capacity}}}
    if storage.storage_class:
        spec["storageClassName"] = storage.storage_class
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels), "annotations": dict(annotations)},
        "spec": spec,
    }


def cores(cpu: float) -> str:
    thousandths = max(1, round(cpu * 1000))
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)


def size(count: int) -> str:
    """Whole bytes of Kubernetes' own units, the largest that says it exactly."""
    for unit, factor in (("Gi", 1024**3), ("Mi", MI), ("Ki", 1024)):
        if count % factor == 0:
            return f"{count // factor}{unit}"
    return str(count)
