"""Uploads as the API sees them: announced with all their files, filled by tus, completed into an import run."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context, emit
from ..database import reading, writing
from ..errors import conflict, invalid, not_found
from ..identity.actor import Actor
from ..models import Project, Reservation, Run, Upload, UploadFile, new_id, utcnow
from ..policy.authorize import require
from ..projects.quota import reserve
from ..projects.store import project_by_name
from ..runs.endings import tell
from ..runs.store import next_number
from ..wire_datasets import UploadFileOut, UploadIn, UploadOut
from . import names, order, storage, tus
from .vocabulary import vocabulary

log = logging.getLogger(__name__)
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def target_project(session: Session, actor: Actor, name: str) -> Project:
    project = project_by_name(session, name)
    require(actor, "upload.write", project)
    assert project is not None
    return project


def create_upload(context: Context, actor: Actor, wanted: UploadIn, key: str | None = None) -> Upload:
    """Checks, sets quota aside, links what the project already holds. The same Idempotency-Key gives the same upload."""
    vocabulary().check(wanted.data_type, wanted.file_format)
    if reason := names.first_refusal(file.path for file in wanted.files):
        raise invalid("bad_file_name", reason, "Rename it and try again.")
    upload_id = hashlib.sha256(f"upload\0{actor.name}\0{key}".encode()).hexdigest()[:32] if key else new_id()
    with reading(context.engine) as session:
        project = target_project(session, actor, wanted.project)
        if key and (known := session.get(Upload, upload_id)) is not None:
            return known
        clinical = not project.open
        held = {} if clinical else storage.held(session, context, project, {f.sha256 for f in wanted.files if f.sha256})
    tus.check_room(context)
    folder = tus.upload_folder(context, upload_id)
    folder.mkdir(exist_ok=True, mode=0o700)
    tus.mark_boot(folder)
    files = _file_rows(context, upload_id, wanted, held)
    if clinical:
        _seal_names(folder, files)
    try:
        with writing(context.engine) as session:
            if (known := session.get(Upload, upload_id)) is not None:
                return known
            upload = _register(context, session, actor, upload_id, wanted, files, clinical)
    except BaseException:
        with reading(context.engine) as session:
            if session.get(Upload, upload_id) is None:  # the same key in another request may have made it meanwhile
                shutil.rmtree(folder, ignore_errors=True)
        raise
    reached("upload.created")
    return upload


def _file_rows(context: Context, upload_id: str, wanted: UploadIn, held: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for file in wanted.files:
        row = {"id": new_id(), "upload_id": upload_id, "path": file.path, "size": file.size,
               "sha256": file.sha256 if file.size else EMPTY_SHA256, "committed": 0}
        known = held.get(file.sha256 or "")
        if known and known[1] == file.size and _take(known[0], tus.upload_folder(context, upload_id) / f"{row['id']}.part"):
            row["committed"] = file.size
        rows.append(row)
    return rows


def _seal_names(folder: Path, files: list[dict[str, Any]]) -> None:
    """A clinical file's name may name a patient: the database gets a number, the name stays with the bytes."""
    names_by_number = {}
    for position, row in enumerate(files, 1):
        row_number = order.number(position)
        names_by_number[row_number], row["path"] = row["path"], row_number
    order.write(folder, order.Order(names=names_by_number))
    storage.sync_folder(folder)


def _take(source: Any, target: Any) -> bool:
    """A link of its own, so that deleting the dataset meanwhile takes nothing away."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EMLINK, errno.EPERM):
            raise
        return False
    return True


def _register(
    context: Context, session: Session, actor: Actor, upload_id: str, wanted: UploadIn, files: list[dict[str, Any]],
    clinical: bool,
) -> Upload:
    project = target_project(session, actor, wanted.project)
    if not clinical and not project.open:
        raise conflict("project_changed", "This project has just become clinical.", "Try again.")
    missing = sum(file["size"] - file["committed"] for file in files)
    expires = utcnow() + timedelta(seconds=context.settings.upload_expiry)
    reserve(session, project, f"upload:{upload_id}", missing, expires)
    upload = Upload(
        id=upload_id, project_id=project.id, owner=actor.name, dataset_name="", title=wanted.title, data_type=wanted.data_type,
        file_format=wanted.file_format, unpack=wanted.unpack, source=wanted.source, mode=wanted.mode, clinical=clinical,
        expires_at=expires,
    )
    session.add(upload)
    session.flush()
    session.execute(insert(UploadFile), files)
    context.audit.append(session, actor, "upload.create", f"upload:{upload_id}", detail={
        "project": project.name, "files": len(files), "bytes": sum(file["size"] for file in files)})
    _tell(session, upload)
    return upload


def own_upload(session: Session, actor: Actor, upload_id: str) -> Upload:
    """not_found for another's upload, and when the actor has lost the project."""
    upload = session.get(Upload, upload_id)
    if upload is None or upload.owner != actor.name:
        raise not_found()
    require(actor, "upload.write", session.get(Project, upload.project_id))
    return upload


def own_file(session: Session, actor: Actor, upload_id: str, file_id: str) -> tuple[Upload, UploadFile]:
    upload = own_upload(session, actor, upload_id)
    file = session.get(UploadFile, file_id)
    if file is None or file.upload_id != upload.id:
        raise not_found()
    return upload, file


def must_be_open(upload: Upload) -> None:
    if upload.state != "open":
        raise conflict("upload_ended", f"This upload is {upload.state}, not open.", "Start a new one.")


def extend(context: Context, session: Session, upload_id: str, now: datetime) -> None:
    expires = now + timedelta(seconds=context.settings.upload_expiry)
    session.execute(update(Upload).where(Upload.id == upload_id, Upload.state == "open").values(expires_at=expires))
    session.execute(update(Reservation).where(Reservation.holder == f"upload:{upload_id}").values(expires_at=expires))


def set_digest(context: Context, actor: Actor, upload_id: str, file_id: str, sha256: str) -> Upload:
    with writing(context.engine) as session:
        upload, file = own_file(session, actor, upload_id, file_id)
        must_be_open(upload)
        if file.sha256 is not None and file.sha256 != sha256:
            raise conflict("digest_differs", "The file changed while it was sent: its digest is not the one announced.",
                           "Send it again as a new upload.")
        file.sha256 = sha256
    return upload


def complete(context: Context, actor: Actor, upload_id: str) -> Run:
    """Turns a full upload into an import run, once; asked again, it gives the same run."""
    with reading(context.engine) as session:
        upload = own_upload(session, actor, upload_id)
        files = list(session.scalars(select(UploadFile).where(UploadFile.upload_id == upload_id)))
    if upload.run_id is None:
        must_be_open(upload)
        _check_full(context, files)
    with writing(context.engine) as session:
        upload = own_upload(session, actor, upload_id)
        if upload.run_id is not None:
            return session.get_one(Run, upload.run_id)
        must_be_open(upload)
        project = session.get_one(Project, upload.project_id)
        if not upload.clinical and not project.open:
            raise conflict("project_changed", "This project has become clinical since the upload began.",
                           "Upload the files again.")
        run = Run(
            number=next_number(session, project.id),
            project_id=project.id,
            owner=actor.name,
            kind="import",
            title=f"Import {upload.title}"[:200],
            reason="Waits for its turn.",
            upload_id=upload.id,
            output_dataset=upload.title,
        )
        session.add(run)
        session.flush()
        upload.run_id, upload.state = run.id, "importing"
        # The import holds the quota to its end, however long it waits.
        session.execute(update(Reservation).where(Reservation.holder == f"upload:{upload.id}").values(
            expires_at=utcnow() + timedelta(days=365)))
        context.audit.append(session, actor, "run.create", f"run:{run.id}", detail={
            "project": project.name, "number": run.number, "kind": "import", "upload": upload.id})
        _tell(session, upload)
        tell(session, run)
    reached("upload.completed")
    return run


def _check_full(context: Context, files: Sequence[UploadFile]) -> None:
    for file in files:
        if file.size and tus.offset_of(context, file) != file.size:
            raise conflict("bytes_missing", "Not all bytes have arrived yet.", "Send the rest, then complete the upload.")
        if file.sha256 is None:
            raise conflict("digest_missing", "The SHA-256 of a file is missing.", "Send it, then complete the upload.")


def cancel(context: Context, actor: Actor, upload_id: str) -> None:
    with writing(context.engine) as session:
        upload = own_upload(session, actor, upload_id)
        if upload.state in ("cancelled", "expired"):
            return
        must_be_open(upload)
        _end(context, session, upload, "cancelled", "Cancelled.", actor)
    shutil.rmtree(tus.upload_folder(context, upload_id), ignore_errors=True)


def expire_uploads(context: Context) -> int:
    """Called by the worker: drops what nobody continued, and folders that no open upload owns; how many expired."""
    now = utcnow()
    with reading(context.engine) as session:
        late = list(session.scalars(select(Upload.id).where(Upload.state == "open", Upload.expires_at < now)))
    for upload_id in late:
        with writing(context.engine) as session:
            upload = session.get_one(Upload, upload_id)
            if upload.state == "open" and upload.expires_at < now:
                _end(context, session, upload, "expired", "Nothing arrived for a long time.", "system")
    _sweep_folders(context, now)
    return len(late)


def _sweep_folders(context: Context, now: datetime) -> None:
    with reading(context.engine) as session:
        live = set(session.scalars(select(Upload.id).where(Upload.state.in_(("open", "importing")))))
    for folder in context.settings.uploads_dir.iterdir():
        if folder.name not in live and now.timestamp() - folder.stat().st_mtime > 3600:  # younger: may be being created
            shutil.rmtree(folder, ignore_errors=True)


def _end(context: Context, session: Session, upload: Upload, state: str, reason: str, by: Actor | str) -> None:
    upload.state, upload.reason = state, reason
    session.execute(delete(Reservation).where(Reservation.holder == f"upload:{upload.id}"))
    context.audit.append(session, by, f"upload.{'cancel' if state == 'cancelled' else 'expire'}", f"upload:{upload.id}")
    _tell(session, upload)


def _tell(session: Session, upload: Upload) -> None:
    emit(session, "upload", upload.id, project_id=upload.project_id, user=upload.owner, payload={"state": upload.state})


def upload_out(context: Context, session: Session, upload: Upload) -> UploadOut:
    project = session.get_one(Project, upload.project_id)
    rows = session.scalars(select(UploadFile).where(UploadFile.upload_id == upload.id).order_by(UploadFile.path))
    live = upload.state == "open"
    known = order.read(tus.upload_folder(context, upload.id)).names if upload.clinical else {}
    files = []
    for row in rows:
        offset = tus.offset_of(context, row) if live and row.committed < row.size else row.committed
        present = row.size == 0 or (live and row.committed == row.size and _is_linked(context, row))
        files.append(UploadFileOut(id=row.id, path=known.get(row.path, row.path), size=row.size, offset=offset, present=present))
    return UploadOut(
        id=upload.id, project=project.name, title=upload.title, state=upload.state, reason=upload.reason, run_id=upload.run_id,  # type: ignore[arg-type]
        created_at=upload.created_at, expires_at=upload.expires_at, size=sum(f.size for f in files),
        received=sum(f.offset for f in files), files=files,
    )


def _is_linked(context: Context, file: UploadFile) -> bool:
    """Taken from the project rather than sent."""
    try:
        return tus.part_path(context, file).stat().st_nlink > 1
    except FileNotFoundError:
        return False


