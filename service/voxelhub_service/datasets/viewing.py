"""How an entry is looked at inside VoxelHub, and the bytes for it: a volume, a picture, a table, a text, or a reason why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..context import Context
from ..errors import Problem, conflict
from ..models import Dataset, DatasetVersion, Entry, File, Project
from ..wire_datasets import ViewOut
from . import derived, storage
from .vocabulary import vocabulary

TEXT_BYTES = 1024**2  # what the panel gets of a text or table
WHOLE = "plan"  # this data type is drawn, not read: half of its JSON says nothing
WHOLE_BYTES = 32 * 1024**2
FILES_LIMIT = 20_000  # of one series
NO_VOLUME = {"RTSTRUCT", "SR", "PR", "KO", "RTPLAN", "SEG", "SM", "REG", "DOC"}


@dataclass(frozen=True)
class Content:
    """A file to send, its digest as the entity tag, and the type that a browser may take it for."""

    path: Path
    tag: str
    media_type: str
    name: str
    head_only: bool = False


def view_of(entry: Entry) -> ViewOut:
    kind = "volume" if entry.file_format == "dicom" and entry.kind == "image" else _shown(entry)
    if reason := _refusal(entry):
        return ViewOut(kind="none", name=entry.name, reason=reason)
    return ViewOut(kind=kind, name=entry.name, content_path=f"/entries/{entry.id}/content")  # type: ignore[arg-type]


def _shown(entry: Entry) -> str:
    return "volume" if entry.kind == "series" else entry.kind


def _refusal(entry: Entry) -> str:
    if entry.file_format == "dicom":
        if entry.kind == "file" or entry.meta.get("modality") in NO_VOLUME:
            return "This kind of DICOM object has no viewer yet; work with it in a notebook."
        return ""
    if entry.file_format in ("tiff", "svs"):
        return "Browsers do not show this picture format; work with it in a notebook."
    if entry.kind == "file":
        return "There is no viewer for this kind of file; work with it in a notebook."
    if entry.kind == "image" and entry.file_format not in ("png", "jpeg"):
        return "There is no viewer for this picture format."
    return ""


def files_of(session: Session, entry: Entry, limit: int = FILES_LIMIT) -> list[File]:
    return list(session.scalars(select(File).where(File.entry_id == entry.id).order_by(File.path).limit(limit)))


def folder_of(context: Context, session: Session, version_id: str) -> Path:
    version = session.get_one(DatasetVersion, version_id)
    dataset = session.get_one(Dataset, version.dataset_id)
    project = session.get_one(Project, dataset.project_id)
    return storage.version_folder(context, project.name, dataset.name, version.number)


def content_of(context: Context, entry: Entry, folder: Path, files: list[File]) -> Content:
    """What the viewer fetches; a preview is made when it is first asked for. Raises Problem."""
    view = view_of(entry)
    if view.kind == "none":
        raise conflict("no_view", view.reason)
    if entry.file_format == "dicom":
        path, key = derived.nifti_of(context, folder, files)
        return Content(path, key, "application/gzip", f"{entry.id}.nii.gz")
    file = files[0]
    media_type = (
        "text/plain; charset=utf-8" if view.kind in ("table", "text") else vocabulary().file_formats[entry.file_format].media_type
    )
    whole = entry.data_type == WHOLE and file.size <= WHOLE_BYTES
    head_only = view.kind in ("table", "text") and not whole
    return Content(present(folder / file.path), file.sha256, media_type, PurePosixPath(file.path).name, head_only)


def present(path: Path) -> Path:
    if not path.is_file():
        raise Problem(
            410, "file_missing", "The file is missing from the storage.", "An administrator finds it with `voxelhub fsck`."
        )
    return path


def text_head(path: Path) -> bytes:
    """At most TEXT_BYTES as UTF-8, cut between characters, and for a table after a whole line."""
    with path.open("rb") as file:
        raw = file.read(TEXT_BYTES + 1)
    cut = len(raw) > TEXT_BYTES
    raw = raw[:TEXT_BYTES]
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw[: len(raw) // 2 * 2].decode("utf-16", "replace").encode()
    if cut and b"\n" in raw:
        raw = raw[: raw.rindex(b"\n") + 1]
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1").encode()
    return raw
