"""What a project holds, and what changed between two versions of a dataset."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from ..database import reading
from ..datasets.differences import difference
from ..datasets.trash import dataset_for
from ..policy.authorize import require
from ..projects.storage_use import storage_use
from ..projects.store import project_by_name
from ..wire import Identifier, ProjectName
from ..wire_datasets import StorageOut, VersionDiff
from .deps import CallerDep, ContextDep

router = APIRouter()
Number = Annotated[int, Path(ge=1, le=10**9)]


@router.get("/projects/{project}/storage", tags=["projects"])
def read_storage(project: ProjectName, context: ContextDep, actor: CallerDep) -> StorageOut:
    """Bytes used against the quota, by the people who brought them in; what the trash and the quarantine hold."""
    with reading(context.engine) as session:
        found = project_by_name(session, project)
        require(actor, "project.read", found)
        assert found is not None
        return storage_use(session, found)


@router.get("/datasets/{dataset_id}/versions/{number}/diff", tags=["datasets"])
def compare_versions(
    dataset_id: Identifier, number: Number, context: ContextDep, actor: CallerDep,
    before: Annotated[int | None, Query(ge=1, le=10**9, description="another version; by default the one before")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
) -> VersionDiff:
    """The files that a version added, removed and changed. Of a first version all are added; `before` is 0 then."""
    with reading(context.engine) as session:
        dataset, _ = dataset_for(session, actor, dataset_id)
        return difference(session, dataset, number, before, limit)
