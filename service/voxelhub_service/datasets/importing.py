"""The import's own process: `python -m voxelhub_service.datasets.importing RUN`. Verifies, unpacks, looks; writes no row.

Exit code 0: the staging folder is complete, and beside it lies what the publisher needs. 2: a sentence says why not.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from sqlalchemy import select

from ..checkpoints import reached
from ..context import Context
from ..database import make_engine, reading
from ..errors import Problem, conflict, invalid
from ..models import Project, Run, Upload, UploadFile
from ..projects.store import reserved_bytes
from ..settings import Settings, load_settings
from . import archives, names, storage, tus
from .describing import describe
from .staged import Staged, Verified, read_staged, staged_path, write_failure, write_staged

Progress = Callable[[float, str], None]


class Bar:
    """Turns bytes done into a fraction, and says so at most about two hundred times."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress, self._done, self._said = max(total, 1), progress, 0, -1.0

    def add(self, count: int, text: str) -> None:
        self._done += count
        fraction = min(0.9, 0.9 * self._done / self._total)
        if fraction - self._said >= 0.005:
            self._said = fraction
            self._progress(fraction, text)


def stage(context: Context, run_id: str, progress: Progress) -> Path:
    """The folder with all files of the run's upload, verified and unpacked. Idempotent; raises Problem with the reason."""
    target = context.settings.staging_dir / run_id
    journal = context.settings.staging_dir / f"{run_id}.journal"
    if read_staged(context, run_id) is not None and (target.is_dir() or journal.exists()):
        return target
    upload, files, room = _order(context, run_id)
    staged_path(context, run_id).unlink(missing_ok=True)
    storage.remove_tree(target)
    target.mkdir()
    bar = Bar(sum(file.size for file in files), progress)
    digests: dict[str, Verified] = {}
    budget = archives.Budget(min(context.settings.archive_max_bytes, room), context.settings.archive_max_files,
                             context.settings.archive_max_ratio)
    for file in files:
        source = tus.part_path(context, file)
        _verify(source, file, bar)
        if upload.unpack and archives.is_archive(source, file.path):
            _unpack(source, file.path, target, budget, digests, {one.path for one in files}, bar)
        else:
            _place(source, target / file.path)
            assert file.sha256 is not None
            digests[file.path] = _verified(target / file.path, file.sha256)
    progress(0.9, "Looking at the content")
    if not digests:
        raise invalid("nothing_to_publish", "There is no file in it.", "Add files and try again.")
    entries = describe(target, list(digests))
    _sync_folders(target)
    write_staged(context, run_id, Staged(digests, entries))
    reached("import.staged")
    progress(1.0, "Ready to be published")
    return target


def _order(context: Context, run_id: str) -> tuple[Upload, list[UploadFile], int]:
    """The upload, its files, and how many bytes the project has room for."""
    with reading(context.engine) as session:
        run = session.get(Run, run_id)
        upload = session.get(Upload, run.upload_id) if run is not None and run.upload_id else None
        if upload is None:
            raise conflict("no_upload", "The upload of this import is gone.", "Upload the files again.")
        files = list(session.scalars(select(UploadFile).where(UploadFile.upload_id == upload.id).order_by(UploadFile.path)))
        project = session.get_one(Project, upload.project_id)
        own = sum(file.size for file in files)
        room = project.quota_bytes - project.used_bytes - reserved_bytes(session, project) + own
    return upload, files, max(room, 0)


def _verify(source: Path, file: UploadFile, bar: Bar) -> None:
    shown = names.printable(PurePosixPath(file.path).name)
    try:
        size = source.stat().st_size
    except FileNotFoundError:
        if file.size:
            raise conflict("bytes_missing", f"The bytes of “{shown}” are gone.", "Upload the files again.") from None
        source.touch()
        size = 0
    if size != file.size:
        raise conflict("bytes_missing", f"“{shown}” did not arrive whole.", "Upload the files again.")
    if storage.sha256_of(source) != file.sha256:
        raise invalid(
            "digest_differs", f"“{shown}” arrived changed: its SHA-256 is not the one that was sent.", "Upload it again."
        )
    bar.add(file.size, "Checking the files")


def _place(source: Path, target: Path) -> None:
    """A link: the upload's bytes are not copied. Across file systems, a copy."""
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


def _unpack(
    source: Path, path: str, target: Path, budget: archives.Budget, digests: dict[str, Verified], taken: set[str], bar: Bar
) -> None:
    """Into a folder of the archive's name, without its ending where that is free."""
    folder = path[: len(path) - len(archives.ending_of(path))]
    if any(one == folder or one.startswith(f"{folder}/") for one in (*taken, *digests)):
        folder = path
    for member in archives.unpack(source, path, target / folder, budget, lambda size: bar.add(0, "Unpacking")):
        inner = f"{folder}/{member.path}"
        if reason := names.refusal(inner):
            raise invalid(
                "archive_refused",
                f"“{names.printable(path)}” was not unpacked. {reason}",
                "Unpack it yourself and shorten the names.",
            )
        digests[inner] = _verified(target / inner, member.sha256)


def _verified(path: Path, sha256: str) -> Verified:
    stat = path.stat()
    return Verified(stat.st_size, stat.st_mtime_ns, sha256)


def _sync_folders(root: Path) -> None:
    for below, _, _ in os.walk(root):
        storage.sync_folder(Path(below))


def say(fraction: float, text: str) -> None:
    print(f"::progress {fraction:.3f} {text}", flush=True)


def context_of(settings: Settings) -> Context:
    """Reads the database only: this process looks at bytes that nobody has checked, and must not need the audit key."""
    return Context(settings, make_engine(settings.database_url), None)  # type: ignore[arg-type]


def main(arguments: list[str]) -> int:
    context, run_id = context_of(load_settings()), arguments[0]
    try:
        stage(context, run_id, say)
    except Problem as problem:
        return _fail(context, run_id, problem)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _fail(context, run_id, tus.DISK_FULL)
    return 0


def _fail(context: Context, run_id: str, problem: Problem) -> int:
    sentence = f"{problem.detail} {problem.fix}".strip()
    storage.remove_tree(context.settings.staging_dir / run_id)
    write_failure(context, run_id, problem.code, sentence)
    print(f"::error {sentence}", flush=True)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
