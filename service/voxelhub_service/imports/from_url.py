"""An import from a URL, as it is asked for: an upload of one file that is not there yet, and the run that loads it.

The address may hold a token, so it lies only in the upload's folder; the database and the audit log know the host.
"""

from __future__ import annotations

import hashlib
import shutil
from datetime import timedelta

from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context, emit
from ..database import reading, writing
from ..datasets import order, storage, tus
from ..datasets.vocabulary import vocabulary
from ..identity.actor import Actor
from ..models import Project, Run, Upload, UploadFile, new_id, utcnow
from ..policy.authorize import require
from ..projects.quota import reserve
from ..projects.store import project_by_name
from ..runs.endings import tell
from ..runs.store import next_number
from ..wire_datasets import UrlIn
from . import addresses

HOLDS_QUOTA = timedelta(days=365)  # an upper bound; the end of the run gives it back


def create(context: Context, actor: Actor, wanted: UrlIn, key: str | None = None) -> Run:
    """The run, queued. The same Idempotency-Key gives the same run. Raises Problem; looks no name up."""
    upload_id = hashlib.sha256(f"url\0{actor.name}\0{key}".encode()).hexdigest()[:32] if key else new_id()
    with reading(context.engine) as session:
        _project(session, actor, wanted.project)
        if (known := _known(session, upload_id)) is not None:
            return known
    vocabulary().check(wanted.data_type, wanted.file_format)
    address = addresses.parse(wanted.url)
    tus.check_room(context)
    folder = tus.upload_folder(context, upload_id)
    folder.mkdir(mode=0o700, exist_ok=True)
    tus.mark_boot(folder)
    told = order.Order(names={order.number(1): address.name}, url=wanted.url, sha256=wanted.sha256)
    try:
        with writing(context.engine) as session:
            if (known := _known(session, upload_id)) is not None:
                return known
            order.write(folder, told)  # within the transaction: of two requests with one key, one writes
            storage.sync_folder(folder)
            run = _register(context, session, actor, upload_id, wanted, address)
    except BaseException:
        with reading(context.engine) as session:
            if session.get(Upload, upload_id) is None:  # the same key in another request may have made it meanwhile
                shutil.rmtree(folder, ignore_errors=True)
        raise
    reached("upload.completed")
    return run


def _project(session: Session, actor: Actor, name: str) -> Project:
    project = project_by_name(session, name)
    require(actor, "upload.write", project)
    assert project is not None
    return project


def _known(session: Session, upload_id: str) -> Run | None:
    upload = session.get(Upload, upload_id)
    return session.get(Run, upload.run_id) if upload is not None and upload.run_id is not None else None


def _register(
    context: Context, session: Session, actor: Actor, upload_id: str, wanted: UrlIn, address: addresses.Address
) -> Run:
    project = _project(session, actor, wanted.project)
    upload = Upload(
        id=upload_id, project_id=project.id, owner=actor.name, dataset_name="", title=wanted.title, data_type=wanted.data_type,
        file_format=wanted.file_format, unpack=wanted.unpack, state="importing", source="url", mode=wanted.mode,
        clinical=not project.open, origin=address.host, expires_at=utcnow() + timedelta(seconds=context.settings.upload_expiry),
    )
    number = next_number(session, project.id)
    run = Run(
        number=number, project_id=project.id, owner=actor.name, kind="import", title=f"Import {wanted.title}"[:200],
        reason="Waits for its turn.", upload_id=upload_id, output_dataset=wanted.title,
    )
    session.add_all([upload, run])
    session.flush()
    upload.run_id = run.id
    session.add(UploadFile(upload_id=upload_id, path=order.number(1), size=0, sha256=None))
    reserve(session, project, f"upload:{upload_id}", 0, utcnow() + HOLDS_QUOTA)
    context.audit.append(session, actor, "upload.create", f"upload:{upload_id}", detail={
        "project": project.name, "files": 1, "source": "url", "origin": address.host})
    context.audit.append(session, actor, "run.create", f"run:{run.id}", detail={
        "project": project.name, "number": number, "kind": "import", "upload": upload_id})
    emit(session, "upload", upload_id, project_id=project.id, user=actor.name, payload={"state": upload.state})
    tell(session, run)
    return run
