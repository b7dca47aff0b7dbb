"""The version that a new one follows: its files where the new one adds to it, and what people corrected by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select

from ..context import Context
from ..database import reading
from ..datasets import series, sniff, storage
from ..datasets.describing import Description
from ..datasets.staged import Verified
from ..models import Dataset, DatasetVersion, Entry, File
from .job import Job
from .passing import seen_of
from .workshop import Workshop


@dataclass(frozen=True)
class Last:
    number: int
    folder: Path
    entries: list[Description]
    digests: dict[str, str]
    sizes: dict[str, int]


def last_version(context: Context, job: Job) -> Last | None:
    """Of the dataset with this title, outside the trash."""
    with reading(context.engine) as session:
        dataset = session.scalar(select(Dataset).where(
            Dataset.project_id == job.upload.project_id, Dataset.title == job.upload.title, Dataset.trashed_at.is_(None),
        ).order_by(Dataset.created_at))
        version = session.scalar(select(DatasetVersion).where(
            DatasetVersion.dataset_id == dataset.id).order_by(DatasetVersion.number.desc()).limit(1)) if dataset else None
        if dataset is None or version is None:
            return None
        files: dict[str, list[File]] = {}
        for file in session.scalars(select(File).where(File.version_id == version.id)):
            files.setdefault(file.entry_id, []).append(file)
        entries = [
            Description(one.name, one.path, one.kind, one.data_type, one.file_format, sorted(f.path for f in files.get(one.id, [])), one.meta)
            for one in session.scalars(select(Entry).where(Entry.version_id == version.id).order_by(Entry.id))
        ]
    every = [file for some in files.values() for file in some]
    return Last(version.number, storage.version_folder(context, job.project, dataset.name, version.number), entries,
                {file.path: file.sha256 for file in every}, {file.path: file.size for file in every})


def bring(
    job: Job, shop: Workshop, last: Last, digests: dict[str, Verified], seen: dict[str, sniff.Seen | series.Instance]
) -> list[Description]:
    """For `add`: the last version's files beside the new ones; a new file of the same path wins. Entries whose files are all
    kept stay as they are; DICOM instances are looked at again, because a series may have grown."""
    from .placing import link, verified

    if job.upload.mode != "add":
        return []
    kept: list[Description] = []
    again: list[str] = []
    for entry in last.entries:
        files = [path for path in entry.files if path not in digests]
        for path in files:
            link(last.folder / path, job.target / path)
            digests[path] = verified(job.target / path, last.digests[path])
        if entry.file_format == "dicom" or len(files) != len(entry.files):
            again += files
        elif files:
            kept.append(entry)
    requests = ({"op": "look", "file": str(last.folder / path), "path": path, "size": last.sizes[path]} for path in again)
    for request, answer in shop.each(requests):
        path = request["path"]
        seen[path] = sniff.FILE if "held" in answer else seen_of(answer, path)
    return kept


def corrected(
    last: Last | None, entries: Sequence[Description], digests: Mapping[str, Verified]
) -> list[Description]:
    """An entry of the very same bytes keeps the name and the words that it had: somebody may have corrected them."""
    if last is None:
        return list(entries)
    known = {tuple(one.files): one for one in last.entries}
    return [_as_known(one, known.get(tuple(sorted(one.files))), last, digests) for one in entries]


def _as_known(one: Description, before: Description | None, last: Last, digests: Mapping[str, Verified]) -> Description:
    if before is None or any(digests[path].sha256 != last.digests[path] for path in one.files):
        return one
    return replace(one, name=before.name, data_type=before.data_type, file_format=before.file_format)
