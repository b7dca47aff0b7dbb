"""Datasets as a whole: read, retitle, delete to the trash, bring back, and at last drop their links."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from ..context import Context, emit
from ..database import reading, writing
from ..errors import conflict, forbidden, invalid, not_found
from ..identity.actor import Actor
from ..models import Dataset, DatasetVersion, Entry, File, Project, Run, utcnow
from ..policy.authorize import require
from ..projects.store import role_in
from ..wire_datasets import DatasetOut, DatasetPage, VersionOut
from . import storage
from .catalogue import readable_projects


def dataset_for(
    session: Session, actor: Actor, dataset_id: str, action: str = "dataset.read", *, trashed: bool | None = None
) -> tuple[Dataset, Project]:
    """not_found for what does not exist, what the actor may not see, and what is (not) in the trash against `trashed`."""
    dataset = session.get(Dataset, dataset_id)
    project = session.get(Project, dataset.project_id) if dataset is not None else None
    require(actor, action, project)
    assert dataset is not None and project is not None
    if trashed is not None and (dataset.trashed_at is not None) is not trashed:
        raise not_found()
    return dataset, project


def list_datasets(
    context: Context, session: Session, actor: Actor, *, project: str | None, q: str, trashed: bool, offset: int, limit: int
) -> DatasetPage:
    """Newest first; of the trash, latest thrown away first."""
    ids = [one.id for one in readable_projects(session, actor, project)]
    where: list[ColumnElement[bool]] = [
        Dataset.project_id.in_(ids), Dataset.trashed_at.is_not(None) if trashed else Dataset.trashed_at.is_(None)]
    if q:
        where.append(func.lower(Dataset.title).contains(q.lower(), autoescape=True))
    total = session.scalar(select(func.count()).select_from(Dataset).where(*where)) or 0
    order = Dataset.trashed_at.desc() if trashed else Dataset.created_at.desc()
    rows = session.scalars(select(Dataset).where(*where).order_by(order, Dataset.id).offset(offset).limit(limit))
    return DatasetPage(total=total, items=datasets_out(context, session, list(rows)))


def datasets_out(context: Context, session: Session, datasets: Sequence[Dataset]) -> list[DatasetOut]:
    ids = [one.id for one in datasets]
    versions: dict[str, list[DatasetVersion]] = {}
    for version in session.scalars(
            select(DatasetVersion).where(DatasetVersion.dataset_id.in_(ids)).order_by(DatasetVersion.number)):
        versions.setdefault(version.dataset_id, []).append(version)
    projects = dict(session.execute(
        select(Project.id, Project.name).where(Project.id.in_({one.project_id for one in datasets}))).all())
    keep = timedelta(days=context.settings.trash_days)
    return [
        DatasetOut(
            id=one.id, project=projects[one.project_id], name=one.name, title=one.title, description=one.description,
            created_by=one.created_by, created_at=one.created_at, trashed_at=one.trashed_at,
            purge_at=one.trashed_at + keep if one.trashed_at else None,
            versions=[_version_out(v, f"/projects/{projects[one.project_id]}/{one.name}") for v in versions.get(one.id, [])],
        )
        for one in datasets
    ]


def _version_out(version: DatasetVersion, folder: str) -> VersionOut:
    return VersionOut(
        number=version.number, digest=version.digest, size=version.size, n_files=version.n_files, created_by=version.created_by,
        created_at=version.created_at, run_id=version.run_id, path=f"{folder}/v{version.number}",
    )


def change_dataset(
    context: Context, session: Session, actor: Actor, dataset_id: str, title: str | None, description: str | None
) -> Dataset:
    dataset, project = dataset_for(session, actor, dataset_id, "dataset.write", trashed=False)
    if title is not None and title != dataset.title and _titled(session, project.id, title) is not None:
        raise conflict("title_taken", "Another dataset of the project has this title.", "Choose another title.")
    changed = [
        name
        for name, value in (("title", title), ("description", description))
        if value is not None and getattr(dataset, name) != value
    ]
    dataset.title = dataset.title if title is None else title
    dataset.description = dataset.description if description is None else description
    if changed:
        context.audit.append(
            session, actor, "dataset.change", f"dataset:{dataset.id}", detail={"project": project.name, "changed": changed}
        )
        emit(session, "dataset", dataset.id, project_id=project.id)
    return dataset


def trash(context: Context, session: Session, actor: Actor, dataset_id: str) -> None:
    """Its rows leave the table; its files stay where they are until they are purged."""
    dataset, project = dataset_for(session, actor, dataset_id, "dataset.trash", trashed=False)
    dataset.trashed_at, dataset.trashed_by = utcnow(), actor.name
    session.execute(update(Entry).where(Entry.dataset_id == dataset.id).values(visible=False))
    context.audit.append(session, actor, "dataset.trash", f"dataset:{dataset.id}", detail={"project": project.name})
    emit(session, "dataset", dataset.id, project_id=project.id)


def restore(context: Context, session: Session, actor: Actor, dataset_id: str) -> Dataset:
    dataset, project = dataset_for(session, actor, dataset_id, "dataset.trash", trashed=True)
    if _titled(session, project.id, dataset.title) is not None:
        raise conflict("title_taken", "Meanwhile another dataset of the project has this title.", "Rename that one first.")
    dataset.trashed_at = dataset.trashed_by = None
    last = (
        select(DatasetVersion.id).where(DatasetVersion.dataset_id == dataset.id).order_by(DatasetVersion.number.desc()).limit(1)
    )
    session.execute(update(Entry).where(Entry.version_id == last.scalar_subquery()).values(visible=True))
    context.audit.append(session, actor, "dataset.restore", f"dataset:{dataset.id}", detail={"project": project.name})
    emit(session, "dataset", dataset.id, project_id=project.id)
    return dataset


def purge_now(context: Context, actor: Actor, dataset_id: str, confirm: str) -> None:
    """Only from the trash, only by a steward or owner, only with the dataset's title repeated."""
    with reading(context.engine) as session:
        dataset, project = dataset_for(session, actor, dataset_id, "dataset.trash", trashed=True)
        if role_in(actor, project) not in ("owner", "steward"):
            raise forbidden("Only a steward or an owner of the project deletes for good.")
        if confirm != dataset.title:
            raise invalid("not_confirmed", "To delete for good, repeat the dataset's title as `confirm`.")
    _purge(context, dataset_id, actor)


def purge_trash(context: Context) -> int:
    """Called by the worker: what has been in the trash for `trash_days`; how many datasets went."""
    before = utcnow() - timedelta(days=context.settings.trash_days)
    with reading(context.engine) as session:
        due = list(session.scalars(select(Dataset.id).where(Dataset.trashed_at < before)))
    for dataset_id in due:
        _purge(context, dataset_id, "system")
    return len(due)


def _purge(context: Context, dataset_id: str, by: Actor | str) -> None:
    """Rows first, in one transaction with the audit record that keeps the digests; then the files, which fsck would find
    as nobody's if we were killed between the two."""
    with writing(context.engine) as session:
        dataset = session.get(Dataset, dataset_id)
        if dataset is None or dataset.trashed_at is None:
            return
        project = session.get_one(Project, dataset.project_id)
        versions = list(session.scalars(select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id)))
        ids = [one.id for one in versions]
        session.execute(delete(File).where(File.version_id.in_(ids)))
        session.execute(delete(Entry).where(Entry.version_id.in_(ids)))
        session.execute(update(Run).where(Run.output_version_id.in_(ids)).values(output_version_id=None))
        session.execute(delete(DatasetVersion).where(DatasetVersion.id.in_(ids)))
        session.execute(delete(Dataset).where(Dataset.id == dataset_id))
        session.flush()
        project.used_bytes = storage.count_used(session, project.id)
        context.audit.append(session, by, "dataset.purge", f"dataset:{dataset_id}", detail={
            "project": project.name, "versions": [{"number": one.number, "digest": one.digest} for one in versions]})
        emit(session, "dataset", dataset_id, project_id=project.id)
        emit(session, "project", project.id, project_id=project.id)
    storage.remove_tree(context.settings.projects_dir / project.name / dataset.name)


def _titled(session: Session, project_id: str, title: str) -> Dataset | None:
    return session.scalar(select(Dataset).where(
        Dataset.project_id == project_id, Dataset.title == title, Dataset.trashed_at.is_(None)).limit(1))
