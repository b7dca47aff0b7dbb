"""The hub as its pod starts it: secrets and chart.yaml as the chart mounts them, loopback in the place of Services."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from support.installation import ROOT, free_ports
from voxelhub_service.secrets import OF_HUB
from voxelhub_service.settings import Settings, load_settings

PROFILES = {"currency": "EUR", "profiles": [
    {"name": "standard", "title": "Standard", "cpu": 1, "memory": "2 GiB", "price_per_hour": 0.06, "default": True},
    {"name": "gpu", "title": "GPU", "cpu": 2, "memory": "4 GiB", "gpu": {"kind": "A100", "count": 1}, "price_per_hour": 1.2,
     "allowed_groups": ["/voxelhub-gpu"]}]}


def chart(**changes: Any) -> dict[str, Any]:
    return {
        "release": {"name": "voxelhub", "namespace": "vre"},
        "singleuser": {"image": {"name": "localhost/voxelhub-notebook", "tag": "0.1.0"}, "startTimeout": 300},
        "profiles": PROFILES, "projects": {"lung": {"network": "project"}},
        "hub": {"config": {}, "extraConfig": {}, "concurrentSpawnLimit": 64, "activeServerLimit": 0},
        "cull": {"enabled": True, "timeout": 1800, "every": 30},
    } | changes


class HubPod:
    def __init__(self, folder: Path, document: Any = None) -> None:
        self.folder = folder
        self.secrets = folder / "state" / "secrets"
        self.secrets.mkdir(parents=True)
        for name in OF_HUB:
            (self.secrets / name).write_text(secrets.token_hex(32))
        self.chart = folder / "chart.yaml"
        self.write(chart() if document is None else document)
        self.hub_port, self.proxy_port, self.proxy_api_port, service, keycloak = free_ports(5)
        here = "http://127.0.0.1"
        self.environ = {
            "VOXELHUB_PLATFORM": "kubernetes", "VOXELHUB_LISTEN": "0.0.0.0", "VOXELHUB_STATE_DIR": str(folder / "state"),
            "VOXELHUB_PUBLIC_URL": "https://hub.example.org", "VOXELHUB_KEYCLOAK_PUBLIC_URL": "https://sso.example.org",
            "VOXELHUB_KEYCLOAK_INTERNAL_URL": f"{here}:{keycloak}", "VOXELHUB_HUB_PORT": str(self.hub_port),
            "VOXELHUB_HUB_INTERNAL_URL": f"{here}:{self.hub_port}", "VOXELHUB_SERVICE_INTERNAL_URL": f"{here}:{service}",
            "VOXELHUB_PROXY_API_URL": f"{here}:{self.proxy_api_port}", "VOXELHUB_PROXY_INTERNAL_URL": f"{here}:{self.proxy_port}",
            "VOXELHUB_CHART_FILE": str(self.chart),
        }

    def write(self, document: Any) -> None:
        self.chart.write_text(document if isinstance(document, str) else yaml.safe_dump(document))

    @property
    def settings(self) -> Settings:
        return load_settings(self.environ)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """JupyterHub itself with our configuration."""
        outside = {key: value for key, value in os.environ.items() if not key.startswith(("VOXELHUB_", "JUPYTER"))}
        environ = {**outside, **self.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        config = ROOT / "hub_config" / "jupyterhub_config.py"
        return subprocess.Popen([sys.executable, "-m", "jupyterhub", "-f", str(config), *arguments], env=environ,
                                cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
