"""Files leave VoxelHub here, and only here: downloads from open projects, each in the audit log."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.responses import FileResponse, Response, StreamingResponse

from ..database import reading, writing
from ..datasets import storage, viewing, zipping
from ..datasets.trash import dataset_for
from ..errors import not_found
from ..identity.actor import Actor
from ..models import Dataset, DatasetVersion, File, Project
from ..policy.authorize import require
from ..wire import Identifier
from ..wire_datasets import FileOut, FilePage
from .deps import CallerDep, ContextDep
from .sending import SAFE, disposition, file_answer, is_first

router = APIRouter(tags=["files"])
Number = Annotated[int, Path(ge=1, le=10**9)]


@router.get("/files/{file_id}/content", response_class=Response)
def download_file(file_id: Identifier, request: Request, context: ContextDep, actor: CallerDep) -> Response:
    """One file as it was brought in, resumable by Range and If-Range."""
    with reading(context.engine) as session:
        file = session.get(File, file_id)
        version = session.get_one(DatasetVersion, file.version_id) if file is not None else None
        _, project = _downloadable(session, actor, version.dataset_id if version else "")
        assert file is not None
        path = viewing.present(viewing.folder_of(context, session, file.version_id) / file.path)
    if is_first(request):
        with writing(context.engine) as session:
            context.audit.append(session, actor, "file.download", f"file:{file.id}", detail={
                "project": project.name, "sha256": file.sha256, "bytes": file.size})
    return file_answer(request, path, file.sha256, "application/octet-stream", PurePosixPath(file.path).name, attachment=True)


@router.get("/datasets/{dataset_id}/versions/{number}/archive", response_class=StreamingResponse)
def download_version(dataset_id: Identifier, number: Number, context: ContextDep, actor: CallerDep) -> Response:
    """The whole version as one ZIP, written while it is sent."""
    with reading(context.engine) as session:
        dataset, project = _downloadable(session, actor, dataset_id)
        version = _version(session, dataset, number)
        folder = viewing.folder_of(context, session, version.id)
        files = list(session.scalars(select(File).where(File.version_id == version.id).order_by(File.path)))
    with writing(context.engine) as session:
        context.audit.append(session, actor, "file.download", f"version:{version.id}", detail={
            "project": project.name, "version_digest": version.digest, "files": version.n_files, "bytes": version.size})
    name = f"{dataset.name}-v{number}"
    headers = {**SAFE, "Content-Disposition": disposition(f"{name}.zip", attachment=True)}
    return StreamingResponse(zipping.stream(folder, name, files), media_type="application/zip", headers=headers)


@router.get("/datasets/{dataset_id}/versions/{number}/files")
def list_version_files(
    dataset_id: Identifier, number: Number, context: ContextDep, actor: CallerDep,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0, limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> FilePage:
    with reading(context.engine) as session:
        dataset, _ = dataset_for(session, actor, dataset_id)
        version = _version(session, dataset, number)
        rows = session.scalars(select(File).where(File.version_id == version.id).order_by(File.path).offset(offset).limit(limit))
        items = [FileOut(id=f.id, path=f.path, size=f.size, sha256=f.sha256) for f in rows]
        total = session.scalar(select(func.count()).select_from(File).where(File.version_id == version.id)) or 0
        return FilePage(total=total, items=items)


@router.get("/datasets/{dataset_id}/versions/{number}/manifest", response_class=Response)
def read_manifest(dataset_id: Identifier, number: Number, context: ContextDep, actor: CallerDep) -> Response:
    """The list of files and digests, as `sha256sum -c` reads it."""
    with reading(context.engine) as session:
        dataset, project = dataset_for(session, actor, dataset_id)
        _version(session, dataset, number)
    path = storage.manifest_path(storage.version_folder(context, project.name, dataset.name, number))
    return FileResponse(viewing.present(path), media_type="text/plain; charset=utf-8", headers=SAFE)


def _downloadable(session: Session, actor: Actor, dataset_id: str) -> tuple[Dataset, Project]:
    """Not from the trash. One who is no member learns nothing; a member of a clinical project learns why not."""
    dataset = session.get(Dataset, dataset_id)
    project = session.get(Project, dataset.project_id) if dataset is not None else None
    require(actor, "file.download", project)
    assert dataset is not None and project is not None
    if dataset.trashed_at is not None:
        raise not_found()
    return dataset, project


def _version(session: Session, dataset: Dataset, number: int) -> DatasetVersion:
    version = session.scalar(
        select(DatasetVersion).where(DatasetVersion.dataset_id == dataset.id, DatasetVersion.number == number)
    )
    if version is None:
        raise not_found()
    return version
