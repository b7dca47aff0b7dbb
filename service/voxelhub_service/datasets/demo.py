"""The demonstration data: our synthetic chest CT with its nodule's mask, published once into the open project `demo`."""

from __future__ import annotations

import hashlib

from sqlalchemy.orm import Session

from ..context import Context
from ..database import reading, writing
from ..models import DatasetVersion, Run, utcnow
from ..projects.store import ensure_project, project_by_name
from ..runs.endings import end_run
from ..runs.store import next_number
from .phantom import Phantom, write_phantom
from .publish import publish, undo

PROJECT, TITLE = "demo", "Phantom chest CT"
RUN_ID = hashlib.sha256(b"voxelhub demonstration data 1").hexdigest()[:32]

__all__ = ["PROJECT", "TITLE", "Phantom", "ensure_demo", "write_phantom"]


def ensure_demo(context: Context) -> None:
    """Idempotent, also after a kill at any point; does nothing once the data was published, even if it was deleted since.

    The run that stands for it is made in the registering transaction: no worker takes it for one that is on its way.
    """
    with reading(context.engine) as session:
        if session.get(Run, RUN_ID) is not None:
            return
    with writing(context.engine) as session:
        found = project_by_name(session, PROJECT)  # one that somebody has made clinical stays so
        project_id = (found or ensure_project(
            session, PROJECT, title="Demo", quota_bytes=context.settings.project_quota, open=True)).id
    undo(context, RUN_ID)
    source = context.settings.staging_dir / RUN_ID
    source.mkdir()
    write_phantom(source)
    publish(context, RUN_ID, source, project_id=project_id, title=TITLE, created_by="system", execution="",
            begin=lambda session: _begin(session, project_id),
            finish=lambda session, version: _finish(context, session, version))


def _begin(session: Session, project_id: str) -> None:
    now = utcnow()
    session.add(Run(
        id=RUN_ID, number=next_number(session, project_id), project_id=project_id, owner="system", kind="import",
        title=f"Import {TITLE}", state="staging_out", reason="", output_dataset=TITLE, created_at=now, started_at=now,
    ))
    session.flush()


def _finish(context: Context, session: Session, version: DatasetVersion) -> None:
    end_run(context, session, session.get_one(Run, RUN_ID), "succeeded", "", version=version)
