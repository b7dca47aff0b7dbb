"""One process of a cluster: behind bubblewrap, within its limits, its output in a log, ended with its supervisor."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voxelhub_sandbox.bubblewrap import Sandbox, bwrap_command
from voxelhub_sandbox.devices import shield_devices
from voxelhub_sandbox.limits import Confinement, Limits

from ..executors.output import clean
from .base import ClusterSpec, Size
from .folder import ClusterFolder
from .record import RollingLog, read_log

PR_SET_PDEATHSIG = 1
MAX_PIDS = 1024
AT_ONCE = 8  # pieces of 64 KiB that are read before others have their turn
KERNELS = Path(__file__).resolve().parents[3] / "kernels"  # the user's zone; programs in it are run inside, never imported
PROGRAMS = KERNELS / "voxelhub" / "cluster_programs"
# One thread each, as Dask's own nanny sets it: the worker's threads are what is parallel.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class Process:
    """Starts at once; raises OSError where that fails. `orders` become the program's one argument."""

    def __init__(
        self, folder: ClusterFolder, spec: ClusterSpec, name: str, size: Size, role: str, orders: dict[str, Any],
        stdin: int = subprocess.DEVNULL, passed: Sequence[int] = (),
    ) -> None:
        self.name, self.size, self.begun = name, size, time.monotonic()
        self.over: float | None = None
        self.closed = False
        self.scratch = folder.scratch / name
        self.scratch.mkdir(mode=0o700, exist_ok=True)
        self.confinement = Confinement(
            Limits(size.cpu, size.memory, MAX_PIDS, output=spec.scratch), f"cluster-{folder.path.name}-{name}",
            output=self.scratch)
        self.log = RollingLog(folder.logs / f"{name}.log")
        tls = folder.tls / role
        places = {"tls": "/tls", "scratch": "/scratch"} if spec.isolated else {"tls": str(tls), "scratch": str(self.scratch)}
        command = [f"{spec.environment}/bin/python", "-P", str(PROGRAMS / f"{role}.py"), json.dumps(orders | places)]
        environ = _environ(spec, places["scratch"])
        if spec.isolated:
            command = bwrap_command(_sandbox(spec, tls, self.scratch, environ, size), command)
        self.confinement.__enter__()
        try:
            self.popen = subprocess.Popen(
                command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=passed,
                start_new_session=True, preexec_fn=self._in_child(spec.isolated),
                env={} if spec.isolated else environ, cwd="/" if spec.isolated else self.scratch)
        except (OSError, subprocess.SubprocessError):
            self.confinement.close()
            raise
        self.confinement.watch(self.popen.pid)
        assert self.popen.stdout is not None
        self.output = self.popen.stdout.fileno()
        os.set_blocking(self.output, False)
        self.pidfd = os.pidfd_open(self.popen.pid)

    def _in_child(self, isolated: bool) -> Any:
        parent = os.getpid()

        def in_child() -> None:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the supervisor died before the line above
                os._exit(1)
            self.confinement.join()
            if isolated:
                shield_devices()

        return in_child

    @property
    def seconds(self) -> float:
        """That it has run, by the clock that nobody sets."""
        return (time.monotonic() if self.over is None else self.over) - self.begun

    def ended(self) -> bool:
        """Whether it has; its seconds stop at the first look that finds it so."""
        if self.popen.poll() is not None and self.over is None:
            self.over = time.monotonic()
        return self.over is not None

    def take(self) -> None:
        """Its output into its log."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(AT_ONCE):
                data = os.read(self.output, 1 << 16)
                self.log.write(data)
                if len(data) < 1 << 16:
                    break

    def end(self) -> None:
        """Kill whatever is left of it. Idempotent."""
        self.confinement.kill()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self.over = time.monotonic() if self.over is None else self.over
        self.confinement.measure()

    def last_line(self) -> str:
        """Of its log, as one short printable line."""
        if not self.closed:
            self.take()
        lines = read_log(self.log.path, 4096).strip().splitlines()
        return clean(lines[-1].encode())[:300] if lines else ""

    def close(self) -> None:
        """After its end: give back what it held."""
        self.take()
        self.closed = True
        os.close(self.pidfd)
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        self.log.close()
        self.confinement.close()

    def why(self) -> str:
        """How it ended, as the rest of a sentence that begins with its name."""
        if breach := self.confinement.breach():
            return breach.removeprefix("It ").rstrip(".")
        code = self.popen.returncode
        number = -code if code < 0 else code - 128 if 128 < code <= 192 else 0  # bubblewrap passes a signal on as 128 + it
        with contextlib.suppress(ValueError):
            if number:
                return f"was ended by {signal.Signals(number).name}"
        return f"ended with code {code}"


def _environ(spec: ClusterSpec, scratch: str) -> dict[str, str]:
    """The whole environment of a program; nothing of ours."""
    return {
        **ONE_THREAD, "MALLOC_TRIM_THRESHOLD_": "65536", "PATH": f"{spec.environment}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": scratch, "TMPDIR": "/tmp", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1",  # noqa: S108
        "DASK_TEMPORARY_DIRECTORY": scratch, **spec.environ,
    }


def _sandbox(spec: ClusterSpec, tls: Path, scratch: Path, environ: dict[str, str], size: Size) -> Sandbox:
    """What a notebook server of the owner sees, without the home; and of the keys, those of its role."""
    read_only = [(Path(outside), inside) for outside, inside in spec.read_only]
    return Sandbox([*read_only, (tls, "/tls")], [(scratch, "/scratch")], environ, "/scratch", network=True,
                   hostname="voxelhub-cluster", tmp_bytes=max(64 * 1024**2, size.memory // 2))
