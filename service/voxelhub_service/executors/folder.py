"""The folder of one local run, and the files in it by which worker and supervisor know of each other.

    spec.json       the Job, written by the worker before anything starts
    claim-<n>       attempt n was begun by the supervisor named in it; made exclusively, so each attempt has one
    status.json     what the supervisor of the newest attempt last said
    cancel          someone wants this run to end
    finish          it is asked to finish before its time limit, as at the limit
    log.txt         what the program printed
    inputs/         hard links to the declared inputs, while it runs
    handed/         config.json and in_metadata.json, as the tool gets them
    outputs/        what the program wrote
    run.json        what happened, for people and for provenance
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .base import Job


class RunFolder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec, self.status = path / "spec.json", path / "status.json"
        self.log, self.cancel, self.finish = path / "log.txt", path / "cancel", path / "finish"
        self.inputs, self.handed, self.outputs = path / "inputs", path / "handed", path / "outputs"

    def write_job(self, job: Job) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.spec, asdict(job))

    def read_job(self) -> Job:
        return Job(**json.loads(self.spec.read_text()))

    def read_status(self) -> dict[str, Any]:
        return read_json(self.status)

    def attempts(self) -> int:
        """Number of the newest attempt; 0 when none was begun."""
        numbers = [int(p.name.partition("-")[2]) for p in self.path.glob("claim-*") if p.name[6:].isdecimal()]
        return max(numbers, default=0)

    def claim(self, attempt: int) -> bool:
        """Begin an attempt in this process's name; False when another process has it. Appears complete or not at all."""
        part = self.path / f".claim.{os.getpid()}"
        part.write_text(json.dumps(identity()))
        try:
            os.link(part, self.path / f"claim-{attempt}")
        except FileExistsError:
            return False
        finally:
            part.unlink()
        return True

    def claimant(self, attempt: int) -> dict[str, Any]:
        return read_json(self.path / f"claim-{attempt}")


def identity(pid: int | None = None) -> dict[str, Any]:
    """A process, told apart from a later one with the same number."""
    pid = os.getpid() if pid is None else pid
    return {"pid": pid, "start": start_time(pid)}


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of a living process (proc(5), field 22); None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def alive(process: dict[str, Any]) -> bool:
    """Whether the process of `identity` still lives."""
    pid, start = process.get("pid"), process.get("start")
    return isinstance(pid, int) and start is not None and start_time(pid) == start


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file that is only ever replaced whole; {} when there is none."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: dict[str, Any] | list[Any], *, durable: bool = True) -> None:
    """Replace the file whole: a reader or a kill sees the old text or the new one; where it is `durable`, also a power cut."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("w") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    part.replace(path)
