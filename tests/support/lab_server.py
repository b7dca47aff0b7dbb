"""A real Jupyter server from the `lab` environment, as a child process, for tests that need no hub."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("VOXELHUB_ENVS_DIR", ROOT / ".envs")) / "lab"
BASE = "/user/maria/"


@dataclass(frozen=True)
class LabServer:
    port: int
    token: str  # Jupyter's own, not the hub's

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{BASE.rstrip('/')}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"}


@contextmanager
def lab_server(
    home: Path, api_url: str, hub_token: str, *, program: str = "jupyter-server", environ: Mapping[str, str] | None = None
) -> Iterator[LabServer]:
    """Starts `jupyter-server` (or `jupyter-lab`) at /user/maria/ with the VoxelHub extension; ends it afterwards."""
    server = LabServer(free_port(), secrets.token_hex(16))
    (home / "work").mkdir(parents=True, exist_ok=True)
    (home / ".jupyter" / "labconfig").mkdir(parents=True, exist_ok=True)  # nothing is to be built: a second less per page
    (home / ".jupyter" / "labconfig" / "page_config.json").write_text('{"buildCheck": false}')
    command = [
        str(LAB / "bin" / program), "--no-browser", "--ip=127.0.0.1", f"--port={server.port}", f"--ServerApp.base_url={BASE}",
        f"--IdentityProvider.token={server.token}", "--ServerApp.allow_root=True", "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={home / 'work'}", "--ServerApp.jpserver_extensions={'voxelhub_lab': True}",
    ]
    variables = {
        "PATH": f"{LAB / 'bin'}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8",
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERHUB_USER": "maria", "JUPYTERHUB_API_TOKEN": hub_token, "VOXELHUB_API_URL": api_url, **(environ or {}),
    }
    log = (home / "server.log").open("wb")
    process = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT, cwd=home)
    try:
        _wait(server, process, home / "server.log")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait(server: LabServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the Jupyter server ended:\n{log.read_text()[-3000:]}")
        try:
            if httpx.get(f"{server.url}/api/status", headers=server.headers, timeout=20).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"the Jupyter server did not answer:\n{log.read_text()[-3000:]}")
