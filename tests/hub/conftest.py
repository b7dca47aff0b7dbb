"""People of one test's own at the shared installation, with servers that are gone afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from support.installation import Installation
from support.person import NewPerson, Person, processes
from voxelhub_hub.realm import ACCESS_TOKEN_SECONDS


@pytest.fixture(autouse=True)
def everything_serves(request: pytest.FixtureRequest) -> None:
    """A test that killed a part leaves it to the supervisor; the next one begins when it serves again."""
    if "installation" in request.fixturenames:
        it: Installation = request.getfixturevalue("installation")
        for name in it.status()["children"]:
            it.wait_ready(name)


@pytest.fixture
def short_lived(installation: Installation) -> Iterator[int]:
    """Access tokens that live half as long, in seconds; who signs in afterwards gets them."""
    def live(seconds: int) -> int:
        with installation.admin() as admin:
            admin._realm("PUT", "", json={"accessTokenLifespan": seconds})
        return seconds

    yield live(ACCESS_TOKEN_SECONDS // 2)
    live(ACCESS_TOKEN_SECONDS)


@pytest.fixture
def new_person(installation: Installation) -> Iterator[NewPerson]:
    """`new_person(projects=("demo",))` makes a user with a fresh name and gives their browser, not yet signed in."""
    made: list[Person] = []

    def make(projects: tuple[str, ...] = ("demo",), roles: tuple[str, ...] = ("researcher",)) -> Person:
        name = f"t{uuid.uuid4().hex[:8]}"
        person = Person(installation, name, installation.new_user(name, projects=projects, roles=roles))
        made.append(person)
        return person

    yield make
    for person in made:
        person.http.close()
        with installation.admin() as admin:
            if admin.find(person.name):
                admin.delete_user(person.name)  # which also ends the server, when one is left
        for process in processes(installation, person.name):
            process.terminate()
