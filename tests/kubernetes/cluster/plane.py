"""The API server with its store and its controllers as plain programs of this machine, where no kubelet can run: it takes
objects, admits and refuses them, and no pod ever starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from . import api, pki
from .client import Client, Failed
from .programs import Plane, api_server, controllers, etcd

ADVERTISED = "192.0.2.1"  # of the addresses for documentation: that of a loopback is refused


class ControlPlane(Client):
    """`with ControlPlane(free_ports(4)) as it:`; no root, nothing outside its folder, which is gone afterwards."""

    def __init__(self, ports: list[int]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="voxelhub-control-plane-"))
        super().__init__(folder / "pki/admin.kubeconfig", folder)
        names = ("api", "store", "peer", "controllers")
        self.plane = Plane(lib=folder, pki=folder / "pki", bind="127.0.0.1", advertise=ADVERTISED,
                           **dict(zip(names, ports, strict=True)))
        self.programs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self.plane.pki.mkdir()
            pki.write(self.plane.pki, f"https://127.0.0.1:{self.plane.api}")
            for command in (etcd(self.plane), api_server(self.plane)):
                self._start(command)
            with api.session(self.kubeconfig) as client:
                self._until(lambda: api.answers(client, "/readyz"))
                self._start(controllers(self.plane))
                self._until(lambda: api.answers(client, "/api/v1/namespaces/default/serviceaccounts/default"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for program in reversed(self.programs):
            program.kill()
            program.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, command: list[str]) -> None:
        with (self.folder / f"{Path(command[0]).name}.log").open("wb") as log:
            self.programs.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                                  env={**os.environ, "HOME": str(self.folder)}))

    def _until(self, condition: object, seconds: float = 120) -> None:
        assert callable(condition)
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline or any(program.poll() is not None for program in self.programs):
                logs = "\n".join("\n".join([path.name, *path.read_text(errors="replace").splitlines()[-8:]])
                                 for path in self.folder.glob("*.log"))
                raise Failed(f"the control plane did not start within {seconds:.0f} s\n{logs}")
            time.sleep(0.1)
