"""From an identity provider's claims to the groups of an Actor: one spelling, whoever reads the claims."""

from __future__ import annotations

from typing import Any

_KEYCLOAKS_OWN = ("default-roles-", "offline_access", "uma_authorization")

def groups_of(groups: Any, roles: Any) -> frozenset[str]:
    """Group paths with one leading slash, and realm roles as `role:<name>`. What is not a list of texts counts as none."""
    paths = {f"/{group.strip('/')}" for group in _texts(groups) if group.strip("/")}
    return frozenset(paths | {f"role:{role}" for role in _texts(roles) if not role.startswith(_KEYCLOAKS_OWN)})


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str) and item] if isinstance(value, list) else []
