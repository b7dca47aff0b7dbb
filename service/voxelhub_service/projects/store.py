"""Projects: made when first seen in an identity provider's group, read by who is in them, bound by a quota."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..context import Context, emit
from ..database import reading, writing
from ..identity.actor import Actor, ProjectRole, personal_project
from ..models import Project
from ..policy.authorize import decide
from ..wire import ProjectOut
from .quota import release, reserve, reserved_bytes, room

__all__ = [
    "configure", "ensure_project", "project_by_name", "project_out", "projects_of", "release", "reserve", "reserved_bytes",
    "room", "visible_projects",
]


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


def projects_of(context: Context, actor: Actor) -> list[Project]:
    """The actor's own projects, the personal one first; makes the rows that their groups name and nobody has made yet."""
    own, roles = personal_project(actor.name), actor.project_roles
    wanted = select(Project).where(Project.name.in_(roles))
    with reading(context.engine) as session:
        found = session.scalars(wanted).all()
    if len(found) < len(roles):
        with writing(context.engine) as session:
            for name in roles:
                owner = actor.name if name == own else None
                ensure_project(
                    session, name, title="My files" if owner else name, quota_bytes=context.settings.project_quota, owner=owner)
            found = session.scalars(wanted).all()
    mine = [project for project in found if decide(actor, "dataset.read", project).allowed]
    return sorted(mine, key=lambda project: (project.name != own, project.name))


def visible_projects(context: Context, actor: Actor) -> list[Project]:
    """The actor's own projects; for an administrator every project, which includes those they may only configure."""
    mine = projects_of(context, actor)
    if not actor.admin:
        return mine
    with reading(context.engine) as session:
        others = session.scalars(select(Project).where(Project.id.not_in([p.id for p in mine])).order_by(Project.name)).all()
    return [*mine, *others]


def role_in(actor: Actor, project: Project) -> ProjectRole:
    role = actor.project_roles.get(project.name)
    if project.kind == "personal" and project.owner != actor.name:
        role = None
    return role or "administrator"


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
