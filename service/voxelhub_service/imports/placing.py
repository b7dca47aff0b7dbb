"""From what passed to what the publisher takes: places that collide with nothing, entries, report, held files.

No worker lives any more when this begins: what they wrote is what is hashed and linked here.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath

from ..datasets import names, series, sniff, storage
from ..datasets.describing import applied, arrange
from ..datasets.staged import HeldFile, Staged, Verified, write_staged
from ..errors import invalid
from . import base
from .arriving import Stopped
from .job import Job
from .passing import Passed, Result
from .workshop import READER_FAILED

FLUSH_FROM = 200  # files
REPORT = sniff.Seen("text", "structured-data", "json")
HASHERS = 2
Looked = Mapping[str, sniff.Seen | series.Instance]


def place(job: Job, result: Result, last: base.Last | None, looked: Looked) -> Staged:
    """Fills target and held folder; what staged.json is to say."""
    passed, lost = digested(job, result.passed)
    digests: dict[str, Verified] = {}
    seen: dict[str, sniff.Seen | series.Instance] = {}
    places = named(passed)
    for path, one in places.items():
        digests[path] = link(one.source, job.target / path, str(one.sha256))
        seen[path] = _at(one, path)
    if job.key and places:
        digests[job.report_path] = _write_report(job.target / job.report_path, places)
        seen[job.report_path] = REPORT
    if reason := names.first_refusal(digests):
        raise invalid("bad_file_name", reason, "Rename it and try again.")
    new = frozenset(digests)
    kept = base.bring(job, last, looked, digests, seen) if digests and last is not None and job.adds else []
    entries = arrange(seen)
    touched = [one for one in entries if not new.isdisjoint(one.files)]
    choice = (job.upload.data_type, job.upload.file_format)
    chosen = {one.files[0]: one for one in applied(touched, choice)}
    entries = [chosen.get(one.files[0], one) for one in entries]
    entries = base.corrected(last, entries, digests, choice, new) + kept
    held = [_hold(job, one) for one in sorted([*result.held, *lost], key=lambda one: (one.arrival.number, one.arrival.name))]
    number = last.number if last else 0
    return Staged(digests, entries, held, number if job.adds else None, len(passed) - len(places))


def finish(job: Job, staged: Staged) -> None:
    """Everything is on the disk before staged.json says so."""
    _sync(job.target, job.held)
    write_staged(job.context, job.run_id, staged)


def digested(job: Job, passed: Sequence[Passed]) -> tuple[list[Passed], list[Stopped]]:
    """With the digest of each; what a worker left there must be a file of its own folder, or it counts as lost."""
    inside = os.path.realpath(job.work) + "/"

    def one_of(one: Passed) -> Passed | Stopped:
        if one.sha256 is not None:
            return one
        try:
            fine = stat.S_ISREG(one.source.lstat().st_mode) and os.path.realpath(one.source).startswith(inside)
        except OSError:
            fine = False
        return replace(one, sha256=storage.sha256_of(one.source)) if fine else Stopped(one.arrival, READER_FAILED)

    with ThreadPoolExecutor(HASHERS) as threads:
        found = list(threads.map(one_of, passed))
    return [one for one in found if isinstance(one, Passed)], [one for one in found if isinstance(one, Stopped)]


def named(passed: Sequence[Passed]) -> dict[str, Passed]:
    """path -> file. The same content at the same path counts once; different contents all get a suffix of their digest, so that
    the order in which they came decides nothing."""
    by_path: dict[str, dict[str, Passed]] = {}
    for one in passed:
        by_path.setdefault(one.path, {}).setdefault(str(one.sha256), one)
    found: dict[str, Passed] = {}
    for path, contents in by_path.items():
        for sha256, one in contents.items():
            found[path if len(contents) == 1 else _suffixed(path, sha256)] = one
    return found


def _suffixed(path: str, sha256: str) -> str:
    pure = PurePosixPath(path)
    stem, dot, ending = pure.name.partition(".")
    return str(pure.with_name(f"{stem}-{sha256[:16]}{dot}{ending}"))


def _at(one: Passed, path: str) -> sniff.Seen | series.Instance:
    return replace(one.seen, path=path) if isinstance(one.seen, series.Instance) else one.seen


def _hold(job: Job, one: Stopped) -> HeldFile:
    """The same id in every attempt, so that a second one finds its own."""
    held, arrival = one.held, one.arrival
    secret = f"held\0{job.run_id}\0{arrival.number}\0{arrival.name}".encode("utf-8", "surrogatepass")
    number = hashlib.sha256(secret).hexdigest()[:32]
    link(arrival.source, job.held / number, "")
    (job.held / number).chmod(0o600)
    storage.write_json(job.held / f"{number}.json", {"name": arrival.name})
    (job.held / f"{number}.json").chmod(0o600)
    return HeldFile(number, arrival.number, held.what, arrival.size, held.code, f"{held.reason} {held.fix}".strip(),
                    [asdict(finding) for finding in held.findings], held.releasable)


def _write_report(path: Path, places: Mapping[str, Passed]) -> Verified:
    """One line for each file, in the order of their neutral paths: no value, no name of a source."""
    lines = (json.dumps({"path": place, "sha256": one.sha256, **(one.report or {})}, sort_keys=True)
             for place, one in sorted(places.items()))
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(data)
    return verified(path, hashlib.sha256(data).hexdigest())


def link(source: Path, target: Path, sha256: str) -> Verified:
    """The bytes are not copied, unless they lie on another file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        with source.open("rb") as reader, target.open("xb") as writer:
            while block := reader.read(storage.BLOCK):
                writer.write(block)
    return verified(target, sha256)


def verified(path: Path, sha256: str) -> Verified:
    found = path.lstat()
    return Verified(found.st_size, found.st_mtime_ns, sha256)


def _sync(*roots: Path) -> None:
    """Each file and folder; beyond a few, one flush of the file system, which waits for what others write there too."""
    folders = [Path(below) for root in roots for below, _, _ in os.walk(root)]
    files = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    if len(files) <= FLUSH_FROM:
        for path in files:
            _sync_file(path)
        for folder in folders:
            storage.sync_folder(folder)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(roots[0], os.O_RDONLY | os.O_DIRECTORY)
    try:
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
