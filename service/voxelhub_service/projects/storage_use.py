"""Who holds how much of a project, in bytes: equal files count once, for whoever brought them in first."""

from __future__ import annotations

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from ..models import Dataset, DatasetVersion, File, Project, QuarantineItem
from ..wire_datasets import StorageOut, StorageUse
from .quota import reserved_bytes


def storage_use(session: Session, project: Project) -> StorageOut:
    return StorageOut(
        project=project.name, quota_bytes=project.quota_bytes, used_bytes=project.used_bytes,
        reserved_bytes=reserved_bytes(session, project), trash_bytes=_trash_bytes(session, project.id),
        quarantine_bytes=_quarantine_bytes(session, project.id), users=_users(session, project.id),
    )


def _users(session: Session, project_id: str) -> list[StorageUse]:
    """Most bytes first. The sum over all is what the project uses."""
    turn = func.row_number().over(
        partition_by=File.sha256, order_by=(DatasetVersion.created_at, DatasetVersion.id, File.path))
    files = (
        select(DatasetVersion.created_by.label("user"), File.size.label("size"), turn.label("turn"))
        .join(DatasetVersion, File.version_id == DatasetVersion.id)
        .join(Dataset, DatasetVersion.dataset_id == Dataset.id)
        .where(Dataset.project_id == project_id).subquery()
    )
    firsts = select(files.c.user, func.sum(files.c.size)).where(files.c.turn == 1).group_by(files.c.user)
    sizes = dict(session.execute(firsts).all())
    datasets = session.execute(
        select(DatasetVersion.created_by, func.count(Dataset.id.distinct()))
        .join(Dataset, DatasetVersion.dataset_id == Dataset.id)
        .where(Dataset.project_id == project_id).group_by(DatasetVersion.created_by)
    ).all()
    users = [StorageUse(user=user, bytes=int(sizes.get(user, 0)), datasets=count) for user, count in datasets]
    return sorted(users, key=lambda one: (-one.bytes, one.user))


def _trash_bytes(session: Session, project_id: str) -> int:
    """What emptying the trash would free: digests that no dataset outside it holds."""
    outside = func.sum(case((Dataset.trashed_at.is_(None), 1), else_=0))
    gone = (
        select(func.max(File.size).label("size"))
        .join(DatasetVersion, File.version_id == DatasetVersion.id)
        .join(Dataset, DatasetVersion.dataset_id == Dataset.id)
        .where(Dataset.project_id == project_id).group_by(File.sha256).having(outside == 0).subquery()
    )
    return int(session.scalar(select(func.coalesce(func.sum(gone.c.size), 0))) or 0)


def _quarantine_bytes(session: Session, project_id: str) -> int:
    waiting = select(func.coalesce(func.sum(QuarantineItem.size), 0)).where(
        QuarantineItem.project_id == project_id, QuarantineItem.state.in_(("held", "releasing")))
    return int(session.scalar(waiting) or 0)
