"""One namespace of a cluster, and small objects to put into it: pods of the probe, services, policies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import names
from .client import Client

RESTRICTED = {"runAsNonRoot": True, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
              "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
DNS = {"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
       "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def pod(name: str, *arguments: str, labels: dict[str, str] | None = None, claim: str = "", **container: Any) -> dict[str, Any]:
    """The probe with these arguments, allowed in a restricted namespace."""
    spec: dict[str, Any] = {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False,
        "securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000},
        "containers": [{"name": "probe", "image": names.PROBE_IMAGE, "args": list(arguments), "securityContext": RESTRICTED,
                        **container}],
    }
    if claim:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
        spec["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}}, "spec": spec}


def server(name: str, labels: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """A pod that serves, and the service of its name."""
    labels = {"app": name} | (labels or {})
    return [
        pod(name, "serve", "8080", labels=labels, readinessProbe={"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
         "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}},
    ]


def policy(name: str, selector: dict[str, str], **rules: Iterable[Any]) -> dict[str, Any]:
    """`ingress=[...]` and `egress=[...]`: each that is named is closed but for its rules."""
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name},
            "spec": {"podSelector": {"matchLabels": selector}, "policyTypes": [each.title() for each in rules], **rules}}


class Space:
    """One namespace of the cluster."""

    def __init__(self, cluster: Client, name: str) -> None:
        self.cluster, self.name = cluster, name

    def apply(self, *objects: dict[str, Any]) -> None:
        self.cluster.apply(list(objects), "--namespace", self.name)

    def ready(self, *pods: str) -> None:
        for each in pods:
            self.cluster.wait(f"pod/{each}", "--namespace", self.name)

    def ends(self, name: str) -> str:
        """The log of a pod that ends well."""
        self.cluster.wait(f"pod/{name}", "--namespace", self.name, condition="jsonpath={.status.phase}=Succeeded")
        return self.cluster.kubectl("logs", name, "--namespace", self.name)

    def run(self, name: str, *command: str) -> str:
        """The probe's answer in a pod that runs."""
        return self.cluster.kubectl("exec", name, "--namespace", self.name, "--", "/probe", *command, check=False)

    def reaches(self, name: str, *targets: str) -> dict[str, str]:
        """What a pod met at each "host:port", tried at once: open, refused, silent or unknown."""
        words = [line.split() for line in self.run(name, "connect", *targets).splitlines()]
        said = {pair[0]: pair[1] for pair in words if len(pair) == 2}
        assert set(said) == set(targets), words
        return said

    def connects(self, name: str, target: str) -> str:
        return self.reaches(name, target)[target]

    def get(self, *what: str) -> dict[str, Any]:
        return self.cluster.get(*what, "--namespace", self.name)

    def delete(self, *what: str) -> None:
        self.cluster.kubectl("delete", *what, "--namespace", self.name)

    def becomes(self, answer: Callable[[], str], wanted: str) -> None:
        self.cluster.until(lambda: answer() == wanted, f"{wanted!r}", 20)
