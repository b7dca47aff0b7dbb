"""A tool on its way from its developer to everybody, while processes are killed: each request is sent until it is answered."""

from __future__ import annotations

from sqlalchemy import select
from support.brought import tool_zip
from support.fleet import Fleet
from support.service import bearer
from voxelhub_service.database import reading
from voxelhub_service.fsck.registry import checks
from voxelhub_service.models import AuditEvent, ToolVersion


class Registration:
    def __init__(self, fleet: Fleet, name: str) -> None:
        self.fleet, self.name = fleet, name

    def walk(self) -> str:
        """Submitted and approved; the state that it ends in."""
        row = self._ask("/tools/submissions", "alice", content=tool_zip(self.name), headers={
            "Content-Type": "application/zip", "Idempotency-Key": self.name})
        said = {"decision": "approve", "reason": "The kill test lets it in."}
        return str(self._ask(f"/tools/submissions/{row['id']}/decision", "admin", json=said)["state"])

    def _ask(self, path: str, who: str, **options):  # type: ignore[no-untyped-def]
        headers = bearer(who) | options.pop("headers", {})
        answer = self.fleet.request("POST", path, headers=headers, **options)
        assert answer.status_code < 300, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def check(self) -> None:
        """It happened once, everybody has it, and the installation is whole."""
        with reading(self.fleet.context.engine) as session:
            (row,) = session.scalars(select(ToolVersion).where(ToolVersion.name == self.name))
            records = list(session.scalars(select(AuditEvent.action).where(
                AuditEvent.resource == f"tool:{row.id}").order_by(AuditEvent.seq)))
        assert (row.state, row.attempt, records) == ("approved", 1, ["tool.submit", "tool.approve"])
        offered = self.fleet.request("GET", f"/tools/{self.name}", headers=bearer("bob")).json()
        assert (offered["digest"], offered["state"]) == (row.digest, "approved")
        assert [finding.sentence for check in checks() for finding in check.run(self.fleet.context, True)] == []
