"""Holds one notebook server: starts it in its sandbox, ends it when told, leaves nothing behind.

Runs detached from the hub, so a hub that was killed finds the server still there. Reads an Order as JSON from its
standard input, never from its command line: the order carries the server's token.

    python -m voxelhub_spawner.launcher < order.json

SIGTERM asks the server to shut down and gives it `grace` seconds. A killed launcher takes its sandbox with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
from voxelhub_sandbox.bubblewrap import Sandbox, bwrap_options, bwrap_path
from voxelhub_sandbox.devices import shield_devices
from voxelhub_sandbox.limits import Confinement, Limits

from .life import NOTES, Life

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LIBC = ctypes.CDLL(None)
MAX_PROCESSES = 4096
TICK = 0.5  # seconds between two looks at limits and at our own orders
LOG_MAX = 20 * 1024**2  # bytes, beyond which the next start moves a log away


@dataclass(frozen=True)
class Order:
    """What to start. `sandbox` None starts the program openly (one user, --no-isolation)."""

    name: str
    program: list[str]
    environ: dict[str, str]
    cwd: str
    log: str
    cpu: float
    memory: int  # bytes
    sandbox: bool
    read_only: list[tuple[str, str]]
    read_write: list[tuple[str, str]]
    devices: list[str]
    grace: float = 10.0  # seconds between asking the server to end and killing it
    record: str = ""  # file of what it uses (life.py); "" keeps none
    facts: dict[str, Any] = field(default_factory=dict)  # of whom and of what size: what that file begins with

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def rotate(log: Path) -> None:
    """At each start: a log beyond its size becomes `<name>.1`, in place of the one before."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_MAX:
            log.rename(log.with_name(f"{log.name}.1"))


class Server:
    """The started process and how to reach the program inside."""

    def __init__(self, order: Order, confinement: Confinement) -> None:
        self.order = order
        read, write = os.pipe()
        rotate(Path(order.log))
        log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        command, environ, passed = order.program, order.environ, [write]
        if order.sandbox:
            options = _options(order)
            command = [str(bwrap_path()), "--args", str(options), "--info-fd", str(write), "--", *order.program]
            environ, passed = {}, [write, options]
        self.process = subprocess.Popen(
            command, env=environ, cwd="/" if order.sandbox else order.cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=passed, start_new_session=True, preexec_fn=self._join(confinement),
        )
        for descriptor in (*passed, log):
            os.close(descriptor)
        self._info = read

    def _join(self, confinement: Confinement) -> Callable[[], None]:
        """Run in the child. bubblewrap ends with us by itself; a program without it is asked to end when we are killed."""
        def join() -> None:
            confinement.join()
            if self.order.sandbox:
                shield_devices(self.order.devices)
            else:
                LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        return join

    def program(self) -> psutil.Process | None:
        """The server itself: the child of the sandbox's first process, or what we started openly."""
        with contextlib.suppress(psutil.NoSuchProcess, ValueError, KeyError):
            if not self.order.sandbox:
                return psutil.Process(self.process.pid)
            if self._info >= 0:
                text = b""
                while block := os.read(self._info, 4096):
                    text += block
                os.close(self._info)
                self._info = -1
                self._first = int(json.loads(text)["child-pid"])
            children = psutil.Process(self._first).children()
            return children[0] if children else None
        return None

    def ask_to_end(self) -> None:
        program = self.program()
        with contextlib.suppress(psutil.NoSuchProcess):
            if program is not None:
                program.terminate()
                return
        self.process.kill()

    def kill(self) -> None:
        """The sandbox's processes die with its first one; without a sandbox, all our descendants are ended."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


def _options(order: Order) -> int:
    """Descriptor of a memory file with bubblewrap's options, so that no token stands in a command line."""
    sandbox = Sandbox(
        read_only=[(Path(source), inside) for source, inside in order.read_only],
        read_write=[(Path(source), inside) for source, inside in order.read_write],
        environ=order.environ, cwd=order.cwd, network=True, devices=[Path(d) for d in order.devices],
    )
    descriptor = os.memfd_create("bwrap-options")
    os.write(descriptor, b"".join(os.fsencode(option) + b"\0" for option in bwrap_options(sandbox)))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def spare_the_server(confinement: Confinement, server: Server) -> None:
    """Under the watchdog, memory above the limit ends the largest process, as the kernel does: a kernel, not the server."""
    limit = confinement.limits.memory
    if confinement.group is not None or limit is None:
        return
    sizes = {}
    for process in psutil.Process(server.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            info = process.memory_info()
            sizes[process] = max(0, info.rss - info.shared)
    if sizes and sum(sizes.values()) > limit:
        with contextlib.suppress(psutil.Error):
            max(sizes, key=lambda process: sizes[process]).kill()


class Orders:
    """SIGTERM and SIGINT as a time at which they came and a descriptor that becomes readable."""

    def __init__(self) -> None:
        self.asked_at: float | None = None
        self.wake, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked_at = self.asked_at or time.monotonic()


def run(order: Order) -> int:
    orders = Orders()
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans come to us, so that kill() finds them
    limits = Limits(cpu=order.cpu, memory=order.memory, pids=MAX_PROCESSES)
    with Confinement(limits, f"server-{order.name}-{os.getpid()}") as confinement:
        if confinement.group and confinement.group.version == 2:  # a kernel that asks too much dies alone, not its server
            with contextlib.suppress(OSError):
                (confinement.group.folders["memory"] / "memory.oom.group").write_text("0")
        life = Life(order.record, order.facts)
        server = Server(order, confinement)
        confinement.watch(server.process.pid)
        try:
            return _hold(server, orders, confinement, life)
        finally:
            server.kill()
            wait_for_all()
            life.end(confinement)


def wait_for_all(patience: float = 2.0) -> None:
    """For every process that is ours, orphans too: what is not waited for, the kernel does not count for us."""
    deadline = time.monotonic() + patience
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)


def _hold(server: Server, orders: Orders, confinement: Confinement, life: Life) -> int:
    """Until the server ended, by itself or because it was asked to; its exit code."""
    asked = False
    ended = os.pidfd_open(server.process.pid)
    tick = NOTES if confinement.group else TICK
    while (code := server.process.poll()) is None:
        if orders.asked_at is not None and not asked:
            asked, tick = True, TICK
            server.ask_to_end()
        if orders.asked_at is not None and time.monotonic() - orders.asked_at > server.order.grace:
            server.kill()
        with contextlib.suppress(psutil.NoSuchProcess):
            spare_the_server(confinement, server)
        life.note(confinement)
        readable, _, _ = select.select([ended, orders.wake], [], [], tick)
        if orders.wake in readable:
            os.read(orders.wake, 64)
    return code


def main() -> int:
    order = Order(**json.load(sys.stdin))
    return run(order)


if __name__ == "__main__":
    sys.exit(main())
