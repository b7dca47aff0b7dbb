"""A JupyterHub without anything of ours: dummy authenticator, SimpleLocalProcessSpawner, the same Lab and kernel."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from support.installation import ENVS, ROOT, free_ports
from support.specs import install

PASSWORD = "bench"
CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:{proxy}/"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.ConfigurableHTTPProxy.command = ["{node}", "{chp}"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.Spawner.cmd = ["{lab}/bin/jupyterhub-singleuser"]
c.Spawner.args = ["--allow-root", "--KernelSpecManager.kernel_dirs={folder}/kernels",
                  "--ServerApp.jpserver_extensions={{'voxelhub_lab': False}}"]
c.Spawner.environment = {{"PATH": "{lab}/bin:/usr/bin:/bin"}}
c.Spawner.env_keep = []
c.Spawner.default_url = "/lab"
"""


@contextmanager
def bare_hub(folder: Path) -> Iterator[str]:
    """Its address, while it runs."""
    folder.mkdir(parents=True)
    install("imaging", folder)
    proxy, hub, api = free_ports(3)
    (folder / "config.py").write_text(CONFIG.format(
        proxy=proxy, hub=hub, api=api, folder=folder, password=PASSWORD, lab=ENVS / "lab", node=ENVS / "core/bin/node",
        chp=ROOT / "node_modules/.bin/configurable-http-proxy"))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("VOXELHUB_", "JUPYTER"))}
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen([ENVS / "core/bin/python", "-m", "jupyterhub", "-f", folder / "config.py"], cwd=folder,
                                   env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(f"http://127.0.0.1:{proxy}/hub/health", process, folder / "hub.log")
        yield f"http://127.0.0.1:{proxy}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(address, timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the bare hub did not start:\n{log.read_text()[-3000:]}")
