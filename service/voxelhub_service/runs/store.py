"""Runs as the API sees them: made, listed, cancelled, begun again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from ..context import Context
from ..errors import conflict
from ..identity.actor import Actor
from ..models import TERMINAL_STATES, DatasetVersion, Project, Run
from ..policy.authorize import decide, require
from ..projects.store import project_by_name
from ..wire_runs import RunOut
from .endings import end_run, tell
from .making import create_tool_run, selected, visible_entries
from .next_step import NEVER_STARTED
from .numbers import next_number


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
            "priority", "batch_id", "batch_item", "rerun_of",
            "inputs", "arguments", "exit_code", "created_at", "started_at", "ended_at")}
        out.append(RunOut(
            **fields, label=run.label, project=projects[run.project_id],
            output_dataset_id=version.dataset_id if version else None,
            output_version=version.number if version else None,
            cancellable=run.state not in TERMINAL_STATES and run.wanted != "cancel",
        ))
    return out


def ask_cancel(context: Context, session: Session, actor: Actor, run: Run, project: Project) -> None:
    """A queued run ends at once; any other ends as soon as the worker sees it. A run that has ended is a conflict."""
    require(actor, "run.cancel", project)
    if run.owner != actor.name:
        require(actor, "run.cancel_others", project)
    if run.state in TERMINAL_STATES:
        raise conflict("run_ended", f"{run.label} has ended already: it is {run.state}.")
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
    session: Session, actor: Actor, *, project: str | None, state: str | None, kind: str | None, offset: int, limit: int,
    batch: str | None = None, tool: str | None = None,
) -> tuple[int, list[Run]]:
    """Newest first, of the projects whose runs the actor may read. `batch`: of that one; "none": those of no batch."""
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
    if batch:
        where.append(Run.batch_id.is_(None) if batch == "none" else Run.batch_id == batch)
    if tool:
        where.append(Run.tool == tool)
    total = session.scalar(select(func.count()).select_from(Run).where(*where)) or 0
    rows = session.scalars(select(Run).where(*where).order_by(Run.created_at.desc(), Run.id).offset(offset).limit(limit))
    return total, list(rows)


__all__ = [
    "ask_cancel", "create_tool_run", "list_runs", "next_number", "run_for", "run_out", "runs_out", "selected", "visible_entries",
]
