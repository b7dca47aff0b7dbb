"""The cluster itself: what the tests of the chart and of the spawner rely on is really enforced."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from cluster import names
from cluster.client import Failed
from cluster.running import Cluster
from cluster.space import DNS, Space, pod, policy, server

pytestmark = pytest.mark.kubernetes


def test_a_restricted_namespace_refuses_a_root_pod_and_runs_a_good_one(space: Space) -> None:
    bad = pod("bad", "status")
    bad["spec"]["containers"][0]["securityContext"] = {"runAsUser": 0}
    with pytest.raises(Failed, match=r"violates PodSecurity .restricted"):
        space.apply(bad)
    space.apply(pod("good", "status"))
    said = space.ends("good").splitlines()
    assert "Uid: 1000 1000 1000 1000" in said and "Groups: 1000" in said
    assert {"CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"} <= set(said)


def test_names_lead_to_services_and_to_pods(space: Space) -> None:
    space.apply(*server("web"), pod("asks", "serve", "8080"))
    space.ready("web", "asks")
    space.becomes(lambda: space.connects("asks", "web:80"), "open")  # the way to a new service is laid within a second
    for name in ("web", f"web.{space.name}", f"web.{space.name}.svc.cluster.local"):
        assert space.run("asks", "get", f"http://{name}/who").startswith(f"200\nweb {name}/who from 10.")
    assert space.run("asks", "resolve", names.INTERNET_NAME).strip() == names.INTERNET_IP
    assert space.connects("asks", "nobody.example:80") == "unknown"


def test_a_policy_that_denies_really_refuses_and_an_allowed_flow_really_opens(space: Space) -> None:
    space.apply(*server("web"), *server("friend", {"role": "friend"}), *server("stranger"))
    space.ready("web", "friend", "stranger")
    space.becomes(lambda: space.connects("stranger", "web:80"), "open")
    space.apply(policy("deny", {"app": "web"}, ingress=[]))
    for each in ("friend", "stranger"):
        space.becomes(lambda each=each: space.connects(each, "web:80"), "refused")  # type: ignore[misc]
    friends = {"from": [{"podSelector": {"matchLabels": {"role": "friend"}}}], "ports": [{"port": 8080}]}
    space.apply(policy("friends", {"app": "web"}, ingress=[friends]))
    space.becomes(lambda: space.connects("friend", "web:80"), "open")
    assert space.connects("stranger", "web:80") == "refused"
    address = space.get("pod/web")["status"]["podIP"]
    assert space.connects("stranger", f"{address}:8080") == "refused", "nor past the service"


def test_a_pod_may_be_kept_from_the_internet_the_metadata_address_and_the_api_server(space: Space) -> None:
    space.apply(*server("inside"), *server("web"))
    space.ready("inside", "web")
    space.becomes(lambda: space.connects("inside", "web:80"), "open")
    outward = [f"{names.INTERNET_NAME}:80", f"{names.METADATA_IP}:80", "192.168.7.7:443", f"{names.API_SERVICE_IP}:443",
               f"{names.NODE_IP}:6443", f"{names.HOST_IP}:80"]
    said = space.reaches("inside", *outward, "web:80")
    assert said.pop(outward[-1]) == "refused", "nothing listens there"
    assert set(said.values()) == {"open"}, said
    space.apply(policy("isolated", {"app": "inside"}, egress=[DNS]))
    space.becomes(lambda: space.connects("inside", "web:80"), "refused")
    said = space.reaches("inside", *outward)
    assert set(said.values()) == {"refused"}, said
    public = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "192.168.0.0/16", "169.254.0.0/16"]}}]}
    space.apply(policy("internet", {"app": "inside"}, egress=[public]))
    space.becomes(lambda: space.connects("inside", outward[0]), "open")
    said = space.reaches("inside", *outward[1:])
    assert set(said.values()) == {"refused"}, said


def test_a_pod_gets_a_gpu_and_one_too_many_waits_and_says_why(space: Space, node: Cluster) -> None:
    label = space.cluster.get("node", names.NODE)["metadata"]["labels"]["nvidia.com/gpu.product"]
    assert label == names.GPU_PRODUCT
    one = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    for name in ("first", "second"):
        space.apply(pod(name, "serve", "8080", **one))
    space.ready("first", "second")
    given = {space.run(name, "env", "NVIDIA_VISIBLE_DEVICES").strip() for name in ("first", "second")}
    assert given == {"GPU-none-0", "GPU-none-1"}
    space.apply(pod("third", "serve", "8080", **one))
    waiting = space.cluster.until(lambda: space.get("pod/third")["status"].get("conditions"), "the scheduler's word")
    assert waiting[0]["reason"] == "Unschedulable" and "Insufficient nvidia.com/gpu" in waiting[0]["message"]
    space.delete("pod/first")
    space.ready("third")


def test_a_claim_gets_a_volume_whose_data_outlives_the_pod(space: Space) -> None:
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "home"},
             "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Mi"}}}}
    space.apply(claim, pod("writes", "write", "/data/note", "kept", claim="home"))
    space.ends("writes")
    assert space.get("pvc/home")["status"]["phase"] == "Bound"
    space.delete("pod/writes")
    space.apply(pod("reads", "read", "/data/note", claim="home"))
    assert space.ends("reads") == "kept"
    volume = space.get("pvc/home")["spec"]["volumeName"]
    space.delete("pod/reads", "pvc/home")
    space.cluster.until(lambda: volume not in space.cluster.kubectl("get", "pv"), "the volume's end")


def test_a_limited_claim_can_be_full(space: Space, node: Cluster) -> None:
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "small"},
             "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "local-limited",
                      "resources": {"requests": {"storage": "8Mi"}}}}
    space.apply(claim, pod("fills", "serve", "8080", claim="small"))
    space.ready("fills")
    assert "no space left on device" in space.run("fills", "fill", "/data/all", str(9 << 20))


def test_the_machine_reaches_node_ports(space: Space, node: Cluster) -> None:
    pod_, service = server("web")
    space.apply(pod_, service | {"spec": service["spec"] | {"type": "NodePort"}})
    space.ready("web")
    port = space.get("service/web")["spec"]["ports"][0]["nodePort"]

    def answer() -> str:
        try:
            return httpx.get(f"http://{node.node_ip}:{port}/hello", trust_env=False).text
        except httpx.ConnectError:
            return ""

    assert node.until(answer, "the way to the port").startswith(f"web {node.node_ip}:{port}/hello")


def test_helm_installs_upgrades_and_uninstalls(space: Space, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: small\nversion: 0.1.0\nkubeVersion: '>=1.34.0'\n")
    (tmp_path / "templates/map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata: {said: {{ .Values.said | quote }}}\n")
    for said in ("one", "two"):
        space.cluster.helm("upgrade", "--install", "small", str(tmp_path), "--namespace", space.name, "--wait",
                           "--set", f"said={said}")
        assert space.get("configmap/map")["data"] == {"said": said}
    space.cluster.helm("uninstall", "small", "--namespace", space.name, "--wait")
    with pytest.raises(Failed, match="NotFound"):
        space.get("configmap/map")


def test_a_killed_kubelet_loses_no_pod_and_no_gpu(space: Space, node: Cluster) -> None:
    space.apply(pod("stays", "serve", "8080", resources={"limits": {"nvidia.com/gpu": "1"}}))
    space.ready("stays")
    before = space.get("pod/stays")["status"]["containerStatuses"][0]["containerID"]
    registered = gpus_registered(node)
    node.kill("kubelet")
    node.until(lambda: space.run("stays", "get", "http://127.0.0.1:8080/").startswith("200"), "the kubelet's return")
    node.until(lambda: gpus_registered(node) == registered + len(node.gpus) and node.ready(), "the GPUs' return")
    space.apply(pod("other", "serve", "8080", resources={"limits": {"nvidia.com/gpu": "1"}}))
    space.ready("other")
    after = space.get("pod/stays")["status"]["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (before, 0)
    given = {space.run(name, "env", "NVIDIA_VISIBLE_DEVICES").strip() for name in ("stays", "other")}
    assert given == {"GPU-none-0", "GPU-none-1"}


def gpus_registered(node: Cluster) -> int:
    return (node.folder / "log/gpu-plugin.log").read_text().count("registered")


def test_a_killed_kube_router_is_noticed_and_refuses_again(space: Space, node: Cluster) -> None:
    space.apply(*server("web"), *server("stranger"), policy("deny", {"app": "web"}, ingress=[]))
    space.ready("stranger")
    space.becomes(lambda: space.connects("stranger", "web:80"), "refused")
    node.kill("kube-router")
    node.until(node.ready, "kube-router's health", 60)
    space.apply(*server("new"), policy("deny-new", {"app": "new"}, ingress=[]))
    node.until(lambda: space.get("pod/new")["status"].get("podIP"), "the new pod's address")
    space.becomes(lambda: space.connects("stranger", "new:80"), "refused")
