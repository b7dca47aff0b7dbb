"""Carries one run: `python -m voxelhub_service.executors.supervisor <run folder>`.

A process of its own session, so that it outlives the worker. It claims the attempt, starts the program behind bubblewrap
and its limits, takes in what it prints, and writes status.json: the result is there, or the supervisor is gone and the
kernel ended the program with it (PR_SET_PDEATHSIG). It holds no database connection and no secret.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import psutil
from voxelhub_sandbox.bubblewrap import Sandbox, bwrap_command
from voxelhub_sandbox.devices import shield_devices
from voxelhub_sandbox.limits import Confinement, Limits, duration

from ..checkpoints import reached
from .base import Outcome
from .folder import RunFolder, identity, write_json
from .output import Output

LOOK = 0.25  # seconds between two looks
MEASURES = 1.0  # seconds between two times that what it used is written down
PR_SET_PDEATHSIG = 1


class Supervisor:
    def __init__(self, folder: RunFolder, attempt: int) -> None:
        self.folder, self.attempt, self.job = folder, attempt, folder.read_job()
        self.asked_to_stop = False
        self._written, self._measured = "", 0.0
        self._begun: float | None = None  # by the monotonic clock, when the program was started
        self._late_since: float | None = None  # when a program that may finish was asked to

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.started_at = now()
        self.folder.outputs.mkdir(exist_ok=True)
        job = self.job
        limits = Limits(job.cpu, job.memory, job.pids, None if job.finish_on_time else job.time, job.output)
        output = Output(self.folder.log)
        name = f"run-{self.folder.path.name}-{self.attempt}"
        with Confinement(limits, name, output=Path(job.outputs)) as self.confinement:
            self._write("running", output)
            reached("supervisor.started")
            try:
                process = self._start()
            except OSError as error:
                self._end(output, "failed", f"The program could not be started ({error.strerror}).", None)
                return
            self.confinement.watch(process.pid)
            self._begun = time.monotonic()
            reached("supervisor.tool_started")
            outcome, reason = self._follow(process, output)
            self._end_tree(process, output)
            output.close()
            if outcome == "failed" and self.asked_to_stop and job.again:
                self._measured = 0.0
                self._write("running", output)
                return  # it is begun anew when VoxelHub starts again: to the next worker this attempt is lost
            reached("supervisor.tool_ended")
            code = process.wait()
            crashed = outcome is None and code < 0
            if outcome is None:
                outcome, reason = self._judge(code, output)
            self._end(output, outcome, reason, code, crashed)

    def _start(self) -> subprocess.Popen[bytes]:
        job, parent = self.job, os.getpid()

        def in_child() -> None:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the supervisor died before the line above
                os._exit(1)
            self.confinement.join()
            if job.mode == "sandbox":
                shield_devices()

        where = "/" if job.mode == "sandbox" else job.cwd
        environ = {"bare": job.environ, "sandbox": {}, "trusted": {**os.environ, **job.environ}}[job.mode]
        return subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                start_new_session=True, preexec_fn=in_child, env=environ, cwd=where)

    def _command(self) -> list[str]:
        job = self.job
        if job.mode != "sandbox":
            return job.command
        sandbox = Sandbox(
            [(Path(outside), inside) for outside, inside in job.read_only],
            [(Path(outside), inside) for outside, inside in job.read_write],
            job.environ, job.cwd, network=job.network, hostname="voxelhub-tool",
        )
        if job.memory:  # its private /tmp is memory
            sandbox = replace(sandbox, tmp_bytes=max(64 * 1024**2, job.memory // 2))
        return bwrap_command(sandbox, job.command)

    def _follow(self, process: subprocess.Popen[bytes], output: Output) -> tuple[Outcome | None, str]:
        """Until the program ends or must end: None for an end of its own, else what ended it."""
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        os.set_blocking(pipe, False)
        next_look = 0.0
        while True:
            self._take(process, output, LOOK)
            if self.folder.cancel.exists():
                return "cancelled", "Cancelled while it was running."
            if self.asked_to_stop:
                return "failed", "VoxelHub was stopped while this ran; run it again."
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + LOOK
                if late := self.confinement.breach() or self._too_late(process, output):
                    return "failed", late
                self._write("running", output)
            if process.poll() is not None:
                self._drain(pipe, output)
                if reason := self.confinement.breach():
                    return "failed", reason
                return None, ""

    def _take(self, process: subprocess.Popen[bytes], output: Output, seconds: float) -> None:
        """What it prints within `seconds`, or its next piece."""
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        ready, _, _ = select.select([pipe], [], [], seconds)
        if ready:
            with contextlib.suppress(BlockingIOError):
                if data := os.read(pipe, 1 << 16):
                    output.feed(data)
                elif process.poll() is None:
                    time.sleep(0.05)  # it closed its output and goes on

    def _too_late(self, process: subprocess.Popen[bytes], output: Output) -> str:
        """When its time is up, a program that may finish is asked to; a sentence when its grace is over too."""
        if not self.job.finish_on_time or not (why := self._time_is_up()):
            return ""
        if self._late_since is None:
            self._late_since = time.monotonic()
            output.note(f"{why}; the program is asked to finish")
            self._ask_to_end(process)
        return self._late_sentence() if time.monotonic() - self._late_since > self.job.grace else ""

    def _time_is_up(self) -> str:
        if self.job.time is not None and self._seconds() > self.job.time:
            return "the time limit is reached"
        return "its budget is spent" if self.folder.finish.exists() else ""

    def _late_sentence(self) -> str:
        if self.folder.finish.exists():
            return "Its budget was spent, and it did not finish when it was asked to."
        return f"It ran longer than its limit of {duration(self.job.time or 0)} and did not finish when it was asked to."

    def _seconds(self) -> float:
        """That the program runs, by a clock that nobody sets."""
        return time.monotonic() - self._begun if self._begun is not None else 0.0

    def _drain(self, pipe: int, output: Output) -> None:
        """What was printed before the end; a grandchild that still holds the pipe is not waited for."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(pipe, 1 << 16):
                output.feed(data)

    def _judge(self, code: int, output: Output) -> tuple[Outcome, str]:
        if code == 0:
            return "ok", ""
        if self._late_since is not None:
            return "failed", self._late_sentence()
        if output.error:
            return "failed", output.error
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return "failed", f"The program {how}; the end of its log says more."

    def _end_tree(self, process: subprocess.Popen[bytes], output: Output) -> None:
        """TERM to all of the program's processes, a grace, then KILL to whatever is left."""
        if process.poll() is None and self._late_since is None:
            self._ask_to_end(process)
            deadline = time.monotonic() + self.job.grace
            while process.poll() is None and (left := deadline - time.monotonic()) > 0:
                self._take(process, output, min(left, 0.05))
        self.confinement.kill()
        if self.job.mode != "sandbox":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _ask_to_end(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in self._below(process.pid):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.terminate()

    def _below(self, pid: int) -> list[psutil.Process]:
        """The program's processes; bubblewrap's own two would die of TERM and take the program's grace with them."""
        root = psutil.Process(pid)
        tree = root.children(recursive=True)
        if self.job.mode != "sandbox":
            return [root, *tree]
        inner = {child.pid for child in root.children()}
        return [one for one in tree if one.pid not in inner]

    def _write(self, state: str, output: Output, **more: object) -> None:
        usage = self.confinement.usage
        status = {
            "state": state, "attempt": self.attempt, "supervisor": identity(), "started_at": self.started_at,
            "method": self.confinement.method, "cgroup": self.confinement.group.to_json() if self.confinement.group else None,
            "progress": output.progress, "progress_text": output.progress_text,
            "usage": {"seconds": round(self._seconds(), 3), "cpu_seconds": round(usage.cpu_seconds, 2),
                      "peak_memory": usage.peak_memory, "output": usage.output},
            **more,
        }
        seen = f"{state} {output.progress} {output.progress_text}"
        if seen != self._written:
            self._written, self._measured = seen, time.monotonic()
            write_json(self.folder.status, status)
        elif time.monotonic() - self._measured >= MEASURES:
            self._measured = time.monotonic()
            write_json(self.folder.status, status, durable=False)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.folder.status)  # the heartbeat

    def _end(self, output: Output, outcome: Outcome, reason: str, code: int | None, crashed: bool = False) -> None:
        self.confinement.measure()
        self._write("ended", output, outcome=outcome, reason=reason, exit_code=code, crashed=crashed, ended_at=now())

    def _on_term(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked_to_stop = True


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def main() -> int:
    folder, attempt = RunFolder(Path(sys.argv[1])), int(sys.argv[2])
    if not folder.claim(attempt):
        return 0
    try:
        Supervisor(folder, attempt).run()
    except Exception:  # the worker must not wait for a result that never comes
        traceback.print_exc()
        reason = "The supervisor of this run failed; an administrator finds why in its supervisor.log."
        write_json(folder.status, {
            "state": "ended", "attempt": attempt, "supervisor": identity(), "started_at": now(), "ended_at": now(), "method": "",
            "progress": 0.0, "progress_text": "", "usage": {}, "outcome": "failed", "reason": reason, "exit_code": None,
        })
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
