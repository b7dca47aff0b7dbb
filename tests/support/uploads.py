"""Send files through the API in this process, import them and publish them as the worker does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from starlette.testclient import TestClient
from support.service import bearer
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.imports.importing import stage
from voxelhub_service.models import DatasetVersion, Project, QuarantineItem
from voxelhub_service.projects.store import ensure_project
from voxelhub_service.runs.publishing import publish_run, tidy

TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def open_project(context: Context, name: str = "demo", quota: int = 10**9, open: bool = True) -> str:
    with writing(context.engine) as session:
        return ensure_project(session, name, title=name, quota_bytes=quota, open=open).id


def announce(client: TestClient, files: Mapping[str, bytes], *, user: str = "alice", **more: Any) -> Any:
    body = {"project": "demo", "title": "Data", "files": [{"path": p, "size": len(b)} for p, b in files.items()], **more}
    return client.post("/uploads", json=body, headers=bearer(user))


def patch(client: TestClient, upload: str, file: str, offset: int, data: bytes, user: str = "alice") -> Any:
    return client.patch(
        f"/uploads/{upload}/files/{file}", content=data, headers={**bearer(user), **TUS, "Upload-Offset": str(offset)}
    )


def send(client: TestClient, files: Mapping[str, bytes], *, user: str = "alice", **more: Any) -> dict[str, Any]:
    """Announced, sent, digested and completed; the import run."""
    answer = announce(client, files, user=user, **more)
    assert answer.status_code == 201, answer.text
    upload = answer.json()
    for file in upload["files"]:
        data = files[file["path"]]
        if not file["present"]:
            assert patch(client, upload["id"], file["id"], 0, data, user).status_code == 204
        path = f"/uploads/{upload['id']}/files/{file['id']}/digest"
        assert client.post(path, json={"sha256": sha256(data)}, headers=bearer(user)).status_code == 204
    done = client.post(f"/uploads/{upload['id']}/complete", headers=bearer(user))
    assert done.status_code == 200, done.text
    run: dict[str, Any] = done.json()
    return run


class Lease:
    """Stands in for the worker's: there is nobody else."""

    def held(self, session: Any) -> bool:
        return True


def import_run(context: Context, run_id: str) -> DatasetVersion | None:
    """What the worker does with an import run: coordinator, publisher, end of the run. None: all was held."""
    stage(context, run_id, lambda fraction, text: None)
    publish_run(context, Lease(), run_id)  # type: ignore[arg-type]
    tidy(context, run_id)
    with reading(context.engine) as session:
        return session.scalar(select(DatasetVersion).where(DatasetVersion.run_id == run_id))


def publish_import(context: Context, run_id: str) -> DatasetVersion:
    version = import_run(context, run_id)
    assert version is not None, [one.reason for one in held_in(context, run_id)]
    return version


def held_in(context: Context, run_id: str) -> list[QuarantineItem]:
    """What the run held, in the order of its files."""
    with reading(context.engine) as session:
        return list(session.scalars(
            select(QuarantineItem).where(QuarantineItem.run_id == run_id).order_by(QuarantineItem.number)))


def bring_in(client: TestClient, context: Context, files: Mapping[str, bytes], **more: Any) -> DatasetVersion:
    return publish_import(context, send(client, files, **more)["id"])


def project_row(context: Context, name: str = "demo") -> Project:
    with reading(context.engine) as session:
        return session.scalars(select(Project).where(Project.name == name)).one()
