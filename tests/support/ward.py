"""A service with two clinical projects, stewards, and a quarantine to fill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select
from support.held import hold
from support.service import ACTORS, bearer, make_service
from support.uploads import open_project
from voxelhub_service.database import reading, writing
from voxelhub_service.datasets import quarantine
from voxelhub_service.identity.actor import ADMINS_GROUP, USERS_GROUP, Actor
from voxelhub_service.imports import fsck
from voxelhub_service.models import (
    AuditEvent,
    DatasetVersion,
    Run,
    utcnow,
)

STELLA = Actor("stella", frozenset({USERS_GROUP, "/projects/demo/stewards"}))
STEVE = Actor("steve", frozenset({USERS_GROUP, "/projects/demo/stewards"}))
ROOT = Actor("root", frozenset({USERS_GROUP, ADMINS_GROUP}))
WHY = {"reason": "Looked at it: a phantom, no patient."}


class Here:
    def __init__(self, folder: Path, open: bool = False) -> None:
        actors = {**ACTORS, **{f"token-of-{one.name}": one for one in (STELLA, STEVE, ROOT)}}
        self.client, self.context = make_service(folder, actors, min_free=0)
        open_project(self.context, "demo", open=open)
        open_project(self.context, "alpha", open=False)

    def get(self, path: str, user: str = "stella", status: int = 200, **query: Any) -> Any:
        answer = self.client.get(f"/quarantine{path}", params=query, headers=bearer(user))
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path: str, user: str = "stella", status: int = 200, body: Any = None) -> Any:
        answer = self.client.post(f"/quarantine{path}", json=body, headers=bearer(user))
        assert answer.status_code == status, answer.text
        return answer.json()

    def hold(self, *contents: bytes, user: str = "bob", project: str = "demo", **more: Any) -> list[str]:
        return hold(self.context, project, user, contents, **more)

    def audited(self, action: str) -> list[AuditEvent]:
        with reading(self.context.engine) as session:
            return list(session.scalars(select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.seq)))

    def on_disk(self) -> set[str]:
        folder = self.context.settings.quarantine_dir
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    def findings(self) -> list[Any]:
        return [finding for check in fsck.CHECKS for finding in check.run(self.context, True)]

    def end(self, run_id: str, state: str, reason: str = "", version: bool = False) -> None:
        """The end of a release's run, as the worker makes it."""
        with writing(self.context.engine) as session:
            run = session.get_one(Run, run_id)
            made = DatasetVersion(id=run_id, number=1) if version else None
            run.state, run.reason, run.ended_at = state, reason, utcnow()
            run.output_version_id = made.id if made else None
            quarantine.settle(self.context, session, run, state == "succeeded")
        quarantine.forget(self.context, run_id)
