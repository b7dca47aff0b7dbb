"""All that is known of a run, from its rows and its run.json, in one shape: crate, comparison and notebook are made from it.

run.json was written when the run began and when it ended; the rows may since have been renamed, moved to the trash or purged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..context import Context
from ..executors.folder import RunFolder, read_json
from ..identity.actor import Actor
from ..models import Dataset, DatasetVersion, Entry, File, Project, Run, Upload, UploadFile
from ..policy.authorize import decide
from .results import matches

PHASES = ("queued", "stage in", "run", "stage out", "end")


@dataclass(frozen=True)
class Piece:
    """One file. `path` is relative to its dataset's version; `role` is the output that it belongs to."""

    path: str
    size: int
    sha256: str
    role: str = ""


@dataclass(frozen=True)
class Source:
    """An entry that was an input. `title` is a person's word for it, which may be anything: it stays inside VoxelHub."""

    role: str
    entry: str
    title: str
    project: str
    dataset: str
    version: int
    version_id: str
    digest: str
    inside: str  # what it is called in the run's folder of inputs; "" where nobody wrote it down
    files: tuple[Piece, ...]

    @property
    def place(self) -> str:
        return f"{self.project}/{self.dataset}, version {self.version}" if self.project else "a dataset of another project"


@dataclass(frozen=True)
class Result:
    """The version that a run made; its rows may be gone, then `files` is empty."""

    dataset_id: str
    dataset: str
    version: int
    version_id: str
    digest: str
    files: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class Facts:
    run: Run
    project: Project
    manifest: dict[str, Any]  # of the tool, as it was; {} for an import, and for a run from before it was kept
    environment: dict[str, Any]
    sources: tuple[Source, ...]
    result: Result | None
    record: dict[str, Any] = field(repr=False)
    upload: Upload | None = None
    arrived: tuple[Piece, ...] = ()  # files of an open import, as they came

    @property
    def label(self) -> str:
        return self.run.label

    @property
    def tool_title(self) -> str:
        return str(self.record.get("tool", {}).get("title") or self.run.tool or "")

    @property
    def report(self) -> dict[str, Any]:
        """What the door did, in counts and codes; {} for a tool run."""
        found = self.record.get("door")
        return found if isinstance(found, dict) else {}

    def phases(self) -> dict[str, str | None]:
        return phases(self.run, self.record.get("started_at"), self.record.get("ended_at"))


def veiled(facts: Facts, readable: Collection[str]) -> Facts:
    """Of inputs from other projects than these only the bytes' digests are left; no name of an entry, a dataset or a file."""
    return replace(facts, sources=tuple(one if one.project in readable else _veiled(one) for one in facts.sources))


def _veiled(source: Source) -> Source:
    files = tuple(replace(one, path=f"file {number}") for number, one in enumerate(source.files, 1))
    return replace(source, title="an entry", project="", dataset="", inside="", files=files)


def readable_projects(session: Session, actor: Actor, facts: Facts) -> set[str]:
    """Of those that the inputs lie in."""
    rows = session.scalars(select(Project).where(Project.name.in_({one.project for one in facts.sources})))
    return {one.name for one in rows if decide(actor, "dataset.read", one).allowed}


def phases(run: Run, began: str | None, ended: str | None) -> dict[str, str | None]:
    """When each of the five phases began (ISO 8601, UTC), of which the last is the end; None for one that the run did not reach.
    `began` and `ended` are of the program."""
    created, started, closed = (at.isoformat() if at else None for at in (run.created_at, run.started_at, run.ended_at))
    return dict(zip(PHASES, (created, started, began, ended, closed), strict=True))


def facts_of(context: Context, session: Session, run: Run) -> Facts:
    record = read_json(RunFolder(context.settings.runs_dir / run.id).path / "run.json")
    upload = session.get(Upload, run.upload_id) if run.upload_id else None
    return Facts(
        run, session.get_one(Project, run.project_id), _dict(record.get("manifest")), _dict(record.get("environment")),
        _sources(session, run, record), result_of(session, run, record), record, upload, _arrived(session, upload))


def _sources(session: Session, run: Run, record: Mapping[str, Any]) -> tuple[Source, ...]:
    """As they were written down when the run began; else as the catalogue has them."""
    noted = record.get("inputs")
    if isinstance(noted, dict) and noted:
        return tuple(_noted(role, one) for role, many in noted.items() for one in many)
    found = ((role, session.get(Entry, one)) for role, many in run.inputs.items() for one in many)
    return tuple(_catalogued(session, role, entry) for role, entry in found if entry is not None)


def _noted(role: str, one: Mapping[str, Any]) -> Source:
    project, _, dataset = str(one["dataset"]).partition("/")
    files = tuple(Piece(file["path"], file["size"], file["sha256"]) for file in one["files"])
    return Source(role, one["entry"], one["name"], project, dataset, one["version"], one["version_id"], one["version_digest"],
                  one.get("inside", ""), files)


def _catalogued(session: Session, role: str, entry: Entry) -> Source:
    version, dataset = session.get_one(DatasetVersion, entry.version_id), session.get_one(Dataset, entry.dataset_id)
    project = session.get_one(Project, entry.project_id)
    rows = session.scalars(select(File).where(File.entry_id == entry.id).order_by(File.path))
    return Source(role, entry.id, entry.name, project.name, dataset.name, version.number, version.id, version.digest, "",
                  tuple(Piece(one.path, one.size, one.sha256) for one in rows))


def result_of(session: Session, run: Run, record: Mapping[str, Any]) -> Result | None:
    version = session.scalar(select(DatasetVersion).where(DatasetVersion.run_id == run.id))
    if version is None:
        noted = record.get("result")
        if not isinstance(noted, dict):
            return None
        return Result(noted["dataset_id"], noted["dataset"], noted["version"], "", noted["digest"])
    dataset = session.get_one(Dataset, version.dataset_id)
    rows = session.scalars(select(File).where(File.version_id == version.id).order_by(File.path))
    files = tuple(Piece(one.path, one.size, one.sha256, output_of(record, one.path)) for one in rows)
    return Result(dataset.id, dataset.name, version.number, version.id, version.digest, files)


def output_of(record: Mapping[str, Any], path: str) -> str:
    """Name of the declared output that takes a file, as the publisher chose it: the first that fits."""
    declared: Iterable[Mapping[str, Any]] = record.get("outputs") or ()
    return next((str(one["name"]) for one in declared if matches(path, str(one["path"]))), "")


def _arrived(session: Session, upload: Upload | None) -> tuple[Piece, ...]:
    """What a clinical import was given is nobody's to know: not even the digests, by which a known file could be found again."""
    if upload is None or upload.clinical or upload.source == "release":
        return ()
    rows = session.scalars(select(UploadFile).where(UploadFile.upload_id == upload.id).order_by(UploadFile.path))
    return tuple(Piece(one.path, one.size, one.sha256) for one in rows if one.sha256)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
