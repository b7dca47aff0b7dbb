"""The transaction that makes a version known: version, entries, files, bytes used, audit record, event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from ..context import Context, emit
from ..errors import Problem
from ..models import Dataset, DatasetVersion, Entry, File, Project, new_id, utcnow
from ..projects.store import reserved_bytes
from . import storage
from .describing import Description
from .manifest import Bytes
from .names import fold


@dataclass(frozen=True)
class Order:
    """What is to be registered."""

    run_id: str
    project_id: str
    title: str
    created_by: str
    execution: str
    files: Mapping[str, Bytes]
    entries: Sequence[Description]
    digest: str
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", sum(one.size for one in self.files.values()))


def register(
    context: Context, session: Session, name: str, dataset_id: str | None, number: int, order: Order
) -> DatasetVersion:
    project = session.get_one(Project, order.project_id)
    dataset = session.get_one(Dataset, dataset_id) if dataset_id else None
    if dataset is None:
        dataset = Dataset(id=new_id(), project_id=project.id, name=name, title=order.title, created_by=order.created_by)
        session.add(dataset)
    held = storage.held(session, context, project, {one.sha256 for one in order.files.values()})
    project.used_bytes += sum({one.sha256: one.size for one in order.files.values() if one.sha256 not in held}.values())
    version = DatasetVersion(
        id=new_id(), dataset_id=dataset.id, number=number, digest=order.digest, size=order.size, n_files=len(order.files),
        created_by=order.created_by, run_id=order.run_id,
    )
    session.add(version)
    session.flush()
    session.execute(update(Entry).where(Entry.dataset_id == dataset.id, Entry.visible.is_(True)).values(visible=False))
    _insert_rows(session, dataset, version, order)
    context.audit.append(session, order.created_by, "dataset.publish", f"dataset:{dataset.id}", detail={
        "project": project.name, "version": number, "version_digest": order.digest, "files": len(order.files),
        "bytes": order.size, "run": order.run_id})
    emit(session, "dataset", dataset.id, project_id=project.id, payload={"version": number})
    emit(session, "project", project.id, project_id=project.id)
    return version


def check_quota(session: Session, project_id: str) -> None:
    """After the run's own reservation was released: what is used and set aside must fit. Unpacking can make an upload larger."""
    session.flush()
    project = session.get_one(Project, project_id)
    if project.used_bytes > max(0, project.quota_bytes - reserved_bytes(session, project)):
        raise Problem(413, "quota_exceeded", "The project's quota is not enough for this dataset.",
                      "Delete datasets that nobody needs, or ask an administrator for a larger quota.")


def _insert_rows(session: Session, dataset: Dataset, version: DatasetVersion, order: Order) -> None:
    visible, now = dataset.trashed_at is None, utcnow()
    entries, files = [], []
    for one in order.entries:
        entry_id = new_id()
        entries.append(
            {
                "id": entry_id,
                "version_id": version.id,
                "dataset_id": dataset.id,
                "project_id": dataset.project_id,
                "visible": visible,
                "name": one.name,
                "folded": fold(one.name),
                "path": one.path,
                "kind": one.kind,
                "data_type": one.data_type,
                "file_format": one.file_format,
                "n_files": len(one.files),
                "size": sum(order.files[path].size for path in one.files),
                "execution": order.execution,
                "created_at": now,
                "meta": one.meta,
            }
        )
        files += [{"id": new_id(), "version_id": version.id, "entry_id": entry_id, "path": path,
                   "size": order.files[path].size, "sha256": order.files[path].sha256} for path in one.files]
    session.execute(insert(Entry), entries)
    session.execute(insert(File), files)
