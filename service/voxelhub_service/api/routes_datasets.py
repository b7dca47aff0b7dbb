"""The vocabulary, datasets, and the trash."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from ..database import reading, writing
from ..datasets import trash
from ..datasets.vocabulary import vocabulary
from ..policy.authorize import require
from ..wire import Identifier, ProjectName
from ..wire_datasets import DatasetOut, DatasetPage, DatasetPatch, Term, Vocabulary
from .deps import CallerDep, ContextDep

router = APIRouter(tags=["datasets"])
Offset = Annotated[int, Query(ge=0, le=10**9)]
Limit = Annotated[int, Query(ge=1, le=500)]
Text = Annotated[str, Query(max_length=200)]


@router.get("/vocabulary")
def read_vocabulary(actor: CallerDep) -> Vocabulary:
    """The words for data types and file formats."""
    require(actor, "vocabulary.read")
    known = vocabulary()
    return Vocabulary(
        data_types=[Term(id=one.id, title=one.title, formats=one.formats) for one in known.data_types.values()],
        file_formats=[Term(id=one.id, title=one.title) for one in known.file_formats.values()],
    )


@router.get("/datasets")
def list_datasets(
    context: ContextDep, actor: CallerDep, project: ProjectName | None = None, q: Text = "", trashed: bool = False,
    offset: Offset = 0, limit: Limit = 100,
) -> DatasetPage:
    """Datasets of the caller's projects with their versions, newest first."""
    with reading(context.engine) as session:
        return trash.list_datasets(context, session, actor, project=project, q=q, trashed=trashed, offset=offset, limit=limit)


@router.get("/trash")
def list_trash(
    context: ContextDep, actor: CallerDep, project: ProjectName | None = None, offset: Offset = 0, limit: Limit = 100,
) -> DatasetPage:
    """What was deleted and can still be brought back; `purge_at` says until when."""
    with reading(context.engine) as session:
        return trash.list_datasets(context, session, actor, project=project, q="", trashed=True, offset=offset, limit=limit)


@router.get("/datasets/{dataset_id}")
def read_dataset(dataset_id: Identifier, context: ContextDep, actor: CallerDep) -> DatasetOut:
    with reading(context.engine) as session:
        dataset, _ = trash.dataset_for(session, actor, dataset_id)
        return trash.datasets_out(context, session, [dataset])[0]


@router.patch("/datasets/{dataset_id}")
def change_dataset(dataset_id: Identifier, patch: DatasetPatch, context: ContextDep, actor: CallerDep) -> DatasetOut:
    """Title and description; the folder's name stays, because notebooks hold it."""
    with writing(context.engine) as session:
        dataset = trash.change_dataset(context, session, actor, dataset_id, patch.title, patch.description)
        session.flush()
        return trash.datasets_out(context, session, [dataset])[0]


@router.delete("/datasets/{dataset_id}", status_code=204)
def delete_dataset(
    dataset_id: Identifier, context: ContextDep, actor: CallerDep, purge: bool = False, confirm: Text = "",
) -> Response:
    """To the trash; with `purge=true` and the title as `confirm`, from the trash for good."""
    if purge:
        trash.purge_now(context, actor, dataset_id, confirm)
    else:
        with writing(context.engine) as session:
            trash.trash(context, session, actor, dataset_id)
    return Response(status_code=204)


@router.post("/datasets/{dataset_id}/restore")
def restore_dataset(dataset_id: Identifier, context: ContextDep, actor: CallerDep) -> DatasetOut:
    with writing(context.engine) as session:
        dataset = trash.restore(context, session, actor, dataset_id)
        session.flush()
        return trash.datasets_out(context, session, [dataset])[0]
