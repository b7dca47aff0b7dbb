"""From what Keycloak says about a person to hub groups, and from hub groups to projects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from voxelhub_service.identity.actor import ADMINS_GROUP, USERS_GROUP, Actor, personal_project

ALLOWED_GROUPS = frozenset({USERS_GROUP, ADMINS_GROUP})
_KEYCLOAKS_OWN = ("default-roles-", "offline_access", "uma_authorization")


def group_path(name: str) -> str:
    """A group's full path with its leading slash, which a mapper may leave out."""
    return "/" + name.strip("/")


def groups_of(claims: Mapping[str, Any]) -> set[str]:
    """Hub groups from a userinfo document: group paths, and `role:<name>` for each realm role.

    A path starts with a slash, so that no group can pass for a role.
    """
    paths = {group_path(g) for g in _texts(claims.get("groups")) if g.strip("/")}
    roles = {f"role:{r}" for r in _texts(claims.get("roles")) if not r.startswith(_KEYCLOAKS_OWN)}
    return paths | roles


def allowed(groups: Iterable[str]) -> bool:
    return bool(ALLOWED_GROUPS & set(groups))


def projects_of(user: str, groups: Iterable[str]) -> list[str]:
    """Names of the projects whose data this user may read: those the groups grant, and the user's own."""
    return sorted(Actor(user, frozenset(groups)).project_roles)


def home_of(user: str) -> str:
    """Name of the user's home folder: legal for every user name, never the same for two."""
    return personal_project(user).removeprefix("home-")


def _texts(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []
