"""The version that a new one follows: its files where the new one adds to it, and what people corrected by hand."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select

from ..context import Context
from ..database import reading
from ..datasets import series, sniff, storage
from ..datasets.describing import Description, Pair
from ..datasets.staged import Verified
from ..errors import conflict
from ..models import Dataset, DatasetVersion, Entry, File
from .job import Job
from .passing import seen_of
from .workshop import Workshop

Link = Callable[[Path, Path, str], Verified]


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
            Description(one.name, one.path, one.kind, one.data_type, one.file_format,
                        sorted(file.path for file in files.get(one.id, [])), one.meta)
            for one in session.scalars(select(Entry).where(Entry.version_id == version.id).order_by(Entry.id))
        ]
    every = [file for some in files.values() for file in some]
    return Last(version.number, storage.version_folder(context, job.project, dataset.name, version.number), entries,
                {file.path: file.sha256 for file in every}, {file.path: file.size for file in every})


def look(shop: Workshop, last: Last) -> dict[str, sniff.Seen | series.Instance]:
    """The DICOM instances of the last version, once more: a series of them may grow."""
    again = [path for entry in last.entries if entry.file_format == "dicom" for path in entry.files]
    requests = ({"op": "look", "file": str(last.folder / path), "path": path, "size": last.sizes[path]} for path in again)
    return {request["path"]: sniff.FILE if "held" in answer else seen_of(answer, request["path"])
            for request, answer in shop.each(requests)}


def bring(
    job: Job, last: Last, looked: Mapping[str, sniff.Seen | series.Instance], digests: dict[str, Verified],
    seen: dict[str, sniff.Seen | series.Instance],
) -> list[Description]:
    """The last version's files beside the new ones; a new file of the same path wins. Entries stay as they are in the catalogue,
    but for DICOM, which is arranged anew."""
    from .placing import link

    wins = Taken(digests)
    kept: list[Description] = []
    for entry in last.entries:
        files = [path for path in entry.files if not wins.over(path)]
        for path in files:
            digests[path] = _linked(link, last, path, job.target / path)
        if entry.file_format == "dicom":
            seen.update({path: looked[path] for path in files})
        elif len(files) == len(entry.files):
            kept.append(entry)
        else:
            seen.update(dict.fromkeys(files, sniff.FILE))
    return kept


def _linked(link: Link, last: Last, path: str, target: Path) -> Verified:
    try:
        return link(last.folder / path, target, last.digests[path])
    except FileNotFoundError:
        raise conflict("base_gone", "The version that this import adds to is gone.", "Bring the files in again.") from None


class Taken:
    """The paths of the new files, as the eye sees them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._files = {unicodedata.normalize("NFC", path) for path in paths}
        self._folders = {folder for path in self._files for folder in _above(path)}

    def over(self, path: str) -> bool:
        """Whether a new file takes the place of this one: the same path, or one that it cannot lie beside."""
        path = unicodedata.normalize("NFC", path)
        return path in self._files or path in self._folders or any(folder in self._files for folder in _above(path))


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def corrected(
    last: Last | None, entries: Sequence[Description], digests: Mapping[str, Verified], choice: Pair, new: frozenset[str],
) -> list[Description]:
    """An entry of the very same bytes keeps the name and the words that it had: somebody may have corrected them. A data type or
    format that was chosen for the new files counts more."""
    if last is None:
        return list(entries)
    known = {tuple(one.files): one for one in last.entries}
    return [_as_known(one, known.get(tuple(sorted(one.files))), last, digests, choice if new & set(one.files) else (None, None))
            for one in entries]


def _as_known(
    one: Description, before: Description | None, last: Last, digests: Mapping[str, Verified], choice: Pair
) -> Description:
    if before is None or any(digests[path].sha256 != last.digests[path] for path in one.files):
        return one
    data_type, file_format = choice
    return replace(one, name=before.name, data_type=one.data_type if data_type else before.data_type,
                   file_format=one.file_format if file_format else before.file_format)
