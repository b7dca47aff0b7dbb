"""What every feature needs, made once per process and passed in: settings, engine, audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, delete
from sqlalchemy.orm import Session

from .audit.log import AuditLog
from .database_place import open_database
from .models import Event, utcnow
from .secrets import read_secret
from .settings import Settings


@dataclass(frozen=True)
class Context:
    settings: Settings
    engine: Engine
    audit: AuditLog


def make_context(settings: Settings) -> Context:
    """Opens the database of an installation whose secrets exist; does not migrate it."""
    for folder in (settings.uploads_dir, settings.staging_dir, settings.derived_dir, settings.projects_dir,
                   settings.runs_dir, settings.submitted_dir, settings.audit_dir):
        folder.mkdir(parents=True, exist_ok=True)
    # What may name patients, and keys.
    for folder in (settings.uploads_dir, settings.staging_dir, settings.quarantine_dir, settings.clusters_dir):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
    key = bytes.fromhex(read_secret(settings.secrets_dir, "audit-key"))
    log = AuditLog(key, settings.audit_dir, settings.secrets_dir, settings.on_kubernetes)
    return Context(settings, open_database(settings), log)


def emit(
    session: Session, topic: str, subject: str, *, project_id: str | None, user: str | None = None,
    payload: dict[str, Any] | None = None,
) -> None:
    """Tell the panels that something changed, in the transaction of the change; old hints are dropped after an hour."""
    session.add(Event(topic=topic, subject=subject, project_id=project_id, user=user, payload=payload or {}))
    session.execute(delete(Event).where(Event.at < utcnow() - timedelta(hours=1)))
