"""VoxelHub as `helm install` makes it, with everything bundled, from images of this checkout."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from cluster.running import Cluster
from support.certificates import certificate
from support.helm import CHART, EVALUATION
from support.installation import ROOT, Browser, browser, login

NAMESPACE = "vre"
IMAGES = ("postgresql", "keycloak", "proxy", "service", "hub", "notebook")
PYTHON = "/opt/voxelhub/.envs/core/bin/python"
PEOPLE = "app.kubernetes.io/component=singleuser-server"
GPU = "NVIDIA-A100-SXM4-80GB"  # the label that the test cluster's node has
VALUES: dict[str, Any] = {
    "storage": {"state": {"size": "2Gi"}}, "hub": {"db": {"pvc": {"storage": "1Gi"}}},
    "postgresql": {"bundled": {"storage": {"size": "1Gi"}}}, "singleuser": {"storage": {"capacity": "1Gi"}},
    "profiles": {"currency": "EUR", "profiles": [
        {"name": "small", "title": "Small", "cpu": 1, "memory": "2 GiB", "price_per_hour": 0.02, "default": True},
        {"name": "gpu", "title": "One GPU", "cpu": 1, "memory": "2 GiB", "price_per_hour": 1.2,
         "gpu": {"kind": GPU, "count": 1, "resource": "nvidia.com/gpu"}, "allowed_groups": ["/projects/lung"]},
    ]},
}


def archives() -> Path:
    """`images/build.py` writes them; with VOXELHUB_IMAGES_BUILD=no those of before are taken as they are."""
    store = Path(os.environ.get("VOXELHUB_IMAGES_DIR", "/var/tmp/voxelhub-images"))
    saved = store / "saved"
    if os.environ.get("VOXELHUB_IMAGES_BUILD") != "no":
        subprocess.run([sys.executable, str(ROOT / "images" / "build.py"), *IMAGES, "--save", str(saved)], check=True)
    return saved


class Release:
    """`with Release(node, folder) as it:`. Its namespace enforces *restricted*."""

    def __init__(self, node: Cluster, folder: Path) -> None:
        self.node, self.folder = node, folder
        self.url = f"https://{node.node_ip}:30443"

    def __enter__(self) -> Release:
        saved = archives()
        for name in IMAGES:
            self.node.load_image(saved / f"voxelhub-{name}.tar")
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        self.node.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
        cert, key = certificate(self.folder, self.node.node_ip)
        self.trust = ssl.create_default_context(cafile=str(cert))
        self.kubectl("create", "secret", "tls", "voxelhub-tls", f"--cert={cert}", f"--key={key}")
        self.helm("install")
        return self

    def __exit__(self, *_: object) -> None:
        self.kubectl("delete", "pods,pvc", "--all", "--wait=false", check=False)
        self.node.helm("uninstall", "voxelhub", "--namespace", NAMESPACE, check=False)
        self.node.kubectl("delete", "namespace", NAMESPACE, "--wait=false", check=False)

    def helm(self, verb: str, *sets: str) -> str:
        values = self.folder / "values.yaml"
        values.write_text(yaml.safe_dump({"publicUrl": self.url, **VALUES}))
        options = [option for one in sets for option in ("--set", one)]
        return self.node.helm(verb, "voxelhub", str(CHART), "--namespace", NAMESPACE, "--values", str(EVALUATION),
                              "--values", str(values), *options, "--wait", "--timeout", "15m", timeout=1000)

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        return self.node.kubectl("--namespace", NAMESPACE, *arguments, check=check, timeout=300)

    def voxelhub(self, pod: str, *arguments: str) -> str:
        """The command in the pod of the hub or of the service."""
        container = {"hub": "hub", "voxelhub-service": "worker"}[pod]
        return self.kubectl("exec", f"deployment/{pod}", "--container", container, "--", PYTHON, "-m", "voxelhub_hub.cli",
                            *arguments)

    def person(self, name: str, *projects: str) -> str:
        """Made as docs/kubernetes.md says; returns the password that is shown once."""
        said = self.voxelhub("hub", "user", "add", name, *(f"--project={project}" for project in projects))
        return said.split("   ")[1].split()[0]

    def project(self, name: str) -> None:
        self.voxelhub("hub", "project", "add", name)
        self.voxelhub("voxelhub-service", "project", "add", name, "--open")

    def session(self, name: str, password: str) -> Browser:
        client = browser(self.trust)
        self.node.until(lambda: client.get(f"{self.url}/hub/login").status_code == 200, "the answer of the hub", 120)
        login(client, self.url, name, password)
        return client

    def servers(self) -> dict[str, dict[str, Any]]:
        """Users' pods by the name of their user."""
        pods = self.node.get("pods", "--namespace", NAMESPACE, "--selector", PEOPLE)["items"]
        return {pod["metadata"]["labels"]["hub.jupyter.org/username"]: pod for pod in pods}

    def pods(self) -> list[dict[str, Any]]:
        return list(self.node.get("pods", "--namespace", NAMESPACE)["items"])
