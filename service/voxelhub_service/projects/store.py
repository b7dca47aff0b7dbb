"""Projects: made when first seen in an identity provider's group, read by who is in them, bound by a quota."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..api.schemas import ProjectOut
from ..context import Context, emit
from ..identity.actor import Actor, ProjectRole, personal_project
from ..models import Project, Reservation, utcnow
from ..policy.authorize import decide


def project_by_name(session: Session, name: str) -> Project | None:
    return session.scalar(select(Project).where(Project.name == name))


def ensure_project(
    session: Session, name: str, *, title: str, quota_bytes: int, open: bool | None = None, owner: str | None = None,
) -> Project:
    """The project of that name, made clinical unless `open`; an existing one changes only where `open` says so."""
    project = project_by_name(session, name)
    if project is None:
        project = Project(
            name=name, title=title, kind="personal" if owner else "shared", owner=owner, open=bool(open), quota_bytes=quota_bytes,
        )
        session.add(project)
        session.flush()
    elif open is not None:
        project.open = open
    return project


def projects_of(session: Session, actor: Actor, quota_bytes: int) -> list[Project]:
    """What the actor may see, personal project first; makes the rows that their groups name. An administrator sees all."""
    own = personal_project(actor.name)
    for name in actor.project_roles:
        owner = actor.name if name == own else None
        ensure_project(session, name, title="My files" if owner else name, quota_bytes=quota_bytes, owner=owner)
    everything = session.scalars(select(Project).order_by(Project.name))
    seen = [project for project in everything if decide(actor, "project.read", project).allowed]
    return sorted(seen, key=lambda project: (project.name != own, project.name))


def role_in(actor: Actor, project: Project) -> ProjectRole:
    role = actor.project_roles.get(project.name)
    if project.kind == "personal" and project.owner != actor.name:
        role = None
    return role or "administrator"


def reserved_bytes(session: Session, project: Project) -> int:
    live = select(func.coalesce(func.sum(Reservation.size), 0)).where(
        Reservation.project_id == project.id, Reservation.expires_at > utcnow())
    return int(session.scalar(live) or 0)


def project_out(session: Session, actor: Actor, project: Project) -> ProjectOut:
    fields: dict[str, Any] = {
        name: getattr(project, name) for name in ("id", "name", "title", "kind", "open", "quota_bytes", "used_bytes")
    }
    return ProjectOut(**fields, role=role_in(actor, project), reserved_bytes=reserved_bytes(session, project))


def configure(context: Context, session: Session, actor: Actor, project: Project, changes: Mapping[str, Any]) -> None:
    """Set `open`, `title`, `quota_bytes`, with its audit event; the caller has checked the right to do so."""
    real = {name: value for name, value in changes.items() if getattr(project, name) != value}
    if not real:
        return
    for name, value in real.items():
        setattr(project, name, value)
    context.audit.append(session, actor, "project.configure", f"project:{project.name}", detail=dict(real))
    emit(session, "project", project.id, project_id=project.id)
