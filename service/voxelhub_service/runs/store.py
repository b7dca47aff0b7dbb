"""Runs as the API sees them: made, listed, cancelled, begun again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from ..context import Context
from ..errors import conflict, invalid, not_found
from ..identity.actor import Actor
from ..models import (
    TERMINAL_STATES,
    Dataset,
    DatasetVersion,
    Entry,
    Project,
    Run,
    RunCounter,
    utcnow,
)
from ..policy.authorize import decide, require
from ..projects.quota import reserve
from ..projects.store import project_by_name
from ..tools.manifest import Manifest, ManifestError
from ..tools.matching import Selected, check
from ..tools.registry import Registry
from ..wire import RunOut
from .endings import end_run, tell
from .next_step import NEVER_STARTED
from .staging import label

RESERVED_FOR = timedelta(days=7)  # an upper bound; the end of the run releases it


def run_out(session: Session, run: Run) -> RunOut:
    return runs_out(session, [run])[0]


def runs_out(session: Session, runs: Sequence[Run]) -> list[RunOut]:
    """Rows as they cross the wire, with two queries however many there are."""
    named = select(Project.id, Project.name).where(Project.id.in_({run.project_id for run in runs}))
    projects = dict(session.execute(named).all())
    wanted = {run.output_version_id for run in runs if run.output_version_id}
    versions = {one.id: one for one in session.scalars(select(DatasetVersion).where(DatasetVersion.id.in_(wanted)))}
    out = []
    for run in runs:
        version = versions.get(run.output_version_id or "")
        fields = {name: getattr(run, name) for name in (
            "id", "number", "owner", "kind", "title", "state", "reason", "progress", "progress_text", "tool", "tool_version",
            "inputs", "arguments", "exit_code", "created_at", "started_at", "ended_at")}
        out.append(RunOut(
            **fields, label=label(run), project=projects[run.project_id],
            output_dataset_id=version.dataset_id if version else None,
            output_version=version.number if version else None,
            cancellable=run.state not in TERMINAL_STATES and run.wanted != "cancel",
        ))
    return out


def next_number(session: Session, project_id: str) -> int:
    """The next run number of a project; none is ever given twice."""
    counter = session.get(RunCounter, project_id)
    if counter is None:
        counter = RunCounter(project_id=project_id, next_number=1)
        session.add(counter)
    number = counter.next_number
    counter.next_number = number + 1
    session.flush()
    return number


def visible_entries(session: Session, actor: Actor, ids: Sequence[str]) -> dict[str, Entry]:
    """The entries of these ids, of any version outside the trash.

    An id that does not exist and one that the actor may not see are the same `not_found`.
    """
    found: dict[str, Entry] = {}
    for start in range(0, len(ids), 500):
        some = select(Entry).join(Dataset, Dataset.id == Entry.dataset_id)
        for entry in session.scalars(some.where(Entry.id.in_(ids[start:start + 500]), Dataset.trashed_at.is_(None))):
            found[entry.id] = entry
    project_ids = {entry.project_id for entry in found.values()}
    projects = {one.id: one for one in session.scalars(select(Project).where(Project.id.in_(project_ids)))}
    readable = {key for key, project in projects.items() if decide(actor, "dataset.read", project).allowed}
    if any(one not in found or found[one].project_id not in readable for one in ids):
        raise not_found()
    return found


def selected(entry: Entry) -> Selected:
    return Selected(entry.id, entry.name, entry.data_type, entry.file_format)


def create_tool_run(
    context: Context, session: Session, registry: Registry, actor: Actor, *, tool: str, version: str | None, project: str,
    inputs: Mapping[str, Sequence[str]], arguments: Mapping[str, Any], output_title: str | None, request_id: str | None,
    rerun_of: str | None = None,
) -> Run:
    """Checks everything and adds the row with its reservation, audit record and event; raises Problem."""
    target = project_by_name(session, project)
    require(actor, "run.create", target)
    assert target is not None
    manifest = registry.get(tool, version)
    if manifest is None:
        raise not_found()
    ids = list(dict.fromkeys(one for many in inputs.values() for one in many))
    entries = visible_entries(session, actor, ids)
    _keep_clinical_inside(session, target, entries.values())
    if reason := check(manifest.inputs, {name: [selected(entries[one]) for one in many] for name, many in inputs.items()}):
        raise invalid("inputs_do_not_fit", reason, "Change the selection, or choose another tool.")
    try:
        complete = manifest.with_defaults(arguments)
    except ManifestError as error:
        raise invalid("arguments_do_not_fit", str(error)) from None
    number = next_number(session, target.id)
    run = Run(
        number=number, project_id=target.id, owner=actor.name, kind="tool", title=_title(manifest, [entries[one] for one in ids]),
        reason="Waits for its turn.", tool=manifest.name, tool_version=manifest.version, tool_digest=manifest.digest,
        inputs={name: list(dict.fromkeys(many)) for name, many in inputs.items()}, arguments=complete,
        output_dataset=output_title or f"{manifest.title} run{number:03d}", request_id=request_id, rerun_of=rerun_of,
    )
    session.add(run)
    session.flush()
    size = manifest.resources.output(sum(entry.size for entry in entries.values()))
    reserve(session, target, f"run:{run.id}", min(size, context.settings.run_max_output), utcnow() + RESERVED_FOR)
    context.audit.append(session, actor, "run.create", f"run:{run.id}", detail={
        "project": target.name, "number": number, "tool": manifest.name, "tool_version": manifest.version,
        "tool_digest": manifest.digest, "entries": ids} | ({"rerun_of": rerun_of} if rerun_of else {}))
    tell(session, run)
    return run


def _keep_clinical_inside(session: Session, target: Project, entries: Iterable[Entry]) -> None:
    """What is made from clinical data stays in its project: pseudonyms of two projects must not meet, nor leave by a download."""
    sources = session.scalars(select(Project).where(Project.id.in_({entry.project_id for entry in entries})))
    if clinical := next((project for project in sources if not project.open and project.id != target.id), None):
        raise conflict(
            "clinical_inputs",
            f"The selection holds data of the clinical project {clinical.name}; what is made from it stays there.",
            f"Let the result go into {clinical.name}.",
        )


def ask_cancel(context: Context, session: Session, actor: Actor, run: Run, project: Project) -> None:
    """A queued run ends at once; any other ends as soon as the worker sees it. A run that has ended is a conflict."""
    require(actor, "run.cancel", project)
    if run.owner != actor.name:
        require(actor, "run.cancel_others", project)
    if run.state in TERMINAL_STATES:
        raise conflict("run_ended", f"{label(run)} has ended already: it is {run.state}.")
    if run.wanted == "cancel":
        return
    run.wanted = "cancel"
    context.audit.append(session, actor, "run.cancel", f"run:{run.id}", detail={"state": run.state})
    if run.state == "queued":
        end_run(context, session, run, "cancelled", NEVER_STARTED, by=actor.name)
    else:
        run.reason = "It is being cancelled."
        tell(session, run)


def run_for(session: Session, actor: Actor, run_id: str, action: str = "run.read") -> tuple[Run, Project]:
    """The run and its project; not_found for what does not exist and for what the actor may not see."""
    run = session.get(Run, run_id)
    project = session.get(Project, run.project_id) if run is not None else None
    require(actor, action, project)
    assert run is not None and project is not None
    return run, project


def list_runs(
    session: Session, actor: Actor, *, project: str | None, state: str | None, kind: str | None, offset: int, limit: int
) -> tuple[int, list[Run]]:
    """Newest first, of the projects whose runs the actor may read."""
    if project is not None:
        named = project_by_name(session, project)
        require(actor, "run.read", named)
    readable = [one.id for one in session.scalars(select(Project)) if project in (None, one.name)
                and decide(actor, "run.read", one).allowed]
    where: list[ColumnElement[bool]] = [Run.project_id.in_(readable)]
    if state == "active":
        where.append(Run.state.not_in(TERMINAL_STATES))
    elif state:
        where.append(Run.state == state)
    if kind:
        where.append(Run.kind == kind)
    total = session.scalar(select(func.count()).select_from(Run).where(*where)) or 0
    rows = session.scalars(select(Run).where(*where).order_by(Run.created_at.desc(), Run.id).offset(offset).limit(limit))
    return total, list(rows)


def _title(manifest: Manifest, entries: Sequence[Entry]) -> str:
    if not entries:
        return manifest.title
    more = f" and {len(entries) - 1} more" if len(entries) > 1 else ""
    return f"{manifest.title}: {entries[0].name}{more}"[:200]

