"""The chart's objects as the API server takes them: installed, upgraded, rolled back, uninstalled. No pod needs to run."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from cluster.client import Client, Failed
from support.helm import CHART

pytestmark = pytest.mark.kubernetes
PUBLIC = "publicUrl=https://vre.example.org"
BUNDLED = ("proxy.https.type=secret,proxy.https.secret.name=tls,keycloak.bundled.enabled=true,postgresql.bundled.enabled=true,"
           f"{PUBLIC},storage.state.size=1Gi,postgresql.bundled.storage.size=1Gi")
NEW = b64encode(b"5a" * 32).decode()
KEPT = {"networkpolicy.networking.k8s.io/default-deny", "secret/voxelhub-secrets", *(
    f"persistentvolumeclaim/{name}" for name in ("hub-state", "voxelhub-state", "keycloak-data", "postgresql-data"))}


@pytest.fixture
def installed(objects: Client, namespace: str) -> Iterator[str]:
    helm(objects, namespace, "install")
    yield namespace
    objects.helm("uninstall", "voxelhub", "--namespace", namespace)  # what the namespace does not hold


def helm(objects: Client, namespace: str, verb: str, *more: str) -> str:
    return objects.helm(verb, "voxelhub", str(CHART), "--namespace", namespace, "--set", ",".join([BUNDLED, *more]))


def secrets(objects: Client, namespace: str) -> dict[str, str]:
    data: dict[str, str] = objects.get("secret", "voxelhub-secrets", "--namespace", namespace)["data"]
    return data


def change(objects: Client, namespace: str, *operations: dict[str, str]) -> None:
    """As an administrator does."""
    objects.kubectl("patch", "secret", "voxelhub-secrets", "--namespace", namespace, "--type=json",
                    "--patch", json.dumps(operations))


def cull_timeout(objects: Client, namespace: str) -> str:
    hub = objects.get("deployment", "hub", "--namespace", namespace)["spec"]["template"]["spec"]["containers"][0]
    (value,) = [entry["value"] for entry in hub["env"] if entry["name"] == "VOXELHUB_CULL_TIMEOUT"]
    return str(value)


def test_secrets_outlive_upgrade_rollback_and_uninstall(objects: Client, installed: str) -> None:
    first = secrets(objects, installed)
    assert len(set(first.values())) == len(first) >= 20

    helm(objects, installed, "upgrade", "cull.timeout=600")
    assert (secrets(objects, installed), cull_timeout(objects, installed)) == (first, "600")
    objects.helm("rollback", "voxelhub", "1", "--namespace", installed)
    assert (secrets(objects, installed), cull_timeout(objects, installed)) == (first, "3600")

    change(objects, installed, {"op": "remove", "path": "/data/metrics-token"},
           {"op": "replace", "path": "/data/hub-cookie-secret", "value": NEW})
    helm(objects, installed, "upgrade")
    mended = secrets(objects, installed)
    assert mended["metrics-token"] != first["metrics-token"], "a key that an older version did not have is made"
    assert {**mended, "metrics-token": ""} == {**first, "metrics-token": "", "hub-cookie-secret": NEW}
    objects.helm("rollback", "voxelhub", "1", "--namespace", installed)
    assert secrets(objects, installed) == mended, "a rollback takes no new key away and no changed one back"

    objects.helm("uninstall", "voxelhub", "--namespace", installed)
    kinds = "deployments,statefulsets,services,configmaps,secrets,pvc,networkpolicies,pdb,roles,rolebindings,serviceaccounts"
    left = set(objects.kubectl("get", kinds, "--namespace", installed, "--output", "name").split())
    assert left - {"configmap/kube-root-ca.crt", "serviceaccount/default"} == KEPT
    left_of_all = objects.kubectl("get", "clusterroles,clusterrolebindings", "--output", "name").split()
    assert not [name for name in left_of_all if installed in name]

    helm(objects, installed, "install")
    assert secrets(objects, installed) == mended


def test_pod_security_admits_every_pod_of_the_chart(objects: Client, installed: str) -> None:
    """The namespace enforces *restricted*; one pod that is not, to see that it does."""
    makers = objects.get("deployments,statefulsets", "--namespace", installed)["items"]
    assert len(makers) == 5
    for maker in makers:
        objects.kubectl("create", "--namespace", installed, "--dry-run=server", "--filename", "-", input=json.dumps(pod(maker)))
    spoiled = pod(makers[0])
    spoiled["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(Failed, match='violates PodSecurity "restricted:latest"'):
        objects.kubectl("create", "--namespace", installed, "--dry-run=server", "--filename", "-", input=json.dumps(spoiled))


def pod(maker: dict[str, Any]) -> dict[str, Any]:
    template = maker["spec"]["template"]
    labels = template["metadata"]["labels"]
    account = template["spec"].get("serviceAccountName", "default")
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried", "labels": labels},
            "spec": {**template["spec"], "serviceAccountName": account}}


def test_the_hub_may_what_it_needs_and_no_more(objects: Client, installed: str) -> None:
    hub = f"--as=system:serviceaccount:{installed}:hub"

    def may(*question: str) -> bool:
        return objects.kubectl("auth", "can-i", *question, hub, check=False).strip().startswith("yes")

    here = ("--namespace", installed)
    for verb in ("get", "list", "watch", "create", "delete"):
        assert may(verb, "pods", *here) and may(verb, "persistentvolumeclaims", *here), verb
    assert may("list", "events", *here) and may("watch", "events", *here) and may("list", "nodes")
    for question in (("get", "secrets"), ("get", "configmaps"), ("create", "pods", "--subresource=exec"), ("patch", "pods"),
                     ("create", "deployments"), ("create", "rolebindings"), ("delete", "networkpolicies"), ("create", "events")):
        assert not may(*question, *here), question
    for question in (("create", "pods"), ("list", "pods"), ("get", "secrets")):
        assert not may(*question, "--namespace", "default"), question
    assert not may("patch", "nodes")


def test_the_api_server_is_found_where_the_cluster_has_it(objects: Client, installed: str) -> None:
    policy = objects.get("networkpolicy", "hub-to-api-server", "--namespace", installed)
    named = {peer["ipBlock"]["cidr"] for rule in policy["spec"]["egress"] for peer in rule["to"]}
    service = objects.get("service", "kubernetes", "--namespace", "default")["spec"]["clusterIP"]
    slices = objects.get("endpointslices", "--namespace", "default", "--selector=kubernetes.io/service-name=kubernetes")["items"]
    endpoints = {address for one in slices for endpoint in one.get("endpoints", []) for address in endpoint["addresses"]}
    assert named == {f"{address}/32" for address in {service, *endpoints}}
