"""POST /tokens/access: the access token and nothing else, for hub tokens of people only, each issue written down."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from starlette.testclient import TestClient
from support.service import ALICE, TableIdentity, make_test_context
from support.world import add_project, add_version
from voxelhub_service.api.app import create_app
from voxelhub_service.api.gate import PREFIX
from voxelhub_service.database import reading
from voxelhub_service.errors import unauthenticated
from voxelhub_service.identity.actor import Actor
from voxelhub_service.models import AuditEvent


def keycloak_token(seconds: int = 50) -> str:
    return jwt.encode({"exp": int(time.time()) + seconds}, "k" * 32, algorithm="HS256")


class Hub:
    """The two questions, as identity/hub.py asks them; keeps in which order."""

    def __init__(self, auth_state: Any) -> None:
        self.auth_state, self.asked = auth_state, []
        self.name = "alice"

    async def whose(self, token: str) -> dict[str, Any]:
        self.asked.append(("whose", token))
        if token != "hub-token":
            raise unauthenticated()
        return {"name": self.name, "kind": "user"}

    async def user(self, name: str) -> dict[str, Any]:
        self.asked.append(("user", name))
        return {"name": name, "auth_state": self.auth_state}


def _client(tmp_path, hub: Hub | None) -> tuple[TestClient, Any]:
    context = make_test_context(tmp_path)
    actors = {"hub-token": ALICE, "a.b.c": Actor("alice", ALICE.groups, "keycloak"),
              "of-server": Actor("alice", ALICE.groups, server="", within=frozenset({"demo"}))}
    return TestClient(create_app(context, TableIdentity(actors), hub), base_url=f"http://testserver{PREFIX}"), context  # type: ignore[arg-type]


def _post(client: TestClient, token: str = "hub-token"):
    return client.post("/tokens/access", headers={"Authorization": f"token {token}"})


def test_only_the_access_token_leaves(tmp_path):
    access = keycloak_token()
    hub = Hub(
        {"access_token": access, "refresh_token": "REFRESH", "id_token": "ID", "token_response": {"refresh_token": "REFRESH"}}
    )
    client, context = _client(tmp_path, hub)
    answer = _post(client)
    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "token_type", "expires_at"}
    assert answer.json()["access_token"] == access
    assert answer.headers["cache-control"] == "no-store"
    assert "REFRESH" not in answer.text
    assert hub.asked == [("whose", "hub-token"), ("user", "alice")], "the hub refreshes the session before it is read"
    with reading(context.engine) as session:
        [record] = session.query(AuditEvent)
        assert (record.actor, record.action, record.resource, record.outcome) == ("alice", "token.issue", "user:alice", "success")
        assert access not in json.dumps(record.detail)


def test_each_issue_is_written_down(tmp_path):
    client, context = _client(tmp_path, Hub({"access_token": keycloak_token()}))
    for _ in range(3):
        assert _post(client).status_code == 200
    with reading(context.engine) as session:
        assert session.query(AuditEvent).count() == 3


def test_a_keycloak_token_buys_no_other(tmp_path):
    hub = Hub({"access_token": keycloak_token()})
    client, _ = _client(tmp_path, hub)
    assert _post(client, "a.b.c").status_code == 403
    assert hub.asked == []


@pytest.mark.parametrize(
    "auth_state",
    [
        None,
        {},
        {"access_token": None},
        {"access_token": "junk"},
        {"access_token": keycloak_token(-1)},
        {"refresh_token": "REFRESH"},
        {"access_token": jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256")},
    ],
)
def test_without_a_living_session_there_is_none(tmp_path, auth_state):
    client, context = _client(tmp_path, Hub(auth_state))
    answer = _post(client)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_session")
    assert "REFRESH" not in answer.text
    with reading(context.engine) as session:
        assert session.query(AuditEvent).count() == 0


def test_a_token_that_now_stands_for_another_gets_nothing(tmp_path):
    hub = Hub({"access_token": keycloak_token()})
    hub.name = "bob"
    client, _ = _client(tmp_path, hub)
    assert _post(client).status_code == 403


def test_without_a_hub_it_says_so(tmp_path):
    client, _ = _client(tmp_path, None)
    assert (_post(client).status_code, _post(client).headers["retry-after"]) == (503, "5")


def test_a_server_of_a_project_gets_none(tmp_path):
    hub = Hub({"access_token": keycloak_token()})
    answer = _post(_client(tmp_path, hub)[0], "of-server")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden") and hub.asked == []
    assert "your other projects too" in answer.json()["detail"]


def test_a_server_of_a_project_sees_no_other(tmp_path):
    """Of its person's own projects; they answer like what does not exist."""
    client, context = _client(tmp_path, None)
    entries = {name: add_version(context, add_project(context, name), "data", {
        "t.csv": ("table", "table", "csv", {"t.csv": b"a\n"})})["t.csv"] for name in ("demo", "alpha")}
    for token, seen in (("hub-token", {"demo", "alpha", "home-alice"}), ("of-server", {"demo"})):
        headers = {"Authorization": f"token {token}"}
        assert {one["name"] for one in client.get("/me", headers=headers).json()["projects"]} == seen
        for name, entry in entries.items():
            known = client.get(f"/entries/{entry}/content", headers=headers).status_code
            body = {"project": name, "title": "x", "files": [{"path": "a", "size": 1}]}
            made = client.post("/uploads", json=body, headers=headers).status_code
            assert (known, made) == ((200, 201) if name in seen else (404, 404)), (token, name)
