"""Previews: a DICOM series as a NIfTI volume, made once for the same bytes and kept in a cache that may be deleted.

dcm2niix runs in the sandbox, without network and with a time limit: it reads bytes that nobody has vouched for. Of a
volume and its twin with interpolated slices (`_Eq`) the one as scanned is shown.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from voxelhub_sandbox import landlock
from voxelhub_sandbox.bubblewrap import Sandbox, bwrap_command, unavailable
from voxelhub_sandbox.devices import shield_devices

from ..context import Context
from ..errors import Problem, invalid
from ..models import File
from . import storage

CONVERTER = "dcm2niix-1"  # part of the cache's key: raise it when the result would differ
ENVIRONMENT = "tool-dicom-to-nifti"
TIME_LIMIT = 300  # seconds
# 8 GiB of address space, files of at most 8 GiB, no core; then the program takes the shell's place.
LIMITED = ["/bin/sh", "-c", 'ulimit -v 8388608; ulimit -f 16777216; ulimit -c 0; exec "$0" "$@"']
KEEP_BYTES, KEEP_DAYS = 20 * 1024**3, 30
AS_SCANNED = re.compile(r"_Eq(_\d+)?$")
DESCRIPTIONS = slice(148, 252)  # NIfTI-1: descrip and aux_file, which dcm2niix fills from the DICOM header
NO_PREVIEW = invalid("no_preview", "This series cannot be shown as a volume: it holds no image that dcm2niix can convert.",
                     "Work with its files in a notebook.")
_slots = threading.BoundedSemaphore(2)


def key_of(files: Sequence[File]) -> str:
    listing = "\n".join(sorted(file.sha256 for file in files))
    return hashlib.sha256(f"{CONVERTER}\n{listing}".encode()).hexdigest()


def nifti_of(context: Context, folder: Path, files: Sequence[File]) -> tuple[Path, str]:
    """(gzipped NIfTI, its key). Whoever asks while it is being made waits for it. Raises Problem where there is no preview."""
    key = key_of(files)
    made = context.settings.derived_dir / f"{key}.nii.gz"
    none = made.with_name(f"{key}.none")
    if not _is_there(made, none):
        with _lock(made.with_name(f"{key}.lock")):
            if not _is_there(made, none):
                with _slots:
                    _make(context, folder, files, made, none)
        _is_there(made, none)
    return made, key


def _is_there(made: Path, none: Path) -> bool:
    if none.exists():
        raise NO_PREVIEW
    try:
        os.utime(made)  # the sweep drops what was not used for long
    except FileNotFoundError:
        return False
    return True


def _make(context: Context, folder: Path, files: Sequence[File], made: Path, none: Path) -> None:
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=".work-") as scratch:
        work = Path(scratch)
        inputs, outputs = work / "in", work / "out"
        inputs.mkdir()
        outputs.mkdir()
        for number, file in enumerate(files):
            _link(folder / file.path, inputs / f"{number:06d}.dcm")
        _convert(context, inputs, outputs)
        volume = _chosen(sorted(outputs.glob("*.nii")))
        if volume is None:
            none.touch()
            return
        packed = work / "packed"
        _pack(volume, packed)
        packed.rename(made)


def _convert(context: Context, inputs: Path, outputs: Path) -> None:
    environment = context.settings.envs_dir / ENVIRONMENT
    program = environment / "bin" / "dcm2niix"
    if not program.is_file():
        raise Problem(503, "no_converter", "Previews of DICOM are not installed here.", "An administrator runs the set-up again.")
    environ = {"PATH": f"{environment}/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    options = ["-b", "n", "-z", "n", "-i", "n", "-m", "2", "-f", "volume_%s", "-o"]
    if context.settings.sandboxes:
        if (reason := unavailable()) is not None:
            raise Problem(503, "no_sandbox", reason, "")
        sandbox = Sandbox(
            read_only=[(inputs, "/in"), (environment, str(environment))], read_write=[(outputs, "/out")],
            environ=environ, cwd="/out", hostname="preview",
        )
        command = bwrap_command(sandbox, [*LIMITED, str(program), *options, "/out", "/in"])
    else:
        command = [*LIMITED, str(program), *options, str(outputs), str(inputs)]

    def in_child() -> None:
        if context.settings.sandboxes:
            shield_devices()
        elif context.settings.on_kubernetes:
            landlock.confine([environment, Path(sys.base_prefix), inputs], [outputs])

    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIME_LIMIT,
            start_new_session=True,
            env=environ,
            preexec_fn=in_child,
        )
    except subprocess.TimeoutExpired:
        raise invalid("preview_too_slow", "This series takes too long to be shown as a volume.",
                      "Work with its files in a notebook.") from None


def _chosen(volumes: Sequence[Path]) -> Path | None:
    """The largest of those as scanned; names tell, and they are ours (`volume_<series number>…`)."""
    scanned = [one for one in volumes if not AS_SCANNED.search(one.stem)]
    return max(scanned or volumes, key=lambda one: one.stat().st_size, default=None)


def _pack(volume: Path, target: Path) -> None:
    with volume.open("r+b") as file:
        file.seek(DESCRIPTIONS.start)
        file.write(bytes(DESCRIPTIONS.stop - DESCRIPTIONS.start))
    with volume.open("rb") as source, target.open("wb") as sink:
        with gzip.GzipFile("", "wb", 1, sink, mtime=0) as packed:
            shutil.copyfileobj(source, packed, storage.BLOCK)
        sink.flush()
        os.fsync(sink.fileno())


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise Problem(410, "file_missing", "A file of this series is missing from the storage.",
                      "An administrator finds it with `voxelhub fsck`.") from None
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        shutil.copyfile(source, target)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def sweep_derived(context: Context) -> int:
    """Called by the worker: drops what nobody looked at for long, the oldest beyond the cache's size, and abandoned work."""
    now, total, dropped = time.time(), 0, 0
    found = [(path, path.stat()) for path in context.settings.derived_dir.iterdir() if path.exists()]
    for path, stat in sorted(found, key=lambda one: one[1].st_mtime, reverse=True):
        age, limit = now - stat.st_mtime, 86400 * (KEEP_DAYS if path.suffix == ".gz" else 1)
        total += stat.st_size
        if age > limit or (path.suffix == ".gz" and total > KEEP_BYTES):
            storage.remove_tree(path) if path.is_dir() else path.unlink(missing_ok=True)
            dropped += 1
    return dropped
