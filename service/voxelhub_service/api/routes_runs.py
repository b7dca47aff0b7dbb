"""Runs: start, list, watch, cancel, run again."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..database import reading, writing
from ..errors import conflict, invalid, not_found
from ..executors.folder import RunFolder
from ..models import TERMINAL_STATES, Project, Run
from ..policy.authorize import require
from ..runs.logs import read_log
from ..runs.store import ask_cancel, create_tool_run, list_runs, run_for, run_out, runs_out
from ..wire import Identifier, ProjectName, RunState
from ..wire_runs import LogChunk, RunIn, RunOut, RunPage
from .deps import CallerDep, ContextDep

router = APIRouter(tags=["runs"])
RequestKey = Annotated[str | None, Header(
    alias="Idempotency-Key", min_length=1, max_length=200, pattern=r"^[ -~]+$",
    description="a value of the client's own; sent again, it answers with the run that it made the first time")]


@router.post("/runs", status_code=201)
def create_run(body: RunIn, context: ContextDep, actor: CallerDep, key: RequestKey = None) -> RunOut:
    """Start a tool. Sent twice with the same Idempotency-Key, it starts once."""
    request_id = f"{actor.name}:{key}" if key else None
    with writing(context.engine) as session:
        known = _known(session, request_id)
        if known is None:
            run = create_tool_run(
                context, session, actor, tool=body.tool, version=body.version, project=body.project,
                inputs=body.inputs, arguments=body.arguments, output_title=body.output_title, request_id=request_id,
                priority=body.priority)
        else:
            run, _ = run_for(session, actor, known.id)
            if not _same(session, run, body):
                raise conflict("key_used_before", "This Idempotency-Key already made another run.", "Send a new one.")
        answer = run_out(session, run)
    if known is None:
        reached("run.created")
    return answer


@router.get("/runs")
def read_runs(
    context: ContextDep, actor: CallerDep, project: ProjectName | None = None, state: RunState | Literal["active"] | None = None,
    kind: Literal["import", "tool", "join"] | None = None, batch: Identifier | Literal["none"] | None = None,
    tool: Annotated[str | None, Query(max_length=100)] = None,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0, limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> RunPage:
    """The runs of the caller's projects, newest first; `active` stands for all states before the end.

    `batch`: the runs of one batch, or `none`: those that belong to none. `tool`: those of one tool, in any version.
    """
    with reading(context.engine) as session:
        total, rows = list_runs(session, actor, project=project, state=state, kind=kind, batch=batch, tool=tool,
                                offset=offset, limit=limit)
        return RunPage(total=total, items=runs_out(session, rows))


@router.get("/runs/{run_id}")
def read_run(run_id: Identifier, context: ContextDep, actor: CallerDep) -> RunOut:
    with reading(context.engine) as session:
        run, _ = run_for(session, actor, run_id)
        return run_out(session, run)


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel_run(run_id: Identifier, context: ContextDep, actor: CallerDep) -> RunOut:
    """Ask for its end. Members cancel their own runs, stewards and owners of the project all."""
    with writing(context.engine) as session:
        run, project = run_for(session, actor, run_id, "run.read")
        ask_cancel(context, session, actor, run, project)
        return run_out(session, run)


@router.post("/runs/{run_id}/rerun", status_code=201)
def rerun(run_id: Identifier, context: ContextDep, actor: CallerDep, key: RequestKey = None) -> RunOut:
    """The same tool with the same inputs and arguments, in the version that it had, as a new run of the caller."""
    request_id = f"{actor.name}:{key}" if key else None
    with writing(context.engine) as session:
        run, project = run_for(session, actor, run_id)
        require(actor, "run.create", project)
        if run.kind != "tool" or run.tool is None:
            raise invalid("not_a_tool_run", "Only runs of tools can be run again.", "Bring the data in once more.")
        known = _known(session, request_id)
        if known is not None and known.rerun_of != run.id:
            raise conflict("key_used_before", "This Idempotency-Key already made another run.", "Send a new one.")
        again = known or create_tool_run(
            context, session, actor, tool=run.tool, version=run.tool_version, digest=run.tool_digest, project=project.name,
            inputs=run.inputs, arguments=run.arguments, output_title=None, request_id=request_id, rerun_of=run.id)
        answer = run_out(session, again)
    if known is None:
        reached("run.created")
    return answer


@router.get("/runs/{run_id}/log")
def read_run_log(
    run_id: Identifier, context: ContextDep, actor: CallerDep, offset: Annotated[int, Query(ge=0, le=2**40)] = 0,
) -> LogChunk:
    """What the run printed, from a byte on; at most 256 KiB at a time."""
    with reading(context.engine) as session:
        run, _ = run_for(session, actor, run_id)
    text, following, end = read_log(RunFolder(context.settings.runs_dir / run.id).log, offset)
    return LogChunk(offset=following, text=text, end=end and run.state in TERMINAL_STATES)


def _known(session: Session, request_id: str | None) -> Run | None:
    return session.scalar(select(Run).where(Run.request_id == request_id)) if request_id else None


def _same(session: Session, run: Run, body: RunIn) -> bool:
    project = session.get(Project, run.project_id)
    if project is None:
        raise not_found()
    inputs = {name: list(dict.fromkeys(many)) for name, many in body.inputs.items()}
    arguments = all(name in run.arguments and run.arguments[name] == value for name, value in body.arguments.items())
    return arguments and (run.tool, project.name, run.inputs) == (body.tool, body.project, inputs)
