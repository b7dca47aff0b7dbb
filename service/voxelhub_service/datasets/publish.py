"""The one way in which a dataset version appears: prepared in staging, one rename into place, one transaction.

A journal beside the staging folder says what is being renamed. Whoever comes next after a kill, under the same lock, moves
a renamed but unregistered folder back to staging, so that publishing simply begins again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context
from ..database import reading, writing
from ..errors import conflict, invalid
from ..models import Dataset, DatasetVersion, Project
from . import manifest, names, registering, storage
from .describing import Choice, Description, applied, describe, told
from .staged import Staged, read_staged, staged_path

Finish = Callable[[Session, DatasetVersion], None]


@dataclass(frozen=True)
class Target:
    """Where the version goes; `dataset_id` is None for a dataset that this version begins."""

    project: str
    dataset: str
    number: int
    dataset_id: str | None

    def folder(self, context: Context) -> Path:
        return storage.version_folder(context, self.project, self.dataset, self.number)


def publish(
    context: Context, run_id: str, source: Path, *, project_id: str, title: str, created_by: str, execution: str,
    choice: Choice = None, facts: Mapping[str, Mapping[str, Any]] | None = None, finish: Finish,
    begin: Callable[[Session], None] | None = None,
) -> DatasetVersion:
    """Make `source`'s files the next version of the project's dataset `title`; exactly once for a run.

    `source` is consumed; `facts` are what a tool says of its files, by path. `finish` runs in the registering transaction;
    what it raises undoes everything; so does `begin`, first of all, for a run that no worker knows of before. Raises Problem
    (quota, nothing to publish, content that is not whole).
    """
    with _lock(context):
        undo_locked(context)
        if (version := registered(context, run_id)) is not None:
            return version
    staged = read_staged(context, run_id)
    _make_folders_writable(source)
    with reading(context.engine) as session:
        project = session.get_one(Project, project_id)
    files = _digests(source, staged)
    if not files:
        raise invalid("nothing_to_publish", "There is no file in it.", "Add files and try again.")
    described = staged.entries if staged and staged.entries is not None else describe(source, list(files))
    described = told(applied(described, choice), facts or {})
    _share_bytes(context, project, source, files)
    _make_read_only(source)
    listing = manifest.render(files)
    reached("publish.hashed")
    order = registering.Order(run_id, project_id, title, created_by, execution, files, described, manifest.digest(listing))
    with _lock(context):
        undo_locked(context)
        target = _target(context, project, title)
        if staged is not None and staged.base is not None and target.number != staged.base + 1:
            raise conflict("base_moved", "Another version of this dataset appeared while this one was being prepared.",
                           "Bring the files in again.")
        _rename(context, run_id, source, target, listing)
        try:
            version = _register(context, target, order, begin, finish)
        except BaseException:
            undo_locked(context)
            raise
        reached("publish.registered")
        _journal(context, run_id).unlink(missing_ok=True)
    staged_path(context, run_id).unlink(missing_ok=True)
    return version


def registered(context: Context, run_id: str) -> DatasetVersion | None:
    with reading(context.engine) as session:
        return session.scalar(select(DatasetVersion).where(DatasetVersion.run_id == run_id))


def undo(context: Context, run_id: str) -> None:
    """After a run ended without a version: nothing of it stays in the project or in staging. Idempotent."""
    with _lock(context):
        undo_locked(context)
    for ending in ("", ".work", ".held"):
        storage.remove_tree(context.settings.staging_dir / f"{run_id}{ending}")
    staged_path(context, run_id).unlink(missing_ok=True)


def undo_locked(context: Context) -> None:
    """Take back each rename that no transaction followed. Under the lock nobody else can be between the two."""
    for journal in context.settings.staging_dir.glob("*.journal"):
        plan = storage.read_json(journal)
        if plan and registered(context, journal.stem) is None:
            folder = storage.version_folder(context, plan["project"], plan["dataset"], plan["number"])
            _put_back(folder, Path(plan["source"]))
            storage.manifest_path(folder).unlink(missing_ok=True)
            with suppress(OSError):
                folder.parent.rmdir()  # only a dataset that this version would have begun is empty
        journal.unlink()


def _put_back(folder: Path, source: Path) -> None:
    if source.exists():  # a tool's outputs were linked there again
        storage.remove_tree(folder)
    elif folder.is_dir():
        folder.chmod(0o755)
        folder.rename(source)


def _rename(context: Context, run_id: str, source: Path, target: Target, listing: bytes) -> None:
    folder = target.folder(context)
    storage.write_json(_journal(context, run_id), {
        "project": target.project, "dataset": target.dataset, "number": target.number, "source": str(source)})
    folder.parent.mkdir(parents=True, exist_ok=True)  # after the journal: whoever undoes it finds the empty folder too
    manifest.write(storage.manifest_path(folder), listing)
    source.chmod(0o755)  # a folder that changes its parent must be writable
    source.rename(folder)
    folder.chmod(0o555)
    storage.sync_folder(folder.parent)
    reached("publish.renamed")


def _register(
    context: Context, target: Target, order: registering.Order, begin: Callable[[Session], None] | None, finish: Finish
) -> DatasetVersion:
    with writing(context.engine) as session:
        if begin is not None:
            begin(session)
        version = registering.register(context, session, target.dataset, target.dataset_id, target.number, order)
        finish(session, version)
        registering.check_quota(session, order.project_id)
    return version


def _target(context: Context, project: Project, title: str) -> Target:
    with reading(context.engine) as session:
        known = session.scalar(select(Dataset).where(
            Dataset.project_id == project.id, Dataset.title == title, Dataset.trashed_at.is_(None)).order_by(Dataset.created_at))
        if known is not None:
            last = session.scalar(select(DatasetVersion.number).where(
                DatasetVersion.dataset_id == known.id).order_by(DatasetVersion.number.desc()).limit(1))
            return Target(project.name, known.name, (last or 0) + 1, known.id)
        taken = set(session.scalars(select(Dataset.name).where(Dataset.project_id == project.id)))
    folder = context.settings.projects_dir / project.name
    taken |= {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return Target(project.name, names.free_slug(title, taken), 1, None)


def _digests(source: Path, staged: Staged | None) -> dict[str, manifest.Bytes]:
    """path -> size and digest; those that the import has just verified are not read again."""
    found = {}
    for path, stat in storage.walk(source):
        known = staged.digests.get(path) if staged else None
        trusted = known is not None and known.size == stat.st_size and known.mtime_ns == stat.st_mtime_ns
        sha256 = known.sha256 if known is not None and trusted else storage.sha256_of(source / path)
        found[path] = manifest.Bytes(stat.st_size, sha256)
    return found


def _share_bytes(context: Context, project: Project, source: Path, files: dict[str, manifest.Bytes]) -> None:
    """Equal bytes lie on the disk once: hard links to what the project holds, or to the first of this version."""
    with reading(context.engine) as session:
        held = storage.held(session, context, project, {one.sha256 for one in files.values()})
    first: dict[str, Path] = {}
    for path, one in files.items():
        ours = source / path
        theirs = held[one.sha256][0] if one.sha256 in held else first.get(one.sha256)
        first.setdefault(one.sha256, ours)
        if theirs is None or one.size == 0:
            continue
        with suppress(OSError):  # missing there, or too many links: then it stays a copy
            if theirs.stat().st_size == one.size and not theirs.samefile(ours):
                link = ours.parent / f".link-{os.getpid()}"
                link.unlink(missing_ok=True)
                os.link(theirs, link, follow_symlinks=False)
                link.rename(ours)


def _make_folders_writable(source: Path) -> None:
    """An earlier attempt may have left them read-only."""
    for below, _, _ in os.walk(source):
        Path(below).chmod(0o755)


def _make_read_only(source: Path) -> None:
    for below, _, files in os.walk(source):
        for name in files:
            path = Path(below, name)
            if path.stat().st_mode & 0o777 != 0o444:
                path.chmod(0o444)
        if Path(below) != source:
            Path(below).chmod(0o555)


def _journal(context: Context, run_id: str) -> Path:
    return context.settings.staging_dir / f"{run_id}.journal"


@contextmanager
def _lock(context: Context) -> Iterator[None]:
    """One publisher between rename and registration, over all processes and threads."""
    with (context.settings.staging_dir / "publish.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


__all__ = ["Choice", "Description", "publish", "registered", "undo"]
