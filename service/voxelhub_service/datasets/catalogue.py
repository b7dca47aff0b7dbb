"""The workspace table: entries by project, filter, order and offset, quick at a hundred thousand rows and any offset.

One statement counts on a covering index. Another finds the ids of the page, also without touching a row: it walks the index
of the order from whichever end is nearer. Only the page's rows are then read. PostgreSQL chooses its indexes by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from ..context import Context, emit
from ..errors import not_found
from ..identity.actor import Actor
from ..models import Dataset, DatasetVersion, Entry, Project
from ..policy.authorize import decide, require
from ..wire_datasets import EntryOut, EntryPage, EntryPatch
from .names import fold
from .vocabulary import vocabulary

FEW = 2000  # matching rows up to which sorting them is cheaper than walking the order's index
COLUMNS = {"name": "folded", "data_type": "data_type", "file_format": "file_format", "execution": "execution",
           "size": "size", "created_at": "created_at"}
MADE_BY = {
    "run": "version_id IN (SELECT id FROM dataset_version WHERE run_id = :run)",
    "batch": "version_id IN (SELECT v.id FROM dataset_version v JOIN run r ON r.id = v.run_id WHERE r.batch_id = :batch)",
}


@dataclass(frozen=True)
class Query:
    """What the table asks for. `version` counts only with `dataset`; without it the newest version of each dataset is meant."""

    project: str | None = None
    q: str = ""
    data_type: str | None = None
    file_format: str | None = None
    execution: str | None = None
    dataset: str | None = None
    version: int | None = None
    run: str | None = None  # what one run made, or the runs of a batch with its table
    batch: str | None = None
    sort: str = "-created_at"
    offset: int = 0
    limit: int = 100

    @property
    def narrow(self) -> bool:
        """Whether a few versions are meant: then their rows are read, and no index of the whole table."""
        return (self.version is not None and self.dataset is not None) or self.run is not None or self.batch is not None


def readable_projects(session: Session, actor: Actor, only: str | None = None) -> list[Project]:
    """Those whose data the actor may read; not_found when `only` is none of them."""
    rows = select(Project) if actor.kind == "system" else select(Project).where(Project.name.in_(actor.project_roles))
    found = [one for one in session.scalars(rows) if decide(actor, "dataset.read", one).allowed]
    if only is None:
        return found
    named = [one for one in found if one.name == only]
    if not named:
        require(actor, "dataset.read", session.scalar(select(Project).where(Project.name == only)))
        raise not_found()
    return named


def list_entries(session: Session, actor: Actor, query: Query) -> EntryPage:
    projects = readable_projects(session, actor, query.project)
    if not projects:
        return EntryPage(total=0, items=[])
    where, values = _where(session, query, projects)
    index = "" if query.narrow else _by(session, "project")
    total = int(session.execute(text(f"SELECT count(*) FROM entry {index} WHERE {where}"), values).scalar_one())  # noqa: S608
    ids = _page(session, query, where, values, total, index)
    return EntryPage(total=total, items=entries_out(session, ids))


def _where(session: Session, query: Query, projects: Sequence[Project]) -> tuple[str, dict[str, Any]]:
    """A condition whose columns are all in each index of the table, and its values."""
    values: dict[str, Any] = {f"p{i}": project.id for i, project in enumerate(projects)}
    parts = [f"project_id IN ({', '.join(f':{name}' for name in values)})"]
    if query.version is not None and query.dataset:
        parts.append("version_id = :version")
        values["version"] = session.scalar(select(DatasetVersion.id).join(Dataset, Dataset.id == DatasetVersion.dataset_id).where(
            DatasetVersion.dataset_id == query.dataset, DatasetVersion.number == query.version, Dataset.trashed_at.is_(None)))
    else:
        parts.append("visible = :visible")
        values["visible"] = True
    for name, column in (
        ("data_type", "data_type"),
        ("file_format", "file_format"),
        ("execution", "execution"),
        ("dataset", "dataset_id"),
    ):
        if (value := getattr(query, name)) is not None:
            parts.append(f"{column} = :{name}")
            values[name] = value
    for name, condition in MADE_BY.items():
        if (value := getattr(query, name)) is not None:
            parts.append(condition)
            values[name] = value
    if query.q:
        parts.append(f"{'strpos' if _on_server(session) else 'instr'}(folded, :q) > 0")
        values["q"] = fold(query.q)
    return " AND ".join(parts), values


def _page(session: Session, query: Query, where: str, values: dict[str, Any], total: int, index: str) -> list[str]:
    column, descending = COLUMNS[query.sort.removeprefix("-")], query.sort.startswith("-")
    first, last = min(query.offset, total), min(query.offset + query.limit, total)
    if first >= last:
        return []
    backwards = first > total - last  # walk from the far end, and turn the page round
    skip = total - last if backwards else first
    direction = "DESC" if descending != backwards else "ASC"
    if not query.narrow and total > FEW:
        index = _by(session, column)
    rows = session.execute(text(
        f"SELECT id FROM entry {index} WHERE {where} ORDER BY {column} {direction}, id {direction} LIMIT :limit OFFSET :skip"  # noqa: S608
    ), {**values, "limit": last - first, "skip": skip}).scalars().all()
    return list(reversed(rows)) if backwards else list(rows)


def _by(session: Session, column: str) -> str:
    """SQLite is told the index, for it keeps no statistics of its own; PostgreSQL does, and chooses."""
    return "" if _on_server(session) else f"INDEXED BY entry_by_{column}"


def _on_server(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def entries_out(session: Session, ids: Sequence[str]) -> list[EntryOut]:
    """As they cross the wire, in this order."""
    rows = session.execute(
        select(Entry, Dataset.name, Dataset.title, DatasetVersion.number, Project.name)
        .join(Dataset, Entry.dataset_id == Dataset.id).join(DatasetVersion, Entry.version_id == DatasetVersion.id)
        .join(Project, Entry.project_id == Project.id).where(Entry.id.in_(ids)))
    found = {row[0].id: _out(*row) for row in rows}
    return [found[one] for one in ids]


def _out(entry: Entry, dataset: str, title: str, version: int, project: str) -> EntryOut:
    place = f"/projects/{project}/{dataset}/v{version}"
    return EntryOut(
        id=entry.id, name=entry.name, kind=entry.kind, data_type=entry.data_type, file_format=entry.file_format,  # type: ignore[arg-type]
        project=project, dataset_id=entry.dataset_id, dataset=dataset, dataset_title=title, version=version,
        path=f"{place}/{entry.path}" if entry.path else place, n_files=entry.n_files, size=entry.size,
        execution=entry.execution, created_at=entry.created_at, meta=entry.meta,
    )


def entry_for(session: Session, actor: Actor, entry_id: str, action: str = "dataset.read") -> tuple[Entry, Project]:
    """The entry of any version outside the trash; not_found for what does not exist and for what the actor may not see."""
    entry = session.get(Entry, entry_id)
    project = session.get(Project, entry.project_id) if entry is not None else None
    require(actor, action, project)
    assert entry is not None and project is not None
    if session.get_one(Dataset, entry.dataset_id).trashed_at is not None:
        raise not_found()
    return entry, project


def change_entry(context: Context, session: Session, actor: Actor, entry_id: str, patch: EntryPatch) -> None:
    """Its name, data type and format are words about it; the files stay as they are."""
    entry, project = entry_for(session, actor, entry_id, "dataset.write")
    vocabulary().check(patch.data_type, patch.file_format)
    wanted = patch.model_dump(exclude_unset=True, exclude_none=True)
    changed = {name: value for name, value in wanted.items() if getattr(entry, name) != value}
    if not changed:
        return
    for name, value in changed.items():
        setattr(entry, name, value)
    entry.folded = fold(entry.name)
    # The old and new names stay out of the record: people write patients' names into them.
    detail = {name: value for name, value in changed.items() if name != "name"} | ({"renamed": True} if "name" in changed else {})
    context.audit.append(session, actor, "entry.change", f"entry:{entry.id}", detail={"project": project.name, **detail})
    emit(session, "dataset", entry.dataset_id, project_id=project.id)
