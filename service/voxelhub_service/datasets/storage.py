"""Where published bytes lie, which digests a project holds, and how many bytes that makes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..context import Context
from ..models import Dataset, DatasetVersion, File, Project

BLOCK = 1024**2


def version_folder(context: Context, project: str, dataset: str, number: int) -> Path:
    return context.settings.projects_dir / project / dataset / f"v{number}"


def manifest_path(folder: Path) -> Path:
    """Beside the version's folder, so that the folder holds only what was brought in."""
    return folder.with_name(f"{folder.name}.sha256")


def held(session: Session, context: Context, project: Project, digests: Iterable[str]) -> dict[str, tuple[Path, int]]:
    """digest -> (a published file of the project with these bytes, its size), for those that it holds, trash included."""
    found: dict[str, tuple[Path, int]] = {}
    for some in batches(digests, 500):
        rows = session.execute(
            select(File.sha256, File.path, File.size, Dataset.name, DatasetVersion.number)
            .join(DatasetVersion, File.version_id == DatasetVersion.id)
            .join(Dataset, DatasetVersion.dataset_id == Dataset.id)
            .where(File.sha256.in_(some), Dataset.project_id == project.id))
        for sha256, path, size, dataset, number in rows:
            found.setdefault(sha256, (version_folder(context, project.name, dataset, number) / path, size))
    return found


def count_used(session: Session, project_id: str) -> int:
    """Bytes of the project on disk: each distinct digest once, however many versions link to it."""
    distinct = (
        select(File.sha256, func.max(File.size).label("size"))
        .join(DatasetVersion, File.version_id == DatasetVersion.id)
        .join(Dataset, DatasetVersion.dataset_id == Dataset.id)
        .where(Dataset.project_id == project_id).group_by(File.sha256).subquery())
    return int(session.scalar(select(func.coalesce(func.sum(distinct.c.size), 0))) or 0)


def batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Regular files below a folder as (relative path, stat), folders in order; anything else raises ValueError."""
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(folder / below) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.is_symlink() or not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
                raise ValueError("only files and folders can be published")
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
            else:
                yield path, entry.stat(follow_symlinks=False)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Atomically: the file appears whole, or stays as it was."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(folder: Path) -> None:
    """Also a read-only one, and also when only a part of it is left."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for below, _, _ in os.walk(folder):
        Path(below).chmod(0o755)
    shutil.rmtree(folder)


def read_json(path: Path) -> dict[str, Any]:
    """{} for a file that does not exist."""
    try:
        with path.open(encoding="utf-8") as file:
            value: dict[str, Any] = json.load(file)
    except FileNotFoundError:
        return {}
    return value
