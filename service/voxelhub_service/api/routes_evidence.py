"""Where things come from: the record of a run for other programs, lineage, comparison, and a run as a notebook."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from ..database import reading, writing
from ..datasets import catalogue
from ..errors import conflict
from ..models import TERMINAL_STATES
from ..policy.authorize import require
from ..runs import comparison, crate, crate_archive, lineage, notebook
from ..runs.store import run_for
from ..wire import Identifier
from ..wire_evidence import ComparisonOut, LineageOut
from .deps import CallerDep, ContextDep
from .sending import SAFE, disposition

router = APIRouter(tags=["evidence"])
Depth = Annotated[int, Query(ge=1, le=40, description="steps in each direction; from an entry to a run is one")]
Limit = Annotated[int, Query(ge=1, le=500, description="nodes")]


class JsonLd(JSONResponse):
    media_type = "application/ld+json"


class Notebook(JSONResponse):
    media_type = "application/x-ipynb+json"


@router.get("/runs/{run_id}/crate", response_class=JsonLd)
def read_crate(
    run_id: Identifier, context: ContextDep, actor: CallerDep,
    archive: Annotated[bool, Query(description="a ZIP with the run's log and small outputs; from open projects only")] = False,
) -> Response:
    """The record of a run that has ended, as RO-Crate 1.1 (Process Run Crate 0.5). It names people by pseudonym."""
    with reading(context.engine) as session:
        run, project = run_for(session, actor, run_id)
        if archive:
            require(actor, "file.download", project)
        if run.state not in TERMINAL_STATES:
            raise conflict("not_ended", f"{run.label} is still going on; its record is written at its end.", "Wait for it.")
    name = f"{run.label}-crate"
    if not archive:
        with suppress(OSError):  # a full disk: then it is only answered
            crate.try_write(context, run.id)
        with reading(context.engine) as session:
            document = crate.crate_of(context, session, run)
        return JsonLd(document, headers={**SAFE, "Content-Disposition": disposition(f"{name}.json", attachment=True)})
    with writing(context.engine) as session:
        context.audit.append(session, actor, "file.download", f"run:{run.id}", detail={"project": project.name, "crate": True})
    with reading(context.engine) as session:
        data = crate_archive.archive_of(context, session, run)
    headers = {**SAFE, "Content-Disposition": disposition(f"{name}.zip", attachment=True)}
    return Response(data, media_type="application/zip", headers=headers)


@router.get("/runs/{run_id}/lineage")
def read_run_lineage(
    run_id: Identifier, context: ContextDep, actor: CallerDep, depth: Depth = 12, limit: Limit = 150,
) -> LineageOut:
    """What a run was made from, back to what was brought in, and what came of its results."""
    with reading(context.engine) as session:
        run, _ = run_for(session, actor, run_id)
        return lineage.lineage_of_run(context, session, actor, run, depth, limit)


@router.get("/entries/{entry_id}/lineage")
def read_entry_lineage(
    entry_id: Identifier, context: ContextDep, actor: CallerDep, depth: Depth = 12, limit: Limit = 150,
) -> LineageOut:
    """Where an entry comes from, back to the import and what its de-identification did, and what was made from it."""
    with reading(context.engine) as session:
        entry, _ = catalogue.entry_for(session, actor, entry_id)
        return lineage.lineage_of_entry(context, session, actor, entry, depth, limit)


@router.get("/runs/{run_id}/comparison")
def read_comparison(
    run_id: Identifier, context: ContextDep, actor: CallerDep,
    other: Annotated[Identifier | None, Query(alias="with", description="left out: the run that this one repeats")] = None,
) -> ComparisonOut:
    """What differs between a run and an earlier one, and whether their outputs are the same bytes."""
    with reading(context.engine) as session:
        run, _ = run_for(session, actor, run_id)
        original_id = other or run.rerun_of
        if original_id is None:
            raise conflict("repeats_nothing", f"{run.label} repeats no other run.", "Name one with `with`.")
        original, _ = run_for(session, actor, original_id)
        return comparison.compare(context, session, actor, run, original)


@router.get("/runs/{run_id}/notebook", response_class=Notebook)
def read_notebook(run_id: Identifier, context: ContextDep, actor: CallerDep) -> Response:
    """A notebook that does the run again and compares the bytes; for the kernel `imaging` of this installation."""
    with reading(context.engine) as session:
        run, _ = run_for(session, actor, run_id)
        content: dict[str, Any] = notebook.notebook_of(context, session, actor, run)
    name = notebook.file_name(run, run.label)
    return Notebook(content, headers={**SAFE, "Content-Disposition": disposition(name, attachment=True)})
