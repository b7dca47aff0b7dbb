"""From claims to hub groups, to projects: tables."""

from __future__ import annotations

from typing import Any

import pytest
from voxelhub_hub.claims import allowed, groups_of, home_of, projects_of


@pytest.mark.parametrize(("claims", "groups"), [
    ({}, set()),
    ({"groups": ["/voxelhub-users", "/projects/demo"]}, {"/voxelhub-users", "/projects/demo"}),
    ({"groups": ["voxelhub-users", "projects/demo/owners"]}, {"/voxelhub-users", "/projects/demo/owners"}),
    ({"roles": ["researcher", "default-roles-voxelhub", "offline_access", "uma_authorization"]}, {"role:researcher"}),
    ({"groups": ["role:administrator"]}, {"/role:administrator"}),
    ({"groups": ["", "/", None, 7]}, set()),
    ({"groups": "/voxelhub-admins"}, set()),
    ({"groups": None, "roles": {"a": 1}}, set()),
])
def test_groups(claims: dict[str, Any], groups: set[str]) -> None:
    assert groups_of(claims) == groups


@pytest.mark.parametrize(("groups", "answer"), [
    ([], False), (["/projects/demo"], False), (["role:administrator"], False), (["/voxelhub-users/x"], False),
    (["voxelhub-users"], False), (["/voxelhub-users"], True), (["/voxelhub-admins"], True),
])
def test_allowed(groups: list[str], answer: bool) -> None:
    assert allowed(groups) is answer


@pytest.mark.parametrize(("groups", "projects"), [
    ([], ["home-ada"]),
    (["/projects/demo", "/projects/lung/owners"], ["demo", "home-ada", "lung"]),
    (["/projects/../etc", "/projects/a/b", "/projects/", "/projects/A", "role:/projects/demo"], ["home-ada"]),
])
def test_projects(groups: list[str], projects: list[str]) -> None:
    assert projects_of("ada", groups) == projects


def test_homes_are_legal_and_never_shared() -> None:
    names = ["ada", "a.b", "a-b", "a_b", "A-B", "..", "a@b.c", "ä", "x" * 300]
    homes = [home_of(name) for name in names]
    assert len(set(homes)) == len(names)
    assert all("/" not in home and home not in {"", ".", ".."} and len(home) < 60 for home in homes)
    assert home_of("ada") == "ada"
