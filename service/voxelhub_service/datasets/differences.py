"""What a version of a dataset holds that another does not: compared by path and digest, in the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, case, func, literal, null, select, union_all
from sqlalchemy.orm import Session, aliased

from ..errors import not_found
from ..models import Dataset, DatasetVersion, File
from ..wire_datasets import ChangedFile, VersionDiff


def difference(session: Session, dataset: Dataset, number: int, before: int | None, limit: int) -> VersionDiff:
    """From version `before` (by default the one before; 0 stands for none) to `number`; items in the order of their paths."""
    after_id = _version(session, dataset, number)
    if before is None:
        before = session.scalar(select(func.max(DatasetVersion.number)).where(
            DatasetVersion.dataset_id == dataset.id, DatasetVersion.number < number)) or 0
    before_id = _version(session, dataset, before) if before else ""
    files = union_all(_of_after(after_id, before_id), _removed(after_id, before_id)).subquery()
    counts: dict[str, int] = dict(session.execute(select(files.c.change, func.count()).group_by(files.c.change)).all())
    rows = session.execute(select(files).where(files.c.change != "unchanged").order_by(files.c.path).limit(limit))
    items = [ChangedFile(path=path, change=change, size_before=old, size_after=new) for path, change, old, new in rows]
    added, removed, changed = (counts.get(name, 0) for name in ("added", "removed", "changed"))
    return VersionDiff(before=before, after=number, added=added, removed=removed, changed=changed,
                       unchanged=counts.get("unchanged", 0), total=added + removed + changed, items=items)


def _version(session: Session, dataset: Dataset, number: int) -> str:
    found = session.scalar(select(DatasetVersion.id).where(
        DatasetVersion.dataset_id == dataset.id, DatasetVersion.number == number))
    if found is None:
        raise not_found()
    return found


def _of_after(after_id: str, before_id: str) -> Select[*tuple[Any, ...]]:
    """Each file of the later version, with what became of it: path, change, size before, size after."""
    new, old = aliased(File), aliased(File)
    change = case((old.id.is_(None), "added"), (old.sha256 != new.sha256, "changed"), else_="unchanged")
    return (
        select(new.path.label("path"), change.label("change"), old.size.label("old"), new.size.label("new"))
        .join_from(new, old, (old.version_id == before_id) & (old.path == new.path), isouter=True)
        .where(new.version_id == after_id)
    )


def _removed(after_id: str, before_id: str) -> Select[*tuple[Any, ...]]:
    new, old = aliased(File), aliased(File)
    return (
        select(old.path.label("path"), literal("removed").label("change"), old.size.label("old"), null().label("new"))
        .join_from(old, new, (new.version_id == after_id) & (new.path == old.path), isouter=True)
        .where(old.version_id == before_id, new.id.is_(None))
    )
