"""Files in quarantine, as an import that was published leaves them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.datasets import quarantine
from voxelhub_service.datasets.staged import HeldFile
from voxelhub_service.models import Project, QuarantineItem, Run, Upload, new_id, utcnow
from voxelhub_service.runs.store import next_number

NAME = "PLANTED^NAME.dcm"


def import_run(context: Context, project: str, user: str, title: str = "Data", state: str = "staging_out") -> str:
    """An import that is about to be published; its run."""
    with writing(context.engine) as session:
        row = session.scalars(select(Project).where(Project.name == project)).one()
        number = next_number(session, row.id)
        upload = Upload(project_id=row.id, owner=user, dataset_name="", title=title, state="importing", clinical=not row.open,
                        expires_at=utcnow())
        session.add(upload)
        session.flush()
        run = Run(number=number, project_id=row.id, owner=user, kind="import", title=title, state=state, upload_id=upload.id,
                  output_dataset=title)
        session.add(run)
        session.flush()
        upload.run_id = run.id
        return run.id


def held_files(context: Context, run_id: str, contents: Sequence[bytes], **more: Any) -> list[HeldFile]:
    """What an import's own process leaves beside its staging folder."""
    folder = quarantine.held_folder(context, run_id)
    folder.mkdir(mode=0o700)
    found = []
    for number, content in enumerate(contents, 1):
        one = new_id()
        (folder / one).write_bytes(content)
        (folder / f"{one}.json").write_text(json.dumps({"name": f"{number}-{NAME}"}))
        values: dict[str, Any] = {
            "what": "DICOM US image", "code": "no_region_rule", "reason": "Nobody knows where its text lies.", "releasable": True,
            "findings": [{"code": "text", "where": "(0028,0301)", "count": 1}]}
        found.append(HeldFile(id=one, number=number, size=len(content), **{**values, **more}))
    return found


def publish_held(context: Context, run_id: str, held: Sequence[HeldFile]) -> None:
    """Placed and registered, as by the publisher, with the end of the run."""
    quarantine.place(context, run_id)
    with writing(context.engine) as session:
        run = session.get_one(Run, run_id)
        quarantine.register(context, session, run, session.get_one(Upload, run.upload_id or ""), held)
        run.state, run.ended_at = "succeeded", utcnow()


def hold(context: Context, project: str, user: str, contents: Sequence[bytes], **more: Any) -> list[str]:
    """Ids of new files in quarantine, in their order."""
    run_id = import_run(context, project, user)
    held = held_files(context, run_id, contents, **more)
    publish_held(context, run_id, held)
    return [one.id for one in held]


def item_row(context: Context, item_id: str) -> QuarantineItem:
    with reading(context.engine) as session:
        return session.get_one(QuarantineItem, item_id)
