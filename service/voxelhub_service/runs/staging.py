"""Brings the inputs of a tool run together and writes down what will be executed.

Inputs are hard links in the run's own folder, made from the catalogue's list of files: a dataset that is deleted meanwhile
takes nothing away from a run, and an entry brings its own files and no others of its folder.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context
from ..database import reading
from ..executors.base import Executor, Job
from ..executors.folder import RunFolder, write_json
from ..models import Dataset, DatasetVersion, Entry, File, Project, Run, Upload
from ..settings import Settings
from ..tools import catalogue, handover
from ..tools.environments import environment_of, missing
from ..tools.manifest import Manifest
from . import origins
from .jobs import tool_job, write_handed

IMPORT_TIME = 24 * 3600  # seconds


class StagingError(Exception):
    """A sentence for the user: why the run cannot begin."""


@dataclass(frozen=True)
class Given:
    """One input entry with where its files lie and what it is called inside."""

    entry: Entry
    version: DatasetVersion
    source: Path
    files: list[File]
    dataset: str

    def inside(self, position: int) -> str:
        name = self.entry.name if self.is_folder else PurePosixPath(self.files[0].path).name
        return f"{position}-{safe_name(name)}"

    @property
    def is_folder(self) -> bool:
        return self.entry.kind == "series" or len(self.files) != 1

    def relative(self, file: File) -> str:
        base = f"{self.entry.path}/" if self.entry.path else ""
        return file.path[len(base):] if file.path.startswith(base) and file.path != base else file.path


def stage_in(context: Context, executor: Executor, run_id: str) -> None:
    """Idempotent; raises StagingError. The executor's `prepared` is true afterwards, and only then."""
    folder = RunFolder(context.settings.runs_dir / run_id)
    folder.path.mkdir(parents=True, exist_ok=True)
    (folder.path / "open").touch()
    with reading(context.engine) as session:
        run = session.get_one(Run, run_id)
        project = session.get_one(Project, run.project_id)
        given = {name: [_given(context, session, one) for one in ids] for name, ids in run.inputs.items()}
        upload = session.get(Upload, run.upload_id) if run.upload_id else None
        offer = catalogue.exactly(context, session, run.tool, run.tool_version or "", run.tool_digest or "") if run.tool else None
    record: dict[str, Any] = {
        "run": {"id": run.id, "label": run.label, "project": project.name, "owner": run.owner, "kind": run.kind,
                "title": run.title, "created_at": run.created_at.isoformat()},
        "state": "staging_in",
    }
    if run.kind == "import":
        record["upload"] = {"id": run.upload_id, "title": upload.title if upload else ""}
        write_json(folder.path / "run.json", record)
        executor.prepare(run_id, import_job(run_id, folder))
        reached("run.staged_in")
        return
    if offer is None:
        raise StagingError("The tool was changed or removed since this run was created; run it again with the present one.")
    manifest = replace(offer.manifest, network=offer.network)
    if reason := missing(context.settings, manifest):
        raise StagingError(f"This tool cannot run yet. {reason}")
    environment = environment_of(context.settings, manifest)
    _link_inputs(folder, given)
    _hand_over(context.settings, folder, manifest, run, project, given)
    size = sum(one.entry.size for many in given.values() for one in many)
    job = tool_job(context.settings, manifest, folder, environment, size)
    record |= _tool_record(manifest, run, given, job) | origins.recorded(manifest.folder, environment)
    write_json(folder.path / "run.json", record)
    folder.outputs.mkdir(exist_ok=True)
    executor.prepare(run_id, job)
    reached("run.staged_in")


def import_job(run_id: str, folder: RunFolder) -> Job:
    """The coordinator of the door: trusted, in a process of its own. Its workers, which parse the bytes, are sandboxed."""
    return Job(
        command=[sys.executable, "-m", "voxelhub_service.imports.importing", run_id], environ={}, cwd="/",
        outputs=str(folder.outputs), time=IMPORT_TIME, mode="trusted", again=True,
    )


def _hand_over(
    settings: Settings, folder: RunFolder, manifest: Manifest, run: Run, project: Project, given: dict[str, list[Given]]
) -> None:
    base = "/inputs" if settings.isolation else str(folder.inputs)
    handed = [
        handover.Handed(name, one.entry.id, f"{base}/{name}/{one.inside(position)}", one.entry.name, one.entry.data_type,
                        one.entry.file_format, {"dataset": one.dataset, "version": one.version.number})
        for name, many in given.items() for position, one in enumerate(many, 1)
    ]
    write_handed(settings, folder, manifest, handed, run.arguments, project=project.name, title=run.title)


def _given(context: Context, session: Session, entry_id: str) -> Given:
    entry = session.get(Entry, entry_id)
    if entry is None:
        raise StagingError("One of the inputs was deleted since this run was created.")
    version = session.get_one(DatasetVersion, entry.version_id)
    dataset = session.get_one(Dataset, entry.dataset_id)
    project = session.get_one(Project, entry.project_id)
    files = list(session.scalars(select(File).where(File.entry_id == entry.id).order_by(File.path)))
    if not files:
        raise StagingError(f"“{entry.name}” holds no file.")
    source = context.settings.projects_dir / project.name / dataset.name / f"v{version.number}"
    return Given(entry, version, source, files, f"{project.name}/{dataset.name}")


def _link_inputs(folder: RunFolder, given: dict[str, list[Given]]) -> None:
    part = folder.path / "inputs.part"
    for old in (part, folder.inputs):
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir()
    for name, many in given.items():
        for position, one in enumerate(many, 1):
            target = part / name / one.inside(position)
            for file in one.files:
                destination = target / one.relative(file) if one.is_folder else target
                destination.parent.mkdir(parents=True, exist_ok=True)
                _link(one.source / file.path, destination)
    part.rename(folder.inputs)


def _link(source: Path, destination: Path) -> None:
    try:
        os.link(source, destination, follow_symlinks=False)
    except FileNotFoundError:
        raise StagingError("A file of an input is missing from the storage; `voxelhub fsck` says which.") from None
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EMLINK, errno.EPERM):
            raise
        shutil.copyfile(source, destination, follow_symlinks=False)


def _tool_record(manifest: Manifest, run: Run, given: dict[str, list[Given]], job: Job) -> dict[str, Any]:
    def described(position: int, one: Given) -> dict[str, Any]:
        return {
            "entry": one.entry.id, "name": one.entry.name, "data_type": one.entry.data_type,
            "file_format": one.entry.file_format, "dataset": one.dataset, "version": one.version.number,
            "version_digest": one.version.digest, "version_id": one.version.id,
            "inside": one.inside(position), "files": [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in one.files],
        }

    return {
        "tool": {"name": manifest.name, "version": manifest.version, "digest": manifest.digest, "title": manifest.title},
        "arguments": run.arguments,
        "inputs": {name: [described(i, one) for i, one in enumerate(many, 1)] for name, many in given.items()},
        "outputs": [
            {"name": one.name, "title": one.title, "path": one.path, "required": one.required, "file_format": one.file_format,
             "multiple": one.multiple, "data_type": one.data_type or given[one.like][0].entry.data_type}
            for one in manifest.outputs
        ],
        "resources": {"cpu": job.cpu, "memory": job.memory, "processes": job.pids, "time": job.time, "output": job.output},
        "network": job.network, "isolation": job.mode == "sandbox", "command": list(manifest.command),
    }


def safe_name(name: str) -> str:
    """One path component of at most 120 bytes that keeps its ending; letters of every script stay."""
    text = re.sub(r"[\x00-\x1f\x7f/\\]+", "_", name).strip(" .") or "input"
    if len(text.encode()) <= 120:
        return text
    ending = "".join(PurePosixPath(text).suffixes[-2:])
    ending = ending if len(ending.encode()) <= 20 else ""
    head = text[: len(text) - len(ending)] if ending else text
    while len((head + ending).encode()) > 120:
        head = head[:-1]
    return head + ending
