"""A JupyterHub with plain KubeSpawner in a namespace of its own: dummy authenticator, no volumes, images and sizes as ours."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from benchmarks.kube_people import KERNEL, Visitor
from cluster.client import Client

TAG = "0.1.0"
CONFIG = """
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.JupyterHub.bind_url = "http://0.0.0.0:8000/"
c.JupyterHub.hub_bind_url = "http://0.0.0.0:8081"
c.JupyterHub.hub_connect_url = "http://hub:8081"
c.JupyterHub.db_url = "sqlite:////tmp/hub.sqlite"
c.JupyterHub.cookie_secret_file = "/tmp/cookie-secret"
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://proxy:8001"
c.ConfigurableHTTPProxy.auth_token = {token!r}
c.JupyterHub.services = [{{"name": "bench", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [{{"name": "bench", "services": ["bench"],
                            "scopes": ["admin:users", "admin:servers", "tokens", "access:servers"]}}]
c.KubeSpawner.image = {image!r}
c.KubeSpawner.cmd = ["/opt/voxelhub/.envs/lab/bin/jupyterhub-singleuser"]
c.KubeSpawner.args = [
    "--ServerApp.jpserver_extensions={{'voxelhub_lab': False}}", "--KernelSpecManager.ensure_native_kernel=False",
    "--MultiKernelManager.default_kernel_name={kernel}"]
c.KubeSpawner.default_url = "/lab"
c.KubeSpawner.cpu_limit, c.KubeSpawner.cpu_guarantee = {cpu}, {asked_cpu}
c.KubeSpawner.mem_limit, c.KubeSpawner.mem_guarantee = {memory}, {asked_memory}
"""


@contextmanager
def plain_hub(cluster: Client, address: str, namespace: str, port: int, sizes: dict[str, Any],
              resources: dict[str, Any]) -> Iterator[Visitor]:
    """Its only person. `resources`: of hub and proxy, by name; `sizes`: of a server, as CONFIG names them."""
    token = secrets.token_hex(32)
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    try:
        cluster.apply(objects(token, port, sizes, resources), "--namespace", namespace)
        for name in ("hub", "proxy"):
            cluster.kubectl("rollout", "status", f"deployment/{name}", "--namespace", namespace, "--timeout=240s", timeout=250)
        url = f"http://{address}:{port}"
        cluster.until(lambda: answers(url), "the answer of the plain hub", 120)
        yield person(url, token)
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false", check=False)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/hub/health", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def person(url: str, token: str, name: str = "bench") -> Visitor:
    with httpx.Client(base_url=f"{url}/hub/api", headers={"Authorization": f"token {token}"}, trust_env=False) as service:
        service.post(f"/users/{name}").raise_for_status()
        made = service.post(f"/users/{name}/tokens", json={"note": "bench"}).raise_for_status()
    return Visitor(url, name, made.json()["token"])


def objects(token: str, port: int, sizes: dict[str, Any], resources: dict[str, Any]) -> list[dict[str, Any]]:
    config = CONFIG.format(token=token, image=f"localhost/voxelhub-notebook:{TAG}", kernel=KERNEL, **sizes)
    python = "/opt/voxelhub/.envs/core/bin/python"
    hub = {"image": f"localhost/voxelhub-hub:{TAG}", "args": [python, "-m", "jupyterhub", "-f", "/etc/plain/config.py"],
           "resources": resources["hub"], "volumeMounts": [{"name": "config", "mountPath": "/etc/plain"}],
           "readinessProbe": {"httpGet": {"path": "/hub/health", "port": 8081}, "periodSeconds": 2}}
    proxy = {"image": f"localhost/voxelhub-proxy:{TAG}", "resources": resources["proxy"],
             "args": ["configurable-http-proxy", "--ip=0.0.0.0", "--port=8000", "--api-ip=0.0.0.0", "--api-port=8001",
                      "--default-target=http://hub:8081", "--error-target=http://hub:8081/hub/error"],
             "env": [{"name": "CONFIGPROXY_AUTH_TOKEN", "value": token}],
             "readinessProbe": {"httpGet": {"path": "/_chp_healthz", "port": 8000}, "periodSeconds": 2}}
    return [
        named("v1", "ConfigMap", "config", data={"config.py": config}),
        named("v1", "ServiceAccount", "hub"),
        named("rbac.authorization.k8s.io/v1", "Role", "hub", rules=[
            {"apiGroups": [""], "resources": ["pods", "persistentvolumeclaims", "events"],
             "verbs": ["get", "list", "watch", "create", "delete"]}]),
        named("rbac.authorization.k8s.io/v1", "RoleBinding", "hub", subjects=[{"kind": "ServiceAccount", "name": "hub"}],
              roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hub"}),
        service("hub", {"port": 8081}),
        service("proxy", {"name": "api", "port": 8001}),
        service("public", {"port": 8000, "nodePort": port}, of="proxy", type="NodePort"),
        deployment("hub", hub, serviceAccountName="hub", volumes=[{"name": "config", "configMap": {"name": "config"}}]),
        deployment("proxy", proxy),
    ]


def named(version: str, kind: str, name: str, **parts: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **parts}


def service(name: str, port: dict[str, Any], of: str = "", **spec: Any) -> dict[str, Any]:
    return named("v1", "Service", name, spec={"selector": {"app": of or name}, "ports": [port], **spec})


def deployment(name: str, container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {
        "enableServiceLinks": False, "terminationGracePeriodSeconds": 1, "securityContext": {"fsGroup": 1000},
        "containers": [{"name": name, "imagePullPolicy": "IfNotPresent", **container}], **spec}}
    return named("apps/v1", "Deployment", name, spec={
        "replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template})
