"""From what passed to what the publisher takes: names that collide with nothing, the last version's files, entries, report, held files."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from ..context import Context
from ..datasets import series, sniff, storage
from ..datasets.describing import arrange
from ..datasets.staged import HeldFile, Staged, Verified, write_staged
from . import base
from .arriving import Stopped
from .job import Job
from .passing import Passed, Result, seen_of
from .workshop import Workshop

REPORT = sniff.Seen("text", "structured-data", "json")


def place(context: Context, job: Job, shop: Workshop, result: Result) -> None:
    """Fills target and held folder, and writes staged.json, last: it says that all of it is there."""
    held = [_hold(job, one) for one in sorted(result.held, key=lambda one: (one.arrival.number, one.arrival.name))]
    digests: dict[str, Verified] = {}
    seen: dict[str, sniff.Seen | series.Instance] = {}
    for path, one in named(result.passed).items():
        link(one.source, job.target / path)
        digests[path] = verified(job.target / path, one.sha256)
        seen[path] = _at(one, path)
    if job.key and result.passed:
        path = f"deidentification-{job.label}.jsonl"
        sha256 = _write_report(job.target / path, result.passed)
        digests[path], seen[path] = verified(job.target / path, sha256), REPORT
    last = base.last_version(context, job) if digests else None
    kept = base.bring(job, shop, last, digests, seen) if last is not None else []
    _sync(job.target)
    if not held:
        job.held.rmdir()
    write_staged(context, job.run_id, Staged(
        digests, base.corrected(last, arrange(seen), digests) + kept, held, last.number if last else 0))


def named(passed: Sequence[Passed]) -> dict[str, Passed]:
    """path -> file. The same content at the same path counts once; different contents all get a suffix of their digest, so that
    the order in which they came decides nothing."""
    by_path: dict[str, dict[str, Passed]] = {}
    for one in passed:
        by_path.setdefault(one.path, {}).setdefault(one.sha256, one)
    found: dict[str, Passed] = {}
    for path, contents in by_path.items():
        for sha256, one in contents.items():
            found[path if len(contents) == 1 else _suffixed(path, sha256)] = one
    return found


def _suffixed(path: str, sha256: str) -> str:
    pure = PurePosixPath(path)
    stem, dot, ending = pure.name.partition(".")
    return str(pure.with_name(f"{stem}-{sha256[:8]}{dot}{ending}"))


def _at(one: Passed, path: str) -> sniff.Seen | series.Instance:
    if isinstance(one.seen, series.Instance) and one.seen.path != path:
        return seen_of({"instance": asdict(one.seen)}, path)
    return one.seen


def _hold(job: Job, one: Stopped) -> HeldFile:
    """The same id in every attempt, so that a second one finds its own."""
    held, arrival = one.held, one.arrival
    number = hashlib.sha256(f"held\0{job.run_id}\0{arrival.number}\0{arrival.name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    link(arrival.source, job.held / number)
    (job.held / number).chmod(0o600)
    storage.write_json(job.held / f"{number}.json", {"name": arrival.name})
    (job.held / f"{number}.json").chmod(0o600)
    return HeldFile(number, arrival.number, held.what, arrival.size, held.code, f"{held.reason} {held.fix}".strip(),
                    [asdict(finding) for finding in held.findings], held.releasable)


def _write_report(path: Path, passed: Sequence[Passed]) -> str:
    """One line for each file, in the order of their neutral paths: no value, no name of a source."""
    lines = sorted({json.dumps({"path": one.path, "sha256": one.sha256, **(one.report or {})}, sort_keys=True) for one in passed})
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def link(source: Path, target: Path) -> None:
    """The bytes are not copied, unless they lie on another file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        with source.open("rb") as reader, target.open("xb") as writer:
            while block := reader.read(storage.BLOCK):
                writer.write(block)
            os.fsync(writer.fileno())


def verified(path: Path, sha256: str) -> Verified:
    stat = path.stat()
    return Verified(stat.st_size, stat.st_mtime_ns, sha256)


def _sync(root: Path) -> None:
    """Everything that the workers wrote is on disk before staged.json says so: one flush of the file system for all of it."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        libc_syncfs(descriptor)
    finally:
        os.close(descriptor)


def libc_syncfs(descriptor: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
