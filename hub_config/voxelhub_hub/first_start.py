"""What a new installation holds: three people, three open projects. No password is the same twice, none is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voxelhub_service.context import make_context
from voxelhub_service.database import writing
from voxelhub_service.projects.store import ensure_project
from voxelhub_service.settings import Settings

from .directory import KeycloakAdmin


@dataclass(frozen=True)
class NewPerson:
    first: str
    last: str
    roles: tuple[str, ...]
    groups: tuple[str, ...]
    note: str


PROJECTS = {"demo": "Demonstration", "lung": "Lung CT", "brain": "Brain MRI"}
PEOPLE = {
    "ada": NewPerson("Ada", "Researcher", ("researcher", "tool-developer"),
                     ("/voxelhub-users", "/projects/demo", "/projects/lung", "/projects/lung/owners"),
                     "researcher in demo and lung"),
    "ben": NewPerson("Ben", "Researcher", ("researcher",),
                     ("/voxelhub-users", "/projects/demo", "/projects/brain", "/projects/brain/owners"),
                     "researcher in demo and brain"),
    "admin-grace": NewPerson("Grace", "Administrator", ("administrator",), ("/voxelhub-admins",), "administrator"),
}


def due(settings: Settings) -> bool:
    return not stamp(settings).exists()


def done(settings: Settings) -> None:
    """Written after the passwords were shown: a start that was killed before shows new ones."""
    stamp(settings).touch(mode=0o600)


def stamp(settings: Settings) -> Path:
    return settings.state_dir / "keycloak" / "first-start-done"


def people(settings: Settings) -> dict[str, str]:
    """Make what is missing; returns a new password for each of PEOPLE."""
    context = make_context(settings)
    with writing(context.engine) as session:
        for name, title in PROJECTS.items():
            ensure_project(session, name, title=title, quota_bytes=settings.project_quota, open=True)
    with KeycloakAdmin(settings) as admin:
        for name in PROJECTS:
            admin.ensure_project(name)
        for name, person in PEOPLE.items():
            if not admin.find(name):
                admin.create_user(name, first=person.first, last=person.last, email=f"{name}@voxelhub.invalid",
                                  roles=person.roles)
            for group in person.groups:
                admin.add_to_group(name, group)
        return {name: admin.reset_password(name) for name in PEOPLE}
