"""The import's own process, the coordinator: `python -m voxelhub_service.imports.importing RUN`. It parses none of the bytes.

Exit code 0: the staging folder is complete, and beside it lies what the publisher needs. 2: a sentence says why not. Whatever a
kill leaves, the next attempt begins anew from the upload's folder.
"""

from __future__ import annotations

import errno
import sys
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..checkpoints import reached
from ..context import Context
from ..database import NoAnswer, away, wait_for
from ..database_place import open_database
from ..datasets import quarantine, storage, tus
from ..datasets.staged import read_staged, staged_path, write_failure
from ..errors import Problem, invalid
from ..settings import Settings, load_settings
from . import arriving, base, placing, scanning
from .job import Bar, Job, Progress, read_job
from .passing import pass_files
from .reporting import report_of
from .workshop import Workshop

FETCHED = 0.5  # of the bar, for what comes from an address
ATTEMPTS, PATIENCE = 3, 600.0  # seconds, of waiting for a database that is away
FEW = 8  # files for which one worker is as quick as several

def stage(context: Context, run_id: str, progress: Progress) -> Path:
    """The folder with all that may be published of the run's upload. Idempotent; raises Problem with the reason."""
    target = context.settings.staging_dir / run_id
    journal = context.settings.staging_dir / f"{run_id}.journal"
    if read_staged(context, run_id) is not None and (target.is_dir() or journal.exists()):
        return target
    job = read_job(context, run_id)
    _clear(context, run_id)
    for folder in (job.target, job.work, job.held):
        folder.mkdir(mode=0o700)
    arrived = arriving.fetch_all(context, job, lambda fraction, text: progress(FETCHED * fraction, text))
    bar = Bar(2 * sum(one.size for one in arrived), progress, FETCHED if job.upload.source == "url" else 0.0)
    arriving.verify(arrived, bar)
    workers = context.settings.door_workers if len(arrived) >= FEW else 1
    with Workshop(job.bench(context.settings), workers) as shop:
        unpacked, refused = arriving.unpack(context, job, shop, arrived, bar)
        reached("import.unpacked")
        clean, infected = scan(context, job, unpacked, bar)
        result = pass_files(job, shop, clean, bar)
        reached("import.cleaned")
        result.held += refused + infected
        if not result.passed and not result.held:
            raise invalid("nothing_to_publish", "There is no file in it.", "Add files and try again.")
        last = base.last_version(context, job)
        looked = base.look(shop, last) if last is not None and job.adds and result.passed else {}
    progress(0.95, "Putting the files in their places")
    staged = placing.place(job, result, last, looked)
    scanned = bool(context.settings.clamd)
    placing.finish(job, replace(staged, report=report_of(job, result, staged, scanned=scanned)))
    storage.remove_tree(job.work)
    reached("import.staged")
    progress(1.0, "Ready to be published")
    return target


def scan(
    context: Context, job: Job, arrived: list[arriving.Arrival], bar: Bar
) -> tuple[list[arriving.Arrival], list[arriving.Stopped]]:
    """Those that the virus scanner let pass, and those that it did not; all of them where the site has none."""
    scanner = scanning.make_scanner(context.settings)
    if scanner is None:
        return arrived, []
    passed, stopped = [], []
    for one in arrived:
        bar.add(0, "Looking for viruses")
        found = scanning.refusal(scanner.scan(one.source), required=scanner.required, waived=job.order.waived)
        if found is None:
            passed.append(one)
        else:
            stopped.append(arriving.Stopped(one, found))
    return passed, stopped


def _clear(context: Context, run_id: str) -> None:
    staged_path(context, run_id).unlink(missing_ok=True)
    for name in ("", ".work"):
        storage.remove_tree(context.settings.staging_dir / f"{run_id}{name}")
    storage.remove_tree(quarantine.held_folder(context, run_id))


def say(fraction: float, text: str) -> None:
    print(f"::progress {fraction:.3f} {text}", flush=True)


def context_of(settings: Settings) -> Context:
    """Without the audit key: this process appends to no chain."""
    return Context(settings, open_database(settings), None)  # type: ignore[arg-type]


def main(arguments: list[str]) -> int:
    context, run_id = context_of(load_settings()), arguments[0]
    try:
        _stage(context, run_id)
    except Problem as problem:
        return _fail(context, run_id, problem)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return _crashed(error)
        return _fail(context, run_id, tus.NO_ROOM)
    except Exception as error:
        return _crashed(error)
    return 0


def _stage(context: Context, run_id: str) -> None:
    """Begins anew when a database that was away is back: nothing of the run is known to anybody yet."""
    for _ in range(ATTEMPTS):
        try:
            stage(context, run_id, say)
            return
        except NoAnswer as error:
            if not away(error) or not wait_for(context.engine, PATIENCE):
                raise
    stage(context, run_id, say)


def _crashed(error: Exception) -> int:
    """Where, but not with what: a message may hold a file's name, and the run's log is read by the project."""
    print(f"{type(error).__name__} in the import's own process:", flush=True)
    for frame in traceback.extract_tb(error.__traceback__):
        print(f"  {Path(frame.filename).name}:{frame.lineno} {frame.name}", flush=True)
    return 1


def _fail(context: Context, run_id: str, problem: Problem) -> int:
    sentence = f"{problem.detail} {problem.fix}".strip()
    print(f"::error {sentence}", flush=True)
    _clear(context, run_id)
    with suppress(OSError):  # a full disk
        write_failure(context, run_id, problem.code, sentence)
    return 2


__all__ = ["Job", "main", "stage"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
