"""`voxelhub project …`: projects, their groups in the directory, and whether they are open."""

from __future__ import annotations

import argparse

from sqlalchemy import select
from voxelhub_service.context import make_context
from voxelhub_service.database import reading, writing
from voxelhub_service.identity.actor import Actor
from voxelhub_service.models import Project
from voxelhub_service.projects.store import configure, ensure_project, project_by_name
from voxelhub_service.settings import Settings, load_settings

from .directory import KeycloakAdmin
from .record import ACTOR
from .refusal import Refusal

UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="voxelhub project", description="Projects: who shares data with whom, by which rules.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add = commands.add_parser("add", help="make a project and its groups; it is clinical unless --open. VoxelHub must be running")
    add.set_defaults(run=_add)
    change = commands.add_parser("set", help="change a project")
    change.set_defaults(run=_set)
    for command in (add, change):
        command.add_argument("name")
        command.add_argument("--title", help="what people read")
        command.add_argument("--quota", type=size, metavar="SIZE", help="bytes, or with K, M, G or T: 500G")
        kind = command.add_mutually_exclusive_group()
        kind.add_argument("--open", action="store_true", default=None, dest="open", help="research data that names no patient")
        kind.add_argument("--clinical", action="store_false", dest="open", help="nothing leaves by download")
    commands.add_parser("list", help="every project").set_defaults(run=_list)

    wanted = parser.parse_args(arguments)
    return int(wanted.run(load_settings(), wanted))


def size(text: str) -> int:
    """Bytes of `500G`; argparse turns the ValueError into a sentence."""
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "")
    return int(number) * UNITS[unit] if unit in UNITS else int(text)


def _add(settings: Settings, wanted: argparse.Namespace) -> int:
    """On Kubernetes each pod does its half: the hub's knows the bundled Keycloak, the service's the database."""
    if not settings.on_kubernetes or not _has(settings, "audit-key"):
        with KeycloakAdmin(settings) as admin:
            admin.ensure_project(wanted.name)
    if settings.on_kubernetes and not _has(settings, "audit-key"):
        print(f"The groups of {wanted.name} are there. The project itself is made, clinical, when its first member signs in; "
              f"the same command in the pod of the service makes it now, with its title, quota and kind.")
        return 0
    context = make_context(settings)
    with writing(context.engine) as session:
        project = ensure_project(session, wanted.name, title=wanted.title or wanted.name,
                                 quota_bytes=wanted.quota or settings.project_quota, open=bool(wanted.open))
        context.audit.append(session, ACTOR, "project.add", f"project:{wanted.name}", detail={"open": project.open})
    if settings.on_kubernetes:
        print(f"{wanted.name} is there, {_kind(project)}. Its members are those of /projects/{wanted.name} in Keycloak.")
        return 0
    print(f"{wanted.name} is there, {_kind(project)}. `voxelhub user join NAME {wanted.name}` gives it members.")
    return 0


def _has(settings: Settings, secret: str) -> bool:
    return (settings.secrets_dir / secret).exists()


def _set(settings: Settings, wanted: argparse.Namespace) -> int:
    changes = {"open": wanted.open, "title": wanted.title, "quota_bytes": wanted.quota}
    changes = {name: value for name, value in changes.items() if value is not None}
    if not changes:
        raise Refusal("Say what to change: --open, --clinical, --title or --quota.")
    context = make_context(settings)
    with writing(context.engine) as session:
        project = project_by_name(session, wanted.name)
        if project is None:
            raise Refusal(f"There is no project {wanted.name}. `voxelhub project list` shows them.")
        configure(context, session, Actor(ACTOR, kind="system"), project, changes)
    print(f"{wanted.name} is {_kind(project)}, quota {project.quota_bytes / UNITS['G']:.1f} GiB.")
    return 0


def _list(settings: Settings, wanted: argparse.Namespace) -> int:
    with reading(make_context(settings).engine) as session:
        for project in session.scalars(select(Project).order_by(Project.kind.desc(), Project.name)):
            print(f"{project.name:<32} {_kind(project):<9} {project.kind:<9} "
                  f"{project.used_bytes / UNITS['G']:.2f} of {project.quota_bytes / UNITS['G']:.1f} GiB   {project.title}")
    return 0


def _kind(project: Project) -> str:
    return "open" if project.open else "clinical"
