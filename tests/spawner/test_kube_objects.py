"""Pods and volumes as whole documents, for each kind of profile; each is what Pod Security *restricted* lets pass."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
from kubernetes_asyncio.client import ApiClient
from support.chart import chart_document
from support.pod_security import breaches
from voxelhub_sandbox.profiles import resolve
from voxelhub_spawner import kube_objects
from voxelhub_spawner.kube_chart import Chart, Storage, read_chart
from voxelhub_spawner.kube_models import model
from voxelhub_spawner.kube_plan import Names, PodPlan, make_plan

CHART = read_chart(chart_document())
GRANTED = ["home-ada", "heart", "lung", "open"]
NAMES = Names("jupyter-ada", "home-ada", "ada", "", "ada")


def plan(profile: str, project: str = "", chart: Chart = CHART) -> PodPlan:
    spec = resolve(["/voxelhub-gpu"], {"profile": profile, "project": project}, chart.profiles, None, GRANTED)
    return make_plan(chart, spec, NAMES, granted=GRANTED, home="/home/ada", command=["/bin/sh", "-c", "exec"],
                     environ={"VOXELHUB_PROFILE": profile, "JUPYTERHUB_API_TOKEN": "t"}, labels={"site": "north"}, annotations={},
                     grace=10)


def whole(*, labels: dict[str, str], selector: dict[str, str] | None, image: str, requests: dict[str, str],
          limits: dict[str, str], shm: str, projects: list[str], profile: str, more_tolerations: list[dict[str, str]],
          annotations: dict[str, str]) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": 10,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000,
            "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"}},
        "affinity": {
            "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": {
                "matchExpressions": [{"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}]}}]},
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{
                "labelSelector": {"matchLabels": {
                    "app.kubernetes.io/name": "voxelhub", "app.kubernetes.io/instance": "vh",
                    "app.kubernetes.io/component": "service"}},
                "topologyKey": "kubernetes.io/hostname"}]},
        },
        "tolerations": [{"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user", "effect": "NoSchedule"},
                        *more_tolerations],
        "containers": [{
            "name": "notebook", "image": image, "imagePullPolicy": "IfNotPresent", "args": ["/bin/sh", "-c", "exec"],
            "workingDir": "/home/ada",
            "env": [{"name": "JUPYTERHUB_API_TOKEN", "value": "t"}, {"name": "VOXELHUB_PROFILE", "value": profile}],
            "ports": [{"name": "notebook-port", "containerPort": 8888}],
            "startupProbe": {"tcpSocket": {"port": "notebook-port"}, "initialDelaySeconds": 1, "periodSeconds": 1,
                             "failureThreshold": 300},
            "resources": {"requests": requests, "limits": limits},
            "securityContext": {
                "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
                "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [
                {"name": "home", "mountPath": "/home/ada"}, {"name": "tmp", "mountPath": "/tmp"},
                {"name": "shm", "mountPath": "/dev/shm"},
                *({"name": "projects", "mountPath": f"/projects/{one}", "subPath": f"projects/{one}", "readOnly": True}
                  for one in projects)],
        }],
        "volumes": [
            {"name": "home", "persistentVolumeClaim": {"claimName": "home-ada"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "10Gi"}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": shm}},
            {"name": "projects", "persistentVolumeClaim": {"claimName": "voxelhub-state", "readOnly": True}}],
    }
    if selector:
        spec["nodeSelector"] = selector
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "jupyter-ada", "namespace": "voxelhub", "annotations": annotations,
            "labels": {
                "site": "north", "app.kubernetes.io/name": "voxelhub", "app.kubernetes.io/instance": "vh",
                "app.kubernetes.io/component": "singleuser-server", "app.kubernetes.io/managed-by": "kubespawner",
                "app.kubernetes.io/part-of": "voxelhub", "component": "singleuser-server",
                "hub.jupyter.org/username": "ada", "hub.jupyter.org/servername": "",
                "hub.jupyter.org/network-access-hub": "true", "voxelhub/network-access-service": "true",
                "voxelhub/profile": profile, **labels}},
        "spec": spec,
    }


GPU_TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
PODS = {
    ("small", ""): whole(
        profile="small", labels={"voxelhub/network": "isolated"}, annotations={"hub.jupyter.org/username": "ada"}, selector=None,
        image="localhost/voxelhub-notebook:0.1.0", requests={"cpu": "250m", "memory": "1Gi"},
        limits={"cpu": "1", "memory": "2Gi"}, shm="1Gi", projects=["heart", "home-ada", "lung", "open"], more_tolerations=[]),
    ("gpu", "lung"): whole(
        profile="gpu", labels={"voxelhub/network": "project", "voxelhub/project": "lung"},
        annotations={"hub.jupyter.org/username": "ada", "voxelhub/project": "lung"},
        selector={"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB", "disk": "fast"},
        image="localhost/voxelhub-notebook-gpu:0.1.0", requests={"cpu": "1", "memory": "16Gi", "nvidia.com/gpu": "2"},
        limits={"cpu": "4", "memory": "32Gi", "nvidia.com/gpu": "2"}, shm="16Gi", projects=["lung", "open"],
        more_tolerations=[GPU_TAINT]),
    ("slice", "open"): whole(
        profile="slice", labels={"voxelhub/network": "internet", "voxelhub/project": "open"},
        annotations={"hub.jupyter.org/username": "ada", "voxelhub/project": "open"}, selector=None,
        image="localhost/voxelhub-notebook:0.1.0", requests={"cpu": "125m", "memory": "768Mi", "nvidia.com/mig-1g.5gb": "1"},
        limits={"cpu": "500m", "memory": "1536Mi", "nvidia.com/mig-1g.5gb": "1"}, shm="768Mi", projects=["open"],
        more_tolerations=[GPU_TAINT]),
}


@pytest.mark.parametrize(("choice", "document"), PODS.items(), ids=map("-".join, PODS))
def test_the_whole_pod(choice: tuple[str, str], document: dict[str, Any]) -> None:
    made = kube_objects.pod(plan(*choice))
    assert made == document
    assert breaches(made) == []
    for version in ("1.33", "1.35", "1.37"):
        kubernetes_validate.validate(made, version, strict=True)


def test_what_an_administrator_sets_is_in_the_pod_and_ours_stands_above_it() -> None:
    document = chart_document()
    document["release"] |= {"version": "0.1.0", "chart": "voxelhub-0.1.0"}
    document["singleuser"] |= {
        "nodeSelector": {"zone": "north"}, "extraTolerations": [{"key": "slow", "operator": "Exists"}],
        "podPriorityClassName": "users", "guarantee": {"cpu": 1, "memory": 1},
        "extraEnv": {"HTTP_PROXY": "http://proxy", "N": 3, "KEY": {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}}}
    document["singleuser"]["image"] |= {"pullPolicy": "Always", "pullSecrets": ["registry", {"name": "other"}]}
    document["singleuser"]["storage"]["state"] = {"claim": "shared", "nodeAffinity": False}
    chart = read_chart(document)
    spec = resolve([], {}, chart.profiles, None)
    made = kube_objects.pod(make_plan(
        chart, spec, NAMES, granted=[], home="/home/ada", command=["x"], environ=chart.extra_env,
        labels={"component": "theirs", "voxelhub/network": "internet"}, annotations={"note": "theirs"}, grace=10))
    labels, spec_ = made["metadata"]["labels"], made["spec"]
    assert labels["component"] == "singleuser-server" and labels["voxelhub/network"] == "isolated"
    assert labels["app.kubernetes.io/version"] == "0.1.0" and labels["helm.sh/chart"] == "voxelhub-0.1.0"
    assert made["metadata"]["annotations"] == {"note": "theirs", "hub.jupyter.org/username": "ada"}
    assert spec_["nodeSelector"] == {"zone": "north"} and spec_["priorityClassName"] == "users"
    assert spec_["tolerations"][-1] == {"key": "slow", "operator": "Exists"}
    assert spec_["imagePullSecrets"] == [{"name": "registry"}, {"name": "other"}]
    container = spec_["containers"][0]
    assert container["imagePullPolicy"] == "Always"
    assert container["resources"]["requests"] == container["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
    assert container["env"] == [
        {"name": "HTTP_PROXY", "value": "http://proxy"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, {"name": "N", "value": "3"}]
    assert "podAffinity" not in spec_["affinity"]
    assert [v["name"] for v in spec_["volumes"]] == ["home", "tmp", "shm"], "no project, no state volume"
    assert breaches(made) == []


def test_the_plan_does_not_show_the_servers_token() -> None:
    assert "JUPYTERHUB_API_TOKEN" not in repr(plan("small"))


def test_the_whole_claim() -> None:
    storage = Storage("20Gi", "fast", ("ReadWriteMany",))
    assert kube_objects.claim("home-ada", "voxelhub", storage, {"a": "b"}, {"c": "d"}) == {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "home-ada", "namespace": "voxelhub", "labels": {"a": "b"}, "annotations": {"c": "d"}},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "20Gi"}}, "storageClassName": "fast"}}
    assert "storageClassName" not in kube_objects.claim("home-ada", "n", Storage(), {}, {})["spec"], "the cluster's default"


def test_the_checker_finds_what_it_is_for() -> None:
    made = kube_objects.pod(plan("small"))
    made["spec"]["containers"][0]["securityContext"] |= {"allowPrivilegeEscalation": True, "runAsUser": 0}
    made["spec"]["volumes"].append({"name": "host", "hostPath": {"path": "/"}})
    assert breaches(made) == ["the volume host is of a kind that restricted forbids", "notebook: may escalate",
                              "notebook: may run as root"]


@pytest.mark.parametrize("document", [*PODS.values(), kube_objects.claim("home-ada", "voxelhub", Storage(), {"a": "b"}, {})])
async def test_the_clients_objects_say_what_the_document_says(document: dict[str, Any]) -> None:
    made = model("V1" + document["kind"], document)
    async with ApiClient() as client:
        assert client.sanitize_for_serialization(made) == document
    assert made.metadata.name == document["metadata"]["name"]


def test_an_unknown_key_is_no_object() -> None:
    with pytest.raises(ValueError, match="V1PodSpec has no hostnetwork"):
        model("V1Pod", {"spec": {"hostnetwork": True}})


@pytest.mark.parametrize(("cpu", "text"), [(1, "1"), (0.5, "500m"), (2.25, "2250m"), (0.0001, "1m"), (8.0, "8")])
def test_cores(cpu: float, text: str) -> None:
    assert kube_objects.cores(cpu) == text


@pytest.mark.parametrize(("count", "text"), [
    (2 * 1024**3, "2Gi"), (1536 * 1024**2, "1536Mi"), (3 * 1024, "3Ki"), (1000, "1000")])
def test_sizes(count: int, text: str) -> None:
    assert kube_objects.size(count) == text
