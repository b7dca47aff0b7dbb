"""The service's worker beside a service in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

from voxelhub_service.context import Context
from voxelhub_service.settings import Settings


@contextmanager
def working(context: Context) -> Iterator[subprocess.Popen[bytes]]:
    """The worker as the supervisor starts it, a process of its own with the settings of `context`; ended afterwards."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VOXELHUB_")}
    plain = Settings()
    for one in fields(Settings):
        value = getattr(context.settings, one.name)
        if value != getattr(plain, one.name):
            environ[f"VOXELHUB_{one.name.upper()}"] = str(value)
    with (context.settings.state_dir / "worker.log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-m", "voxelhub_service.runs.worker"], env=environ, stdout=log, stderr=log)
        try:
            yield worker
        finally:
            worker.terminate()
            worker.wait(180)
