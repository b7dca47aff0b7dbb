"""What runs need around them: a context without network, a project, published series and volumes, and looks at the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select
from support.service import make_test_context
from voxelhub_service.audit.verify import verify
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.datasets.names import fold
from voxelhub_service.models import Dataset, DatasetVersion, Entry, File, Project, Run, new_id, utcnow
from voxelhub_service.runs.store import next_number

ROOT = Path(__file__).resolve().parents[2]
GIB = 1024**3


def make_world(folder: Path, **settings: object) -> Context:
    """A context whose state lies in `folder`, with the environments of this clone; tables are made from the models."""
    return make_test_context(folder, envs_dir=ROOT / ".envs", **settings)


def add_project(context: Context, name: str = "demo", quota: int = 10 * GIB) -> str:
    with writing(context.engine) as session:
        project = Project(name=name, title=name, kind="shared", open=True, quota_bytes=quota)
        session.add(project)
        session.flush()
        return project.id


Given = tuple[str, str, str, dict[str, bytes]]  # kind, data type, file format, files by path


def add_version(context: Context, project_id: str, name: str, entries: dict[str, Given]) -> dict[str, str]:
    """A published version v1 with these entries by name; their ids by name.

    A series' files lie below one folder, which becomes the entry's path.
    """
    with writing(context.engine) as session:
        project = session.get_one(Project, project_id)
        folder = context.settings.projects_dir / project.name / name / "v1"
        run = Run(number=next_number(session, project_id), project_id=project_id, owner="system", kind="import", title=name,
                  state="succeeded", ended_at=utcnow())
        dataset = Dataset(project_id=project_id, name=name, title=name, created_by="system")
        session.add_all([run, dataset])
        session.flush()
        files = [(path, data) for *_, some in entries.values() for path, data in some.items()]
        lines = "".join(f"{sha256(data)}  {path}\n" for path, data in sorted(files))
        version = DatasetVersion(dataset_id=dataset.id, number=1, digest=sha256(lines.encode()), n_files=len(files),
                                 size=sum(len(data) for _, data in files), created_by="system", run_id=run.id)
        session.add(version)
        session.flush()
        run.output_version_id = version.id
        ids = {}
        for title, (kind, data_type, file_format, some) in entries.items():
            first = next(iter(some))
            entry = Entry(id=new_id(), version_id=version.id, dataset_id=dataset.id, project_id=project_id, name=title,
                          path=first.rpartition("/")[0] if kind == "series" else first, kind=kind, data_type=data_type,
                          folded=fold(title), file_format=file_format, n_files=len(some), size=sum(map(len, some.values())))
            session.add(entry)
            session.flush()
            ids[title] = entry.id
            for path, data in some.items():
                session.add(File(version_id=version.id, entry_id=entry.id, path=path, size=len(data), sha256=sha256(data)))
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
        (folder.parent / "v1.sha256").write_text(lines)
        project.used_bytes += version.size
        for below in (folder, *folder.rglob("*")):
            below.chmod(0o555 if below.is_dir() else 0o444)
    return ids


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def run_row(context: Context, run_id: str) -> Run:
    with reading(context.engine) as session:
        return session.get_one(Run, run_id)


def versions_of(context: Context, run_id: str) -> list[DatasetVersion]:
    with reading(context.engine) as session:
        return list(session.scalars(select(DatasetVersion).where(DatasetVersion.run_id == run_id)))


def audit_is_whole(context: Context) -> bool:
    with reading(context.engine) as session:
        return verify(session, context.audit) == []


def until(condition: Callable[[], object], seconds: float = 180.0, step: float = 0.05) -> None:
    """Wait for a condition, or fail naming how long was waited."""
    import time

    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(step)
