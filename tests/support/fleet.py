"""The service as processes that can be killed: api and worker, started again whenever they die, as `voxelhub up` does.

Everything is real but identity (support.serve). VOXELHUB_KILL_AT is set in all of them, so that a named commit point is
armed by writing its name to a file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
from support.ports import free_port
from support.probe import write_probe
from support.service import bearer
from support.world import ROOT
from voxelhub_service import migrations
from voxelhub_service.api.gate import PREFIX
from voxelhub_service.context import make_context
from voxelhub_service.executors.local import LocalExecutor
from voxelhub_service.secrets import ensure_secrets
from voxelhub_service.settings import load_settings

COMMANDS = {
    "api": [sys.executable, "-m", "support.serve"],
    "worker": [sys.executable, "-m", "voxelhub_service.runs.worker"],
}


class Fleet:
    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.trigger = folder / "kill-at"
        self.environ = {
            **os.environ, "VOXELHUB_STATE_DIR": str(folder / "state"), "VOXELHUB_ENVS_DIR": str(ROOT / ".envs"),
            "VOXELHUB_TOOLS_DIR": str(write_probe(folder / "tools")), "VOXELHUB_SERVICE_PORT": str(free_port()),
            "VOXELHUB_KILL_AT": str(self.trigger), "VOXELHUB_URL_PRIVATE": "true", "PYTHONPATH": str(ROOT / "tests"),
            "VOXELHUB_DATABASE_URL": database_url, "VOXELHUB_RUN_SLOTS": "2",
        }
        self.settings = load_settings({k: v for k, v in self.environ.items() if k.startswith("VOXELHUB_")})
        self.settings.state_dir.mkdir(parents=True)
        ensure_secrets(self.settings.secrets_dir)
        migrations.upgrade(self.settings)
        self.context = make_context(self.settings)
        self.executor = LocalExecutor(self.settings.runs_dir)
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.deaths: list[str] = []
        self._over = threading.Event()
        self.client = httpx.Client(base_url=f"{self.settings.service_url}{PREFIX.removeprefix('/services/voxelhub')}",
                                   headers=bearer("alice"), timeout=60)

    def __enter__(self) -> Fleet:
        for name in COMMANDS:
            self._start(name)
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        self.wait_for_api()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._keeper.join()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.executor.shutdown()
        self.client.close()
        self.context.engine.dispose()

    def _start(self, name: str) -> None:
        with (self.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(COMMANDS[name], env=self.environ, stdout=log, stderr=log)

    def _keep(self) -> None:
        while not self._over.wait(0.02):
            for name, process in list(self.processes.items()):
                if process.poll() is not None:
                    self.deaths.append(name)
                    self._start(name)

    def wait_for_api(self) -> None:
        self.request("GET", "/health", seconds=240)  # a busy machine starts Python slowly

    def request(self, method: str, path: str, seconds: float = 180, **options: Any) -> httpx.Response:
        """As a client does that comes back: again after a cut connection or while the service starts."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = self.client.request(method, path, **options)
                if answer.status_code != 503:
                    return answer
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, f"{method} {path} found nobody for {seconds} s"
            time.sleep(0.05)

    def arm(self, name: str) -> None:
        part = self.trigger.with_suffix(".part")
        part.write_text(name)
        part.replace(self.trigger)

    def disarm(self) -> bool:
        """Whether the named point was reached, and its process killed."""
        reached = not self.trigger.exists()
        self.trigger.unlink(missing_ok=True)
        return reached

    def kill(self, what: str, run_id: str | None = None) -> bool:
        """SIGKILL to api, worker, or a run's supervisor or tool (the innermost process); False when there is none now."""
        if what in self.processes:
            self.processes[what].send_signal(signal.SIGKILL)
            return True
        folder = self.executor.folder(run_id or "")
        supervisor = folder.claimant(folder.attempts())
        try:
            process = psutil.Process(supervisor["pid"])
            if what == "tool":
                process = process.children(recursive=True)[-1]
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            process.kill()
        except (KeyError, IndexError, psutil.NoSuchProcess):
            return False
        return True
