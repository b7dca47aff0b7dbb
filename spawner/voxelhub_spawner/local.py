"""Notebook servers on this machine, each in a sandbox of its own, held by a launcher that outlives a killed hub."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import psutil
from jupyterhub.spawner import Spawner, SpawnException
from jupyterhub.utils import random_port
from traitlets import Any as AnyTrait
from traitlets import Bool, Float, Unicode
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_sandbox.profiles import ServerSpec

from .base import VoxelHubSpawner
from .gpus import GpuPool, shared_devices
from .launcher import Order
from .mounts import (
    Places,
    ensure_home,
    ensure_projects,
    installed_kernels,
    only_user,
    read_only_mounts,
    server_arguments,
    server_environ,
)

NO_GPU = "All GPUs of this kind are in use. Try again later, or choose another profile."
ONE_USER = "Isolation is switched off here, so this installation serves one person only, and that is somebody else."


class LocalIsolatedSpawner(VoxelHubSpawner, Spawner):  # type: ignore[misc]
    """Starts `jupyterhub-singleuser` of the `lab` environment behind bubblewrap, with the profile's limits."""

    isolation = Bool(True, help="False starts servers openly: one user only, said in the panel.").tag(config=True)
    envs_dir = Unicode(help="Folder of the environments.").tag(config=True)
    homes_dir = Unicode(help="Folder of the users' homes.").tag(config=True)
    projects_dir = Unicode(help="Folder of the published dataset versions.").tag(config=True)
    logs_dir = Unicode(help="Folder of the servers' logs.").tag(config=True)
    records_dir = Unicode(help="Folder of the records of what servers use; empty keeps none.").tag(config=True)
    gpus = AnyTrait(GpuPool([]), help="The machine's one GpuPool.").tag(config=True)
    grace = Float(10.0, help="Seconds between asking a server to end and killing it.").tag(config=True)

    proc: subprocess.Popen[bytes] | None = None
    pid = 0
    born = 0.0  # start time of `pid`: a number that was used again is not our launcher
    spec: ServerSpec | None = None

    # what the hub keeps for us between two of its lives

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        if self.pid:
            state |= {"pid": self.pid, "born": self.born, "projects": self.projects, "devices": self._devices(),
                      "profile": self.spec.profile if self.spec else ""}
        return dict(state)

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.pid, self.born = state.get("pid", 0), state.get("born", 0.0)
        self.projects = state.get("projects", [])
        if self.pid:
            self.gpus.claim(self._log_name, state.get("devices", []))

    def clear_state(self) -> None:
        super().clear_state()
        self.pid, self.born, self.projects = 0, 0.0, []
        self.gpus.release(self._log_name)

    @property
    def places(self) -> Places:
        return Places(Path(self.envs_dir), Path(self.homes_dir), Path(self.projects_dir))

    def _devices(self) -> list[str]:
        return list(self.gpus.held_by(self._log_name))

    # life

    async def start(self) -> tuple[str, int]:
        self.spec = spec = self.decide()
        await self._refuse_spent()
        if self.isolation and (missing := unavailable()):
            raise SpawnException(f"Servers cannot be isolated on this machine. {missing}", reason="no-sandbox", status_code=503)
        if not self.isolation and not only_user(self.places, self.slug_for(self.user.name)):
            raise SpawnException(ONE_USER, reason="no-isolation", status_code=403)
        leased = self.gpus.lease(self._log_name, spec.gpu_kind, spec.gpu_count)
        if leased is None:
            raise SpawnException(NO_GPU, reason="no-gpu", status_code=503)
        self.mem_limit, self.cpu_limit = spec.memory, spec.cpu
        self.port: int = self.port or random_port()
        order = self._order(spec, [gpu.device for gpu in leased])
        self.proc = launch(order)
        self.pid, self.born = self.proc.pid, psutil.Process(self.proc.pid).create_time()
        self._remember()
        self._report_start({"profile": spec.profile})
        return ("127.0.0.1", self.port)

    def _order(self, spec: ServerSpec, devices: list[str]) -> Order:
        places, slug = self.places, self.slug_for(self.user.name)
        self.projects = sorted(self.projects_for(self.user.name, self._groups))
        home = ensure_home(places, slug)
        ensure_projects(places, self.projects)
        Path(self.logs_dir).mkdir(parents=True, exist_ok=True, mode=0o700)
        inside = f"/home/{slug}" if self.isolation else str(home)
        ours = {
            **self.variables, "USER": self.user.name, "LOGNAME": self.user.name, "VOXELHUB_PROJECTS": ",".join(self.projects),
            "VOXELHUB_PROFILE": spec.profile, "VOXELHUB_ISOLATION": str(self.isolation).lower(),
            "VOXELHUB_PROJECTS_DIR": "/projects" if self.isolation else str(places.projects),
            "OMP_NUM_THREADS": str(max(1, int(spec.cpu))),
        }
        lab = places.envs / "lab" / "bin"
        arguments = server_arguments(inside, installed_kernels(places, spec.kernels))
        if not self.isolation and os.geteuid() == 0:
            arguments.append("--allow-root")
        return Order(
            name=slug, program=[str(lab / "jupyterhub-singleuser"), *arguments, *self.get_args()],
            environ=server_environ(self.get_env(), ours, home=inside, lab_bin=lab), cwd=inside,
            log=str(Path(self.logs_dir) / f"{slug}.log"), cpu=spec.cpu, memory=spec.memory, sandbox=self.isolation,
            read_only=read_only_mounts(places, self.projects), read_write=[(str(home), inside)],
            devices=devices + shared_devices() if devices else [], grace=self.grace, record=self._record(),
            facts={"user": self.user.name, "server": self.name, "profile": spec.profile, "cpu": spec.cpu, "gpus": spec.gpu_count},
        )

    def _record(self) -> str:
        """A new file for each start, so that none is charged to another."""
        if not self.records_dir:
            return ""
        Path(self.records_dir).mkdir(parents=True, exist_ok=True, mode=0o700)
        return str(Path(self.records_dir) / f"{uuid.uuid4().hex}.json")

    def _alive(self) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.born) < 0.02 and process.status() != psutil.STATUS_ZOMBIE
        return False

    def _code_of_a_strangers_child(self) -> int | None:
        return None if self.pid and self._alive() else 0

    async def poll(self) -> int | None:
        """None while the launcher runs, else the server's exit code (0 where another hub was its parent)."""
        code = self.proc.poll() if self.proc is not None else self._code_of_a_strangers_child()
        if code is not None:
            self.clear_state()
        return code

    async def stop(self, now: bool = False) -> None:
        """Returns when the whole process tree is gone."""
        if await self.poll() is not None:
            return
        user, resource = self.user.name, self._resource
        self._signal(signal.SIGKILL if now else signal.SIGTERM)
        if not await self._gone(self.grace + 5):
            self._signal(signal.SIGKILL)
            await self._gone(10)
        self.report(user, "server.stop", resource, "success", {})

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def _gone(self, patience: float) -> bool:
        for _ in range(int(patience * 20)):
            if await self.poll() is not None:
                return True
            await asyncio.sleep(0.05)
        return False


def launch(order: Order) -> subprocess.Popen[bytes]:
    """A launcher in its own session, with nothing of our environment, that has read its order."""
    process = subprocess.Popen(
        [sys.executable, "-m", "voxelhub_spawner.launcher"], stdin=subprocess.PIPE, start_new_session=True, cwd="/",
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8"},
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:
        process.stdin.write(order.to_json())
    return process
