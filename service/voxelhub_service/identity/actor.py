"""Who is asking, as far as policy cares. Built from hub groups; holds no credential."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal

USERS_GROUP, ADMINS_GROUP = "/voxelhub-users", "/voxelhub-admins"
ProjectRole = Literal["member", "owner", "steward", "administrator"]
PERSONAL = "home-"
_RANK = {"member": 0, "steward": 1, "owner": 2}


@dataclass(frozen=True)
class Actor:
    """A person (or the system itself) with the groups the identity provider says.

    `groups` holds full paths (`/projects/demo/owners`) and realm roles as `role:<name>`.
    """

    name: str
    groups: frozenset[str] = field(default=frozenset(), repr=False)
    kind: Literal["hub", "keycloak", "system"] = "hub"
    server: str | None = None  # name of the notebook server that asks in their name; "" is the default one
    within: frozenset[str] | None = None  # the only projects that this server may reach; None: all of its person

    @property
    def allowed(self) -> bool:
        return bool({USERS_GROUP, ADMINS_GROUP} & self.groups) or self.kind == "system"

    @property
    def admin(self) -> bool:
        return ADMINS_GROUP in self.groups

    @property
    def roles(self) -> list[str]:
        return sorted(g.removeprefix("role:") for g in self.groups if g.startswith("role:"))

    @property
    def project_roles(self) -> dict[str, ProjectRole]:
        """Project name -> strongest role, from `/projects/P`, `/projects/P/stewards`, `/projects/P/owners`."""
        found: dict[str, ProjectRole] = {personal_project(self.name): "owner"}
        for group in sorted(self.groups):
            match = re.fullmatch(r"/projects/([a-z0-9][a-z0-9-]{0,62})(?:/(owners|stewards))?", group)
            if not match or match[1].startswith(PERSONAL):  # no group opens somebody's personal project
                continue
            role: ProjectRole = {"owners": "owner", "stewards": "steward"}.get(match[2] or "", "member")  # type: ignore[assignment]
            if _RANK[role] >= _RANK[found.get(match[1], "member")]:
                found[match[1]] = role
        return {name: role for name, role in found.items() if self.within is None or name in self.within}


SYSTEM = Actor("system", kind="system")


def personal_project(user: str) -> str:
    """Name of a user's own project: legal for every user name, and never the same for two."""
    slug = re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-")[:40]
    if slug != user:  # two hyphens: no user's name is such a slug by itself
        slug = f"{slug}--{hashlib.sha256(user.encode()).hexdigest()[:8]}"
    return PERSONAL + slug
