"""Health, and what the caller is: name, roles, projects."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select

from .. import __version__
from ..context import Context
from ..database import reading, writing
from ..identity.actor import Actor
from ..models import Lease, Project, utcnow
from ..policy.authorize import require
from ..projects.store import configure, project_by_name, project_out, projects_of, visible_projects
from ..wire import Health, Me, ProjectName, ProjectOut, ProjectPatch
from .deps import CallerDep, ContextDep

router = APIRouter()


@router.get("/health", tags=["service"])
def health(context: ContextDep) -> Health:
    """Whether the service answers and a worker is at work; open to everybody."""
    with reading(context.engine) as session:
        worker = session.scalar(select(Lease).where(Lease.name == "worker", Lease.expires_at > utcnow()))
    return Health(status="ok", version=__version__, worker=worker is not None)


@router.get("/me", tags=["projects"])
def me(context: ContextDep, actor: CallerDep) -> Me:
    """The caller with roles and own projects, the personal one first."""
    require(actor, "self.read")
    return Me(name=actor.name, roles=actor.roles, admin=actor.admin, projects=_out(context, actor, projects_of(context, actor)))


@router.get("/projects", tags=["projects"])
def list_projects(context: ContextDep, actor: CallerDep) -> list[ProjectOut]:
    """The caller's projects; administrators see all, with the role `administrator` where they may only configure."""
    require(actor, "self.read")
    return _out(context, actor, visible_projects(context, actor))


def _out(context: Context, actor: Actor, projects: list[Project]) -> list[ProjectOut]:
    with reading(context.engine) as session:
        return [project_out(session, actor, project) for project in projects]


@router.get("/projects/{project}", tags=["projects"])
def read_project(project: ProjectName, context: ContextDep, actor: CallerDep) -> ProjectOut:
    with reading(context.engine) as session:
        found = project_by_name(session, project)
        require(actor, "project.read", found)
        assert found is not None
        return project_out(session, actor, found)


@router.patch("/projects/{project}", tags=["projects"])
def change_project(project: ProjectName, patch: ProjectPatch, context: ContextDep, actor: CallerDep) -> ProjectOut:
    """Administrators set title, quota, and whether the project is open or clinical."""
    with writing(context.engine) as session:
        found = project_by_name(session, project)
        require(actor, "project.configure", found)
        assert found is not None
        configure(context, session, actor, found, patch.model_dump(exclude_unset=True, exclude_none=True))
        return project_out(session, actor, found)
