"""People of one test's own at the shared installation, with servers that are gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.installation import Installation
from support.person import NewPerson, people
from voxelhub_hub.realm import ACCESS_TOKEN_SECONDS


@pytest.fixture(autouse=True)
def everything_serves(request: pytest.FixtureRequest) -> None:
    """A test that killed a part leaves it to the supervisor; the next one begins when it serves again."""
    if "installation" in request.fixturenames:
        it: Installation = request.getfixturevalue("installation")
        it.wait_all_ready()


@pytest.fixture
def short_lived(installation: Installation) -> Iterator[int]:
    """Access tokens that live a third as long, in seconds; who signs in afterwards gets them."""
    def live(seconds: int) -> int:
        with installation.admin() as admin:
            admin._realm("PUT", "", json={"accessTokenLifespan": seconds})
        return seconds

    yield live(ACCESS_TOKEN_SECONDS // 3)
    live(ACCESS_TOKEN_SECONDS)


@pytest.fixture
def new_person(installation: Installation) -> Iterator[NewPerson]:
    with people(installation) as make:
        yield make
