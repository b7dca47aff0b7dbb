"""What one import is about: its upload, names, folders, and the bench its workers get."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from ..context import Context
from ..database import reading
from ..datasets import order, quarantine, tus
from ..deid.pseudonyms import project_secret
from ..errors import conflict
from ..models import Project, Reservation, Run, Upload, UploadFile
from ..projects.store import reserved_bytes
from ..secrets import read_secret
from ..settings import Settings
from .workshop import Bench

PROFILE = "research"
Progress = Callable[[float, str], None]


class Bar:
    """Turns bytes done into a fraction from `start` on, and says so at most about two hundred times."""

    def __init__(self, total: int, progress: Progress, start: float = 0.0) -> None:
        self._total, self._progress, self._start, self._done, self._said = max(total, 1), progress, start, 0, -1.0

    def add(self, count: int, text: str) -> None:
        self._done += count
        fraction = min(0.95, self._start + (0.95 - self._start) * self._done / self._total)
        if fraction - self._said >= 0.005:
            self._said = fraction
            self._progress(fraction, text)


@dataclass(frozen=True)
class Job:
    context: Context = field(repr=False)
    run_id: str
    label: str
    upload: Upload
    files: list[UploadFile]
    order: order.Order
    project: str
    room: int  # bytes that the project may still take
    source: Path  # the upload's folder
    target: Path  # becomes the version
    work: Path
    held: Path
    key: bytes | None = field(repr=False)  # of a clinical import

    def name_of(self, file: UploadFile) -> str:
        return self.order.names.get(file.path, file.path)

    @property
    def adds(self) -> bool:
        return self.upload.mode == "add"

    @property
    def report_path(self) -> str:
        return f"deidentification-{self.label}.jsonl"

    def bench(self, settings: Settings) -> Bench:
        reads = self.key and settings.door_text and (settings.envs_dir / "ocr").is_dir()
        text = str(settings.envs_dir) if reads else None
        hello: dict[str, Any] = {"key": self.key.hex() if self.key else None, "profile": PROFILE, "text": text}
        projects = settings.projects_dir / self.project
        seen = [self.source]
        if self.adds and projects.is_dir():
            seen.append(projects)
        if text:
            seen.append(settings.envs_dir / "ocr")
        return Bench(tuple(seen), (self.work,), hello, settings.door_memory, settings.sandboxes,
                     max(settings.archive_max_bytes, self.room, 1024**3), settings.on_kubernetes)


def read_job(context: Context, run_id: str) -> Job:
    with reading(context.engine) as session:
        run = session.get(Run, run_id)
        upload = session.get(Upload, run.upload_id) if run is not None and run.upload_id else None
        if upload is None or run is None:
            raise conflict("no_upload", "The upload of this import is gone.", "Upload the files again.")
        files = list(session.scalars(select(UploadFile).where(UploadFile.upload_id == upload.id).order_by(UploadFile.path)))
        project = session.get_one(Project, upload.project_id)
        own = session.scalar(select(Reservation.size).where(Reservation.holder == f"upload:{upload.id}")) or 0
        room = max(project.quota_bytes - project.used_bytes - reserved_bytes(session, project) + own, 0)
    staging, folder = context.settings.staging_dir, tus.upload_folder(context, upload.id)
    key = None
    if upload.clinical:
        key = project_secret(bytes.fromhex(read_secret(context.settings.secrets_dir, "deid-key")), upload.project_id)
    return Job(
        context, run_id, f"run{run.number:03d}", upload, files, order.read(folder), project.name, room, folder, staging / run_id,
        staging / f"{run_id}.work", quarantine.held_folder(context, run_id), key,
    )
