"""Audit records of what is done at the command line: the actor is whoever may read the state folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voxelhub_service.context import make_context
from voxelhub_service.database import writing
from voxelhub_service.settings import Settings

ACTOR = "command-line"


def record(settings: Settings, action: str, resource: str, detail: Mapping[str, Any] | None = None) -> None:
    context = make_context(settings)
    with writing(context.engine) as session:
        context.audit.append(session, ACTOR, action, resource, detail=detail)
    context.engine.dispose()
