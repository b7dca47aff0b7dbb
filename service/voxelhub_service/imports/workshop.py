"""A few door workers and the work for them: each file goes to a sandboxed process, which may die of it.

A worker that crashes, hangs or talks nonsense costs the one file that it had; a new one takes its place.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from voxelhub_sandbox import landlock
from voxelhub_sandbox.bubblewrap import Sandbox, bwrap_command
from voxelhub_sandbox.devices import shield_devices

from ..deid.outcome import Held
from ..errors import Problem

SOURCES = Path(__file__).resolve().parents[2]  # the folder of the package voxelhub_service
PATIENCE, PACE = 120.0, 1024**2  # seconds for any file, and one more for each so many bytes of it
STARTUP = 120.0  # seconds, on a machine that is busy
READ_TEXT = 180.0  # seconds more where text is looked for in pixels
LONGEST_ANSWER = 256 * 1024**2  # bytes; the members of a large archive
PR_SET_PDEATHSIG = 1
Request = dict[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """What a worker may see and have. `hello` holds the key of a clinical import: it goes by a pipe, and nowhere else."""

    read_only: tuple[Path, ...]
    read_write: tuple[Path, ...]
    hello: dict[str, Any] = field(repr=False)
    memory: int  # bytes
    isolation: bool
    largest: int  # bytes of one file that it may write
    landlock: bool = False  # in the place of isolation, where that cannot be


class WorkerDied(Exception):
    """It ended, hung, or gave no answer that can be read."""


class Worker:
    """One process at a time; started when first asked, and again after it died."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._scratch: Path | None = None  # its /tmp, where the sandbox gives it none

    def ask(self, request: Request, seconds: float) -> Answer:
        """Raises WorkerDied; the next call starts a new process. Problem, where none can be started: no file's fault."""
        try:
            process = self._process or self._start()
            self._send(process, request, seconds)
            answer = json.loads(self._line(process, seconds))
            if not isinstance(answer, dict):
                raise ValueError
        except (OSError, ValueError):
            self.end()
            raise WorkerDied from None
        return answer

    def end(self) -> None:
        process, self._process, self._buffer = self._process, None, b""
        if process is None:
            return
        self._kill(process)
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = self._spawn()
            self._send(process, self._bench.hello, STARTUP)
            self._line(process, STARTUP)  # it is ready
        except (OSError, ValueError):
            self.end()
            raise CLOSED from None
        return process

    def _spawn(self) -> subprocess.Popen[bytes]:
        bench, parent = self._bench, os.getpid()
        self._scratch = Path(tempfile.mkdtemp(prefix="voxelhub-door-")) if bench.landlock else None
        places = [Path(sys.prefix), Path(sys.base_prefix), SOURCES, *bench.read_only]

        def in_child() -> None:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            resource.setrlimit(resource.RLIMIT_AS, (bench.memory, bench.memory))
            resource.setrlimit(resource.RLIMIT_FSIZE, (bench.largest, bench.largest))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if bench.isolation:
                shield_devices()
            if self._scratch is not None:
                landlock.confine(places, [self._scratch, *bench.read_write])

        self._process = subprocess.Popen(
            self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/",
            env=self._environ(), start_new_session=True, preexec_fn=in_child)
        return self._process

    def _environ(self) -> dict[str, str]:
        own = "/tmp" if self._scratch is None else str(self._scratch)  # noqa: S108
        return {"PATH": "/usr/bin:/bin", "HOME": own, "TMPDIR": own, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
                "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def _command(self) -> list[str]:
        program = [sys.executable, "-m", "voxelhub_service.imports.door"]
        if not self._bench.isolation:
            return program
        seen = [Path(sys.prefix), SOURCES, *self._bench.read_only]
        return bwrap_command(Sandbox(
            [(folder, str(folder)) for folder in seen], [(folder, str(folder)) for folder in self._bench.read_write],
            self._environ(), "/", hostname="voxelhub-door"), program)

    def _send(self, process: subprocess.Popen[bytes], message: dict[str, Any], seconds: float) -> None:
        assert process.stdin is not None
        data, deadline = json.dumps(message).encode() + b"\n", time.monotonic() + seconds
        pipe = process.stdin.fileno()
        os.set_blocking(pipe, False)
        while data:
            if not select.select([], [pipe], [], max(0.0, deadline - time.monotonic()))[1]:
                raise TimeoutError
            data = data[os.write(pipe, data[:65536]):]

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes:
        assert process.stdout is not None
        pipe, deadline = process.stdout.fileno(), time.monotonic() + seconds
        parts = [self._buffer]
        while b"\n" not in parts[-1]:
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            some = os.read(pipe, 1 << 20)
            if not some or sum(map(len, parts)) > LONGEST_ANSWER:
                raise ValueError
            parts.append(some)
        line, _, self._buffer = b"".join(parts).partition(b"\n")
        return line


class Workshop:
    """Hands requests to its workers. A request names its file's `size`, which sets how long it may take."""

    def __init__(self, bench: Bench, workers: int) -> None:
        self._bench, self._count = bench, max(1, workers)
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()  # a running one first
        self._workers: list[Worker] = []

    def __enter__(self) -> Workshop:
        self._workers = [Worker(self._bench) for _ in range(self._count)]
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="door")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._threads.shutdown(wait=kind is None, cancel_futures=True)
        for worker in self._workers:
            worker.end()

    def each(self, requests: Iterable[Request]) -> Iterator[tuple[Request, Answer]]:
        """Answers as they come, in no order; a request that killed its worker is answered `held`."""
        going: set[Future[tuple[Request, Answer]]] = set()
        for request in requests:
            going.add(self._threads.submit(self._work, request))
            if len(going) >= 4 * self._count:
                done, going = wait(going, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        while going:
            done, going = wait(going, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)

    def one(self, request: Request) -> Answer:
        return self._threads.submit(self._work, request).result()[1]

    def _work(self, request: Request) -> tuple[Request, Answer]:
        worker = self._idle.get()
        try:
            return request, worker.ask(request, self._seconds(request))
        except WorkerDied:
            return request, self._once_more(worker, request)
        finally:
            self._idle.put(worker)

    def _once_more(self, worker: Worker, request: Request) -> Answer:
        """In a new process: what was read before this file may have been at fault."""
        with suppress(WorkerDied):
            return worker.ask(request, self._seconds(request))
        return {"held": asdict(READER_FAILED)}

    def _seconds(self, request: Request) -> float:
        reading = READ_TEXT if self._bench.hello.get("text") else 0.0
        return PATIENCE + reading + float(request["size"]) / PACE


CLOSED = Problem(
    503, "door_closed", "The program that looks into files does not start on this machine, so nothing comes in.",
    "Tell the administrator: `voxelhub doctor` says more. Then bring the files in again.",
)
READER_FAILED = Held(
    "reader_failed", "The program that looks into files ended or hung on this one; it may be damaged, or made to do harm.",
    releasable=False,
    fix="Export it again, or leave it out.",
)
