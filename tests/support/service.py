"""The service's application in this process, on a real database, with a table of tokens in place of identity.

Only identity stands in: the Gate, policy, errors, database and audit log are the real ones. How a token becomes an
actor has its own tests (tests/service/test_identity*.py, tests/hub/test_service_identity.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient
from support import databases
from voxelhub_service.api.app import create_app
from voxelhub_service.api.gate import PREFIX
from voxelhub_service.context import Context, make_context
from voxelhub_service.errors import unauthenticated
from voxelhub_service.identity.actor import ADMINS_GROUP, USERS_GROUP, Actor
from voxelhub_service.identity.tokens import Credential
from voxelhub_service.models import Base
from voxelhub_service.secrets import ensure_secrets
from voxelhub_service.settings import Settings

ALICE = Actor("alice", frozenset({USERS_GROUP, "/projects/demo", "/projects/alpha", "/projects/alpha/owners",
                                  "role:researcher", "role:tool-developer"}))
BOB = Actor("bob", frozenset({USERS_GROUP, "/projects/demo", "role:researcher"}))
MALLORY = Actor("mallory", frozenset({USERS_GROUP, "role:researcher"}))  # in no project: the stranger
ADMIN = Actor("admin", frozenset({USERS_GROUP, ADMINS_GROUP, "/projects/demo", "role:administrator"}))
OFFICER = Actor("olga", frozenset({USERS_GROUP, "role:data-protection-officer"}))
OUTSIDER = Actor("outsider", frozenset())  # signed in, in no allowed group
ACTORS = {f"token-of-{actor.name}": actor for actor in (ALICE, BOB, MALLORY, ADMIN, OFFICER, OUTSIDER)}


class TableIdentity:
    """Stands in for hub and Keycloak: a token is a key of the table."""

    def __init__(self, actors: Mapping[str, Actor]) -> None:
        self.actors = dict(actors)

    async def actor_of(self, credential: Credential, *, fresh: bool = False) -> Actor:
        try:
            return self.actors[credential.token]
        except KeyError:
            raise unauthenticated() from None

    async def aclose(self) -> None:
        pass


def make_test_context(folder: Path, **changes: Any) -> Context:
    """Secrets, folders and an empty database under `folder`; `changes` are settings."""
    settings = replace(Settings(), state_dir=folder / "state", **changes)
    settings = replace(settings, database_url=databases.prepare(folder, settings))
    ensure_secrets(settings.secrets_dir)
    (settings.state_dir / "service").mkdir(parents=True, exist_ok=True)
    context = make_context(settings)
    if not databases.on_server():  # there it is a copy of one that has them
        Base.metadata.create_all(context.engine)
    return context


def make_service(folder: Path, actors: Mapping[str, Actor] | None = None, **changes: Any) -> tuple[TestClient, Context]:
    """A client whose paths start below the API's root: `client.get("/me", headers=bearer("alice"))`."""
    context = make_test_context(folder, **changes)
    app = create_app(context, TableIdentity(ACTORS if actors is None else actors))
    return TestClient(app, base_url=f"http://testserver{PREFIX}"), context


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"token token-of-{name}"}
