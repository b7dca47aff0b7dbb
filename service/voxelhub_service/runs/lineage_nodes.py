"""Runs and entries as nodes of a lineage, as far as the one who asks may see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..context import Context
from ..datasets.vocabulary import vocabulary
from ..executors.folder import RunFolder, read_json
from ..identity.actor import Actor
from ..models import Dataset, DatasetVersion, Entry, Project, Run, Upload
from ..policy.authorize import decide
from ..wire_evidence import LineageNode
from . import door_report

HIDDEN = "In a project that you are not in"
SOURCES = {"url": "Import from an address", "demo": "Data that ships with VoxelHub", "release": "Release from quarantine",
           "notebook": "Saved from a notebook"}


class Nodes:
    """Makes nodes, and knows which projects the actor reads."""

    def __init__(self, context: Context, session: Session, actor: Actor) -> None:
        self._context, self._session, self._actor = context, session, actor
        self._projects: dict[str, Project | None] = {}

    def readable(self, project_id: str) -> bool:
        project = self._project(project_id)
        return project is not None and decide(self._actor, "dataset.read", project).allowed

    def readable_name(self, name: str) -> bool:
        project = self._session.scalar(select(Project).where(Project.name == name))
        return project is not None and decide(self._actor, "dataset.read", project).allowed

    def record(self, run_id: str) -> dict[str, Any]:
        return read_json(RunFolder(self._context.settings.runs_dir / run_id).path / "run.json")

    def run(self, run: Run) -> LineageNode:
        report: list[str] = []
        if run.kind == "import":
            report = door_report.sentences(self.record(run.id).get("door") or {})
        return LineageNode(
            key=f"run:{run.id}", kind="run", id=run.id, title=f"{run.label} · {run.title}", detail=self._what(run),
            state=run.state, project=self._name(run.project_id), at=run.ended_at or run.created_at, by=run.owner,
            digest=run.tool_digest or "", report=report)

    def entry(self, entry: Entry) -> LineageNode:
        version = self._session.get_one(DatasetVersion, entry.version_id)
        dataset = self._session.get_one(Dataset, entry.dataset_id)
        words = vocabulary()
        data_type, file_format = words.data_types.get(entry.data_type), words.file_formats.get(entry.file_format)
        what = ", ".join(one.title for one in (data_type, file_format) if one is not None)
        where = f"{dataset.title}, version {version.number}"
        trashed = dataset.trashed_at is not None
        return LineageNode(
            key=f"entry:{entry.id}", kind="gone" if trashed else "entry", id=None if trashed else entry.id, title=entry.name,
            detail=f"In the trash · {where}" if trashed else f"{what} · {where}", project=self._name(entry.project_id),
            at=entry.created_at, by=version.created_by, digest=version.digest)

    def purged_input(self, entry_id: str, noted: Mapping[str, Any]) -> LineageNode:
        """An entry that is no more, as a run that used it wrote it down."""
        project, _, dataset = str(noted.get("dataset", "")).partition("/")
        return LineageNode(
            key=f"entry:{entry_id}", kind="gone", id=None, title=str(noted.get("name") or "An input"), project=project,
            detail=f"Deleted for good · {dataset}, version {noted['version']}" if dataset else "Deleted for good",
            digest=str(noted.get("version_digest", "")))

    def purged_result(self, run: Run, noted: Mapping[str, Any]) -> LineageNode:
        """The version that a run made, and that is no more."""
        return LineageNode(
            key=f"gone:{run.id}", kind="gone", id=None, title=str(noted["dataset"]), project=self._name(run.project_id),
            detail=f"Deleted for good · version {noted['version']}", at=run.ended_at, by=run.owner, digest=str(noted["digest"]))

    def hidden(self, beside: str, *, above: bool) -> LineageNode:
        """One for all that lies beside a node: how many there are is not told either."""
        side = "above" if above else "below"
        return LineageNode(key=f"hidden:{side}:{beside}", kind="hidden", id=None, title=HIDDEN, detail="")

    def _what(self, run: Run) -> str:
        if run.kind == "tool":
            item = f" · item {run.batch_item} of a batch" if run.batch_item else ""
            return f"{run.tool} {run.tool_version}{item}"
        if run.kind == "join":
            return "Joined table of a batch"
        upload = self._session.get(Upload, run.upload_id) if run.upload_id else None
        if upload is None:
            return SOURCES["demo"] if run.owner == "system" else "Import"
        how = SOURCES.get(upload.source, "Import")
        from_host = f" {upload.origin}" if upload.source == "url" and upload.origin else ""
        return f"{how}{from_host}{', through the clinical door' if upload.clinical else ''}"

    def _project(self, project_id: str) -> Project | None:
        if project_id not in self._projects:
            self._projects[project_id] = self._session.get(Project, project_id)
        return self._projects[project_id]

    def _name(self, project_id: str) -> str:
        project = self._project(project_id)
        return project.name if project is not None else ""
