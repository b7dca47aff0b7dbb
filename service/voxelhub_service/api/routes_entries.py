"""The workspace table: list, read, rename, look at."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import func, select
from starlette.responses import Response

from ..database import reading, writing
from ..datasets import catalogue, viewing
from ..models import File
from ..wire import Identifier, ProjectName
from ..wire_datasets import EntryOut, EntryPage, EntryPatch, FileOut, FilePage, Sort, ViewOut
from .deps import CallerDep, ContextDep
from .sending import SAFE, disposition, file_answer, is_first

router = APIRouter(tags=["entries"])
Offset = Annotated[int, Query(ge=0, le=10**9)]
Limit = Annotated[int, Query(ge=1, le=500)]
Word = Annotated[str | None, Query(max_length=100)]


@router.get("/entries")
def list_entries(
    context: ContextDep,
    actor: CallerDep,
    project: ProjectName | None = None,
    q: Annotated[str, Query(max_length=200)] = "",
    data_type: Word = None,
    file_format: Word = None,
    execution: Word = None,
    dataset: Identifier | None = None,
    version: Annotated[int | None, Query(ge=1, le=10**9)] = None,
    run: Identifier | None = None,
    batch: Identifier | None = None,
    sort: Sort = "-created_at",
    offset: Offset = 0,
    limit: Limit = 100,
) -> EntryPage:
    """Entries of the newest versions in the caller's projects. `q` is a part of the name, in any case; ties go by id.

    With `dataset` and `version`, the entries of that version; with `run` or `batch`, what it made.
    """
    query = catalogue.Query(project, q, data_type, file_format, execution, dataset, version, run, batch, sort, offset, limit)
    with reading(context.engine) as session:
        return catalogue.list_entries(session, actor, query)


@router.get("/entries/{entry_id}")
def read_entry(entry_id: Identifier, context: ContextDep, actor: CallerDep) -> EntryOut:
    with reading(context.engine) as session:
        catalogue.entry_for(session, actor, entry_id)
        return catalogue.entries_out(session, [entry_id])[0]


@router.patch("/entries/{entry_id}")
def change_entry(entry_id: Identifier, patch: EntryPatch, context: ContextDep, actor: CallerDep) -> EntryOut:
    """Name, data type and format; words outside the vocabulary are refused."""
    with writing(context.engine) as session:
        catalogue.change_entry(context, session, actor, entry_id, patch)
        session.flush()
        return catalogue.entries_out(session, [entry_id])[0]


@router.get("/entries/{entry_id}/files")
def list_files(entry_id: Identifier, context: ContextDep, actor: CallerDep, offset: Offset = 0, limit: Limit = 100) -> FilePage:
    """The files (of a series: its instances) in the order of their names."""
    with reading(context.engine) as session:
        entry, _ = catalogue.entry_for(session, actor, entry_id)
        total = session.scalar(select(func.count()).select_from(File).where(File.entry_id == entry.id)) or 0
        rows = session.scalars(select(File).where(File.entry_id == entry.id).order_by(File.path).offset(offset).limit(limit))
        return FilePage(total=total, items=[FileOut(id=f.id, path=f.path, size=f.size, sha256=f.sha256) for f in rows])


@router.get("/entries/{entry_id}/view")
def view(entry_id: Identifier, context: ContextDep, actor: CallerDep) -> ViewOut:
    """How to look at it, or why it cannot be looked at."""
    with reading(context.engine) as session:
        entry, _ = catalogue.entry_for(session, actor, entry_id)
    return viewing.view_of(entry)


@router.get("/entries/{entry_id}/content", response_class=Response)
def content(entry_id: Identifier, request: Request, context: ContextDep, actor: CallerDep) -> Response:
    """What the viewer shows: a NIfTI volume (made of a DICOM series), a picture, or the first MiB of a text or table as UTF-8.
    A plan comes whole, up to 32 MiB: a panel draws it.

    Members look at data of clinical projects too; every look is in the audit log.
    """
    with reading(context.engine) as session:
        entry, project = catalogue.entry_for(session, actor, entry_id)
        folder = viewing.folder_of(context, session, entry.version_id)
        files = viewing.files_of(session, entry)
    found = viewing.content_of(context, entry, folder, files)
    if is_first(request):
        with writing(context.engine) as session:
            context.audit.append(session, actor, "file.view", f"entry:{entry.id}", detail={"project": project.name})
    if found.head_only:
        headers = {**SAFE, "Content-Disposition": disposition(found.name, attachment=False)}
        return Response(viewing.text_head(found.path), media_type=found.media_type, headers=headers)
    return file_answer(request, found.path, found.tag, found.media_type, found.name, attachment=False)
