"""From what a run left behind to a dataset version, through the one publisher."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context
from ..database import reading, writing
from ..datasets import quarantine
from ..datasets.publish import Choice, publish, undo
from ..datasets.staged import Staged, read_staged
from ..errors import conflict
from ..executors.folder import RunFolder, read_json, write_json
from ..models import DatasetVersion, Project, Run, Upload
from ..tools.handover import INSIDE, ContradictionError, read_out_metadata
from .endings import end_run
from .lease import LeaseLost, WorkerLease
from .results import Result, ResultError, find_results, link_results

MOST_SOURCES = 100  # that an entry names; the run names them all


class Cancelled(Exception):
    """The run was to be cancelled, and nothing was registered yet."""


@dataclass(frozen=True)
class Parcel:
    """What goes to the publisher."""

    source: Path
    title: str
    execution: str
    choice: Choice
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def publish_run(context: Context, lease: WorkerLease, run_id: str) -> None:
    """Publishes and ends the run as succeeded, exactly once; raises Cancelled, LeaseLost, ResultError or Problem."""
    with reading(context.engine) as session:
        run = session.get_one(Run, run_id)
        upload = session.get(Upload, run.upload_id) if run.upload_id else None
    exit_code = read_json(RunFolder(context.settings.runs_dir / run_id).status).get("exit_code")
    staged = read_staged(context, run_id) if run.kind == "import" else None
    held = staged.held if staged else []
    if held:
        quarantine.place(context, run_id)
    if staged is not None:
        _keep_report(context, run_id, staged)

    def finish(session: Session, version: DatasetVersion | None) -> None:
        row = session.get_one(Run, run_id)
        session.refresh(row)
        if not lease.held(session):
            raise LeaseLost
        if row.wanted == "cancel":
            raise Cancelled
        if upload is not None:
            _same_door(session, upload)
            quarantine.register(context, session, row, upload, held)
        if run.kind == "join":
            reached("join.renamed")
        end_run(context, session, row, "succeeded", _summary(staged), version=version, exit_code=exit_code)

    if staged is not None and held and not staged.digests:
        with writing(context.engine) as session:
            finish(session, None)
        return
    parcel = _import_parcel(context, run, upload) if run.kind == "import" else _tool_parcel(context, run)
    if run.kind == "join":
        reached("join.publishing")
    publish(context, run_id, parcel.source, project_id=run.project_id, title=parcel.title, created_by=run.owner,
            execution=parcel.execution, choice=parcel.choice, facts=parcel.facts, finish=finish)
    if run.kind == "join":
        reached("join.published")


def _keep_report(context: Context, run_id: str, staged: Staged) -> None:
    """What the door did stays with the run; before anything is published, so that a kill cannot part the two."""
    path = RunFolder(context.settings.runs_dir / run_id).path / "run.json"
    record = read_json(path)
    if record and record.get("door") != staged.report:
        write_json(path, record | {"door": staged.report})


def _same_door(session: Session, upload: Upload) -> None:
    """A project that became clinical while an import was on its way takes nothing in that was not cleaned."""
    if not upload.clinical and not session.get_one(Project, upload.project_id).open:
        raise conflict("project_changed", "The project became clinical while this import was on its way.",
                       "Bring the files in again.")


def _summary(staged: Staged | None) -> str:
    """What the door did, for an import that held something back or found copies."""
    if staged is None:
        return ""
    said = []
    if staged.held:
        waiting = f"{len(staged.held)} {'file waits' if len(staged.held) == 1 else 'files wait'} in quarantine"
        said.append(f"Nothing was released: {waiting}." if not staged.digests else f"All but what waits is in: {waiting}.")
    if staged.duplicates:
        many = "file was a copy" if staged.duplicates == 1 else "files were copies"
        said.append(f"{staged.duplicates} {many} of others.")
    return " ".join(said)


def _import_parcel(context: Context, run: Run, upload: Upload | None) -> Parcel:
    title = upload.title if upload else run.title
    return Parcel(staged_folder(context, run.id), title, "", None)


def _tool_parcel(context: Context, run: Run) -> Parcel:
    folder = RunFolder(context.settings.runs_dir / run.id)
    results = find_results(folder.outputs, read_json(folder.path / "run.json")["outputs"])
    facts = _facts(context, run, folder, results)
    source = staged_folder(context, run.id)
    undo(context, run.id)  # what a killed publisher left
    link_results(folder.outputs, source, results)
    choice = {one.path: (one.data_type, one.file_format) for one in results}
    return Parcel(source, run.output_dataset, run.label, choice, facts)


def _facts(context: Context, run: Run, folder: RunFolder, results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """What each file is said to be, with the ids of the inputs it was made from: all, where the tool does not say which."""
    root = INSIDE.outputs if context.settings.isolation else str(folder.outputs)
    inputs = list(dict.fromkeys(one for many in run.inputs.values() for one in many))
    found = {one.path: (one.output, one.data_type, one.file_format) for one in results}
    try:
        said = read_out_metadata(folder.outputs, root, found, inputs)
    except ContradictionError as wrong:
        raise ResultError(str(wrong)) from None
    facts: dict[str, dict[str, Any]] = {}
    for path in found:
        words = said.get(path)
        sources = words.sources if words and words.sources else inputs
        facts[path] = {**(words.meta if words else {}), **({"sources": sources} if len(sources) <= MOST_SOURCES else {})}
    return facts


def staged_folder(context: Context, run_id: str) -> Path:
    return context.settings.staging_dir / run_id


def tidy(context: Context, run_id: str) -> None:
    """After the end: links to inputs, what was staged or half published, and the bytes of an upload go; the rest stays."""
    drop_bytes(context, run_id)
    (RunFolder(context.settings.runs_dir / run_id).path / "open").unlink(missing_ok=True)


def drop_bytes(context: Context, run_id: str) -> None:
    with reading(context.engine) as session:
        run = session.get(Run, run_id)
    folder = RunFolder(context.settings.runs_dir / run_id)
    for gone in (folder.inputs, folder.path / "inputs.part", folder.path / "tmp"):
        shutil.rmtree(gone, ignore_errors=True)
    undo(context, run_id)  # of a version that was registered it drops only the journal
    if run is not None and run.kind == "import":
        quarantine.forget(context, run_id)
    if run is not None and run.upload_id:
        shutil.rmtree(context.settings.uploads_dir / run.upload_id, ignore_errors=True)
