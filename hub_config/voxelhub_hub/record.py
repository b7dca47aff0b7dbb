"""Audit records of what is done at the command line: the actor is whoever may read the state folder, or enter the hub's pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voxelhub_service.context import make_context
from voxelhub_service.database import writing
from voxelhub_service.secrets import read_secret
from voxelhub_service.settings import Settings

from .audit_client import AuditClient

ACTOR = "command-line"


def record(settings: Settings, action: str, resource: str, detail: Mapping[str, Any] | None = None) -> None:
    """On Kubernetes by way of the hub's spool: the log and its keys are in another pod. What is not sent now, the hub sends."""
    if settings.on_kubernetes:
        client = AuditClient(f"{settings.service_url}/api/v1/internal/audit", read_secret(settings.secrets_dir, "events-token"),
                             settings.audit_dir / "spool")
        client.record(ACTOR, action, resource, detail=detail)
        client.close(20)
        return
    context = make_context(settings)
    with writing(context.engine) as session:
        context.audit.append(session, ACTOR, action, resource, detail=detail)
    context.engine.dispose()
