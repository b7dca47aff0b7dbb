"""The real service and worker behind a real JupyterLab, without hub and Keycloak: what the panels' own tests need.

Only identity stands in (`support.service.TableIdentity`): the notebook server's token is a key of its table.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from support.lab_server import LAB, ROOT, LabServer, lab_server
from support.live import serving
from support.service import ACTORS, TableIdentity, bearer, make_test_context
from voxelhub_service.api.app import create_app
from voxelhub_service.api.gate import PREFIX
from voxelhub_service.context import Context


@dataclass(frozen=True)
class Workplace:
    context: Context
    api_url: str
    lab: LabServer

    def api(self, user: str = "alice") -> httpx.Client:
        return httpx.Client(base_url=self.api_url, headers=bearer(user), timeout=120, trust_env=False)

    @property
    def page_url(self) -> str:
        """Signs in and opens JupyterLab with a fresh layout."""
        return f"{self.lab.url}/lab?token={self.lab.token}&reset"


@contextmanager
def _working(context: Context, log: Path, settings: Mapping[str, Any]) -> Iterator[None]:
    """The worker as the supervisor starts it: a process of its own, with the service's settings."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("VOXELHUB_")}
    environ |= {"VOXELHUB_STATE_DIR": str(context.settings.state_dir), "VOXELHUB_ENVS_DIR": str(LAB.parent)}
    environ |= {f"VOXELHUB_{name.upper()}": str(value) for name, value in settings.items()}
    with log.open("wb") as output:
        worker = subprocess.Popen([sys.executable, "-m", "voxelhub_service.runs.worker"], env=environ, cwd=ROOT,
                                  stdout=output, stderr=output)
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(180)


@contextmanager
def workplace(
    folder: Path, user: str = "alice", environ: Mapping[str, str] | None = None, clinical: Collection[str] = (), **settings: Any
) -> Iterator[Workplace]:
    """Every project of `user` is open, except those named as clinical."""
    context = make_test_context(folder, **{"envs_dir": LAB.parent, **settings})
    with serving(create_app(context, TableIdentity(ACTORS))) as port, _working(context, folder / "worker.log", settings):
        api_url = f"http://127.0.0.1:{port}{PREFIX}"
        names = [p["name"] for p in httpx.get(f"{api_url}/projects", headers=bearer(user)).raise_for_status().json()]
        for name in names:
            change = {"open": name not in clinical}
            httpx.patch(f"{api_url}/projects/{name}", headers=bearer("admin"), json=change).raise_for_status()
        variables = {"JUPYTERHUB_USER": user, "VOXELHUB_PROJECTS": ",".join(names), **(environ or {})}
        with lab_server(folder / "home", api_url, f"token-of-{user}", program="jupyter-lab", environ=variables) as lab:
            yield Workplace(context, api_url, lab)
