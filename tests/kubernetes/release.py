"""VoxelHub as `helm install` makes it, with everything bundled, from images of this checkout.

All tests of a session share one. While writing tests, beside `make kubernetes`: with VOXELHUB_KUBERNETES_KEEP=1 a release
stays after them and is taken up by the next run; VOXELHUB_KUBERNETES_NAMESPACE and VOXELHUB_KUBERNETES_PORT (and the one
after it) give several people one each.
"""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from typing import Any

import archives
import yaml
from cluster.running import Cluster
from support.certificates import certificate
from support.helm import CHART, EVALUATION
from support.installation import Browser, browser, login, xsrf

NAMESPACE = os.environ.get("VOXELHUB_KUBERNETES_NAMESPACE", "vre")
PORT = int(os.environ.get("VOXELHUB_KUBERNETES_PORT", "30443"))  # of the node; the next one is Keycloak's
KEEP = bool(os.environ.get("VOXELHUB_KUBERNETES_KEEP"))
IMAGES = ("postgresql", "keycloak", "proxy", "service", "hub", "notebook")
PYTHON = "/opt/voxelhub/.envs/core/bin/python"
PEOPLE = "app.kubernetes.io/component=singleuser-server"
GPU = "NVIDIA-A100-SXM4-80GB"  # the label that the test cluster's node has
LITTLE = {"resources": {"requests": {"cpu": "40m", "memory": "64Mi"}}}  # several releases fit on two cores
VALUES: dict[str, Any] = {
    "storage": {"state": {"size": "2Gi", "storageClass": "local-limited"}},  # test_faults.py fills it
    "hub": {"db": {"pvc": {"storage": "1Gi"}}, **LITTLE}, "proxy": LITTLE,
    "service": {"resources": {"api": LITTLE["resources"], "worker": LITTLE["resources"]}},
    "keycloak": {"bundled": LITTLE}, "postgresql": {"bundled": {"storage": {"size": "1Gi"}, **LITTLE}},
    "singleuser": {"storage": {"capacity": "1Gi"}, "startTimeout": 90, "guarantee": {"cpu": 0.01, "memory": 0.1}},
    "profiles": {"currency": "EUR", "profiles": [
        {"name": "small", "title": "Small", "cpu": 1, "memory": "2 GiB", "price_per_hour": 0.02, "default": True},
        {"name": "gpu", "title": "One GPU", "cpu": 1, "memory": "2 GiB", "price_per_hour": 1.2,
         "gpu": {"kind": GPU, "count": 1, "resource": "nvidia.com/gpu"}, "allowed_groups": ["/projects/lung"]},
        {"name": "slice", "title": "A slice of a GPU", "cpu": 1, "memory": "2 GiB", "price_per_hour": 0.2,
         "gpu": {"kind": GPU, "count": 1, "resource": "nvidia.com/mig-1g.5gb"}, "allowed_groups": ["/projects/heart"]},
        {"name": "gone", "title": "Gone", "cpu": 1, "memory": "2 GiB", "price_per_hour": 0.02,
         "image": "localhost:10248/voxelhub-gone:1", "allowed_groups": ["/projects/faults"]},  # of the kubelet, which knows none
    ]},
    "projects": {"heart": {"network": "project"}, "liver": {"network": "project"}, "atlas": {"network": "internet"}},
    "limits": {"gpusPerProject": 1},
}


class Release:
    """`with Release(node, folder) as it:`. Its namespace enforces *restricted*."""

    def __init__(self, node: Cluster, folder: Path, namespace: str = NAMESPACE, port: int = PORT, keep: bool = KEEP,
                 values: dict[str, Any] = VALUES) -> None:
        self.node, self.namespace, self.port, self.keep, self.values = node, namespace, port, keep, values
        self.folder = node.folder / f"release-{namespace}" if keep else folder
        self.url = f"https://{node.node_ip}:{port}"
        self.chart, self.evaluation = CHART, EVALUATION

    def __enter__(self) -> Release:
        self.images()
        self.prepare()
        self.helm("upgrade", "--install")
        return self

    def prepare(self) -> None:
        """What `helm install` needs besides the images."""
        self.folder.mkdir(parents=True, exist_ok=True)
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        self.node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}})
        if not (cert := self.folder / "cert.pem").exists():
            cert, key = certificate(self.folder, self.node.node_ip, f"keycloak-public.{self.namespace}")
            self.kubectl("create", "secret", "tls", "voxelhub-tls", f"--cert={cert}", f"--key={key}")
        self.trust = ssl.create_default_context(cafile=str(cert))

    def __exit__(self, *_: object) -> None:
        if self.keep:
            return
        self.kubectl("delete", "pods,pvc", "--all", "--wait=false", check=False)
        self.node.helm("uninstall", "voxelhub", "--namespace", self.namespace, check=False)
        self.node.kubectl("delete", "namespace", self.namespace, "--wait=false", check=False)

    def images(self) -> None:
        """From the archive, as on a node without internet, and the chart too. Images of a kept release stay, with our chart."""
        there = self.node.inside(["ctr", "--namespace", "k8s.io", "images", "list", "--quiet"]).stdout if self.keep else ""
        if not all(f"/voxelhub-{name}:" in there for name in IMAGES):
            folder = archives.unpacked()
            archives.load(self.node, folder)
            self.chart, self.evaluation = next(folder.glob("*.tgz")), folder / EVALUATION.name

    def helm(self, *verb: str, values: dict[str, Any] | None = None, chart: Path | None = None) -> str:
        """`helm("upgrade")` with the values of all tests, and with these over them. Waits until every pod is ready."""
        ports = {"proxy": {"service": {"nodePorts": {"https": self.port}}},
                 "keycloak": {"bundled": {"service": {"nodePort": self.port + 1}}}}
        files = []
        for number, each in enumerate((self.values, {"publicUrl": self.url, **ports}, values or {})):
            files += ["--values", str(self.folder / f"values-{number}.yaml")]
            Path(files[-1]).write_text(yaml.safe_dump(each))
        return self.node.helm(*verb, "voxelhub", str(chart or self.chart), "--namespace", self.namespace,
                              "--values", str(self.evaluation), *files, "--wait", "--timeout", "15m", timeout=1000)

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        return self.node.kubectl("--namespace", self.namespace, *arguments, check=check, timeout=300)

    def voxelhub(self, pod: str, *arguments: str) -> str:
        """The command in the pod of the hub or of the service."""
        container = {"hub": "hub", "voxelhub-service": "worker"}[pod]
        return self.kubectl("exec", f"deployment/{pod}", "--container", container, "--", PYTHON, "-m", "voxelhub_hub.cli",
                            *arguments)

    def person(self, name: str, *projects: str) -> str:
        """Made as docs/kubernetes.md says, once; returns the password that was shown then."""
        known = self._made()
        if name not in known["people"]:
            for project in projects:
                self.project(project)
            said = self.voxelhub("hub", "user", "add", name, *(f"--project={project}" for project in projects))
            known = self._made()
            known["people"][name] = said.split("   ")[1].split()[0]
            (self.folder / "made.json").write_text(json.dumps(known))
        return str(known["people"][name])

    def project(self, name: str) -> None:
        known = self._made()
        if name not in known["projects"]:
            self.voxelhub("hub", "project", "add", name)
            self.voxelhub("voxelhub-service", "project", "add", name, "--open")
            known["projects"].append(name)
            (self.folder / "made.json").write_text(json.dumps(known))

    def _made(self) -> dict[str, Any]:
        file = self.folder / "made.json"
        return dict(json.loads(file.read_text())) if file.exists() else {"people": {}, "projects": []}

    def session(self, name: str, password: str) -> Browser:
        client = browser(self.trust)
        self.node.until(lambda: client.get(f"{self.url}/hub/login").status_code == 200, "the answer of the hub", 120)
        login(client, self.url, name, password)
        return client

    def start(self, client: Browser, name: str, **choices: Any) -> dict[str, Any]:
        """As the form does, with a profile and a project; returns the pod once the server answers."""
        chosen = {"profile": "small", **choices}
        answer = client.post(f"{self.url}/hub/api/users/{name}/server", headers=xsrf(client), json=chosen)
        assert answer.status_code in {201, 202}, answer.text
        self.node.until(lambda: self.answers(client, name), f"{name}'s server", 180)
        return self.servers()[name]

    def answers(self, client: Browser, name: str) -> bool:
        """Asks for a page, by which the hub brings the browser to the server's cookie; its API would say 403 without."""
        page = client.get(f"{self.url}/user/{name}/lab")
        return page.status_code == 200 and page.url.path == f"/user/{name}/lab"

    def stop(self, client: Browser, name: str) -> None:
        client.delete(f"{self.url}/hub/api/users/{name}/server", headers=xsrf(client))
        self.node.until(lambda: name not in self.servers(), f"the end of {name}'s server", 120)

    def servers(self) -> dict[str, dict[str, Any]]:
        """Users' pods by the name of their user."""
        pods = self.node.get("pods", "--namespace", self.namespace, "--selector", PEOPLE)["items"]
        return {pod["metadata"]["labels"]["hub.jupyter.org/username"]: pod for pod in pods}

    def pods(self) -> list[dict[str, Any]]:
        return list(self.node.get("pods", "--namespace", self.namespace)["items"])
