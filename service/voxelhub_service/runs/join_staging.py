"""Brings the tables of a batch's items together for the program that joins them (join_program.py).

The tables are what tools wrote, so they are read in a sandbox like a tool's input, by Python without a further package.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context
from ..database import reading
from ..executors.base import Executor, Job
from ..executors.folder import RunFolder, write_json
from ..models import Batch, Dataset, DatasetVersion, Entry, File, Project, Run
from .joining import newest_runs, tables_of
from .staging import StagingError, safe_name

PROGRAM = Path(__file__).with_name("join_program.py")
MIB = 1024**2
TIME, MEMORY, OUTPUT = 3600, 512 * MIB, 1024 * MIB  # seconds; bytes


def stage_in(context: Context, executor: Executor, run_id: str) -> None:
    """Idempotent; raises StagingError. The executor's `prepared` is true afterwards, and only then."""
    folder = RunFolder(context.settings.runs_dir / run_id)
    folder.path.mkdir(parents=True, exist_ok=True)
    (folder.path / "open").touch()
    with reading(context.engine) as session:
        run = session.get_one(Run, run_id)
        batch = session.get(Batch, run.batch_id or "")
        if batch is None:
            raise StagingError("The batch of this table is gone.")
        project = session.get_one(Project, run.project_id)
        items = newest_runs(session, batch.id, before=run.number)
        tables = _tables(context, session, project, items)
    listing = _list_items(batch, items, tables)
    _link(folder, listing, tables)
    job = _job(context, folder, f"{safe_name(batch.title)}.csv")
    record = {
        "run": {"id": run.id, "label": run.label, "project": project.name, "owner": run.owner, "kind": run.kind,
                "title": run.title, "created_at": run.created_at.isoformat()},
        "state": "staging_in",
        "batch": {"id": batch.id, "title": batch.title, "tool": batch.tool, "tool_version": batch.tool_version,
                  "items": [{"item": one.batch_item, "run": one.id, "label": one.label, "state": one.state} for one in items]},
        "inputs": {"tables": [one["record"] for many in tables.values() for one in many]},
        "outputs": [{"name": "table", "title": "Joined table", "path": "*.csv", "required": True, "file_format": "csv",
                     "data_type": "table", "multiple": False, "description": "", "meta": {}}],
        "resources": {"cpu": job.cpu, "memory": job.memory, "processes": job.pids, "time": job.time, "output": job.output},
        "network": False, "isolation": job.mode == "sandbox",
    }
    write_json(folder.path / "run.json", record)
    folder.outputs.mkdir(exist_ok=True)
    executor.prepare(run_id, job)
    reached("join.staged_in")


def _tables(context: Context, session: Session, project: Project, items: list[Run]) -> dict[str, list[dict[str, Any]]]:
    """By version: each table with where its file lies, how it is called inside, and what is recorded of it."""
    entries = tables_of(session, items)
    files: dict[str, list[File]] = {}
    versions: dict[str, tuple[DatasetVersion, Dataset]] = {}
    for start in range(0, len(entries), 500):
        some = entries[start:start + 500]
        for file in session.scalars(select(File).where(File.entry_id.in_([one.id for one in some]))):
            files.setdefault(file.entry_id, []).append(file)
        rows = session.execute(select(DatasetVersion, Dataset).join(Dataset, Dataset.id == DatasetVersion.dataset_id).where(
            DatasetVersion.id.in_({one.version_id for one in some})))
        versions |= {version.id: (version, dataset) for version, dataset in rows}
    found: dict[str, list[dict[str, Any]]] = {}
    for position, entry in enumerate(entries, 1):
        if entry.id in files:
            version, dataset = versions[entry.version_id]
            one = _table(context, project, dataset, version, entry, files[entry.id][0], position)
            found.setdefault(entry.version_id, []).append(one)
    return found


def _table(
    context: Context, project: Project, dataset: Dataset, version: DatasetVersion, entry: Entry, file: File, position: int
) -> dict[str, Any]:
    inside = f"{position:05d}-{safe_name(Path(file.path).name)}"
    source = context.settings.projects_dir / project.name / dataset.name / f"v{version.number}" / file.path
    return {
        "source": source, "inside": inside, "format": entry.file_format,
        "record": {
            "entry": entry.id, "name": entry.name, "data_type": entry.data_type, "file_format": entry.file_format,
            "dataset": f"{project.name}/{dataset.name}", "version": version.number, "version_digest": version.digest,
            "version_id": version.id, "inside": inside,
            "files": [{"path": file.path, "size": file.size, "sha256": file.sha256}],
        },
    }


def _list_items(batch: Batch, items: list[Run], tables: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    names = [str(one.get("label", "")) for one in batch.items]
    return [
        {"item": run.batch_item, "label": names[(run.batch_item or 1) - 1], "run": run.label, "state": run.state,
         "reason": run.reason, "tables": [{"file": one["inside"], "format": one["format"]}
                                          for one in tables.get(run.output_version_id or "", [])]}
        for run in items
    ]


def _link(folder: RunFolder, listing: list[dict[str, Any]], tables: dict[str, list[dict[str, Any]]]) -> None:
    part = folder.path / "inputs.part"
    for old in (part, folder.inputs):
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir()
    for many in tables.values():
        for one in many:
            try:
                os.link(one["source"], part / one["inside"], follow_symlinks=False)
            except FileNotFoundError:
                raise StagingError("A file of a result is missing from the storage; `voxelhub fsck` says which.") from None
            except OSError:  # another file system, or too many links
                shutil.copyfile(one["source"], part / one["inside"], follow_symlinks=False)
    write_json(part / "items.json", {"items": listing})
    part.rename(folder.inputs)


def _job(context: Context, folder: RunFolder, name: str) -> Job:
    python = os.path.realpath(sys.executable)
    job = Job(
        command=[python, "-I", "/program/join.py", "/inputs", f"/outputs/{name}"],
        environ={"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},  # noqa: S108
        cwd="/", outputs=str(folder.outputs), cpu=1, memory=MEMORY, pids=16, time=TIME, output=OUTPUT, mode="sandbox", again=True,
        read_only=[(str(folder.inputs), "/inputs"), (str(PROGRAM), "/program/join.py")],
        read_write=[(str(folder.outputs), "/outputs")],
    )
    if context.settings.isolation:
        return job
    return replace(job, mode="bare", command=[python, "-I", str(PROGRAM), str(folder.inputs), str(folder.outputs / name)])
