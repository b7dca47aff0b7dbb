"""Who may reach what, for every route of the application's own table: a new route is covered the day it appears."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.identity import FORGERIES, Realm, claims, make_hub, sign
from support.live import serving
from support.populated import Populated, operations, populate
from voxelhub_service.api.gate import GUARDS, PREFIX
from voxelhub_service.identity.hub import HubClient, HubIdentity
from voxelhub_service.identity.keycloak import KeycloakIdentity
from voxelhub_service.identity.tokens import Identities

# No object of a project: a tool is everybody's, a record's number is refused before it is looked up.
NO_OBJECT = {"/tools/{name}", "/audit/proof/{seq}"}


@pytest.fixture(scope="module")
def populated(tmp_path_factory) -> Iterator[Populated]:
    yield populate(tmp_path_factory.mktemp("populated"))


def test_a_strangers_answer_is_the_one_for_an_unknown_id(populated):
    """And the owner's is another, which proves that the ids are real."""
    walked = [(method, path) for method, path in operations(populated.app) if "{" in path and path not in NO_OBJECT]
    assert len(walked) > 15
    differing = []
    for method, path in walked:
        real, unknown = (populated.call(method, path, "mallory", known=known) for known in (True, False))
        same = (real.status_code, real.content, dict(real.headers)) == (
            unknown.status_code,
            unknown.content,
            dict(unknown.headers),
        )
        if not same or real.status_code not in {404, 204 if method == "OPTIONS" else 404}:
            differing.append((method, path, real.status_code, unknown.status_code, real.text))
    assert differing == []
    for method, path in walked:
        answer = populated.call(method, path, "alice")
        assert answer.status_code not in {401, 404, 405, 422, 500}, (method, path, answer.status_code, answer.text)


def test_a_project_or_entry_named_in_a_body_or_query_is_as_unknown_to_a_stranger(populated):
    for method, path in operations(populated.app):
        if "{" in path or populated_body(populated, method, path) is None:
            continue
        real, unknown = (populated.call(method, path, "mallory", known=known) for known in (True, False))
        assert (real.status_code, real.content) == (unknown.status_code, unknown.content), (method, path)
        assert real.status_code == 404, (method, path)
    for query in ({"project": "demo"}, {"entries": populated.ids["entry_id"]}):
        unknown_query = {name: "0" * 32 if name == "entries" else "no-such-project" for name in query}
        for method, path in operations(populated.app):
            if method != "GET" or "{" in path or path in {"/events", "/health"}:
                continue
            real, unknown = (
                populated.client.get(path, params=q, headers={"Authorization": "token token-of-mallory"})
                for q in (query, unknown_query)
            )
            assert (real.status_code, real.content) == (unknown.status_code, unknown.content), path


def populated_body(populated: Populated, method: str, path: str) -> object:
    if (method, PREFIX + path) in GUARDS:
        return None
    return populated.body(method, path)


@pytest.fixture
def guarded(tmp_path) -> Iterator[tuple[Populated, Realm]]:
    """The same installation behind the real identity code, with a hub and a realm on loopback."""
    hub, realm = make_hub(), Realm()
    with serving(hub.app()) as hub_port, serving(realm.app()) as realm.port:
        identity = Identities(
            HubIdentity(HubClient(f"http://127.0.0.1:{hub_port}/hub/api", "service-secret")), KeycloakIdentity(realm.issuer)
        )
        made = populate(tmp_path, identity=identity)
        with made.client:  # one event loop for all requests, as in the service
            yield made, realm


def test_every_route_refuses_every_wrong_token(guarded):
    populated, realm = guarded
    wrong: dict[str, tuple[str | None, int]] = {
        "no token": (None, 401),
        "unknown hub token": ("token unknown", 401),
        "a service's token": ("token service", 401),
        "wrong scope": ("token narrow", 403),
        "in no group": (f"Bearer {sign(claims(realm, groups=['/projects/demo']))}", 403),
        **{name: (f"Bearer {forge(realm)}", 401) for name, forge in FORGERIES.items()},
    }
    let_in = []
    for method, path in operations(populated.app):
        if GUARDS.get((method, PREFIX + path)) == "open":
            continue
        url = path.format(**populated.path_parameters(method, path))
        for name, (header, status) in wrong.items():
            answer = populated.client.request(method, url, headers={"Authorization": header} if header else {})
            expected = 401 if GUARDS.get((method, PREFIX + path)) == "events-token" else status
            if answer.status_code != expected:
                let_in.append((method, path, name, answer.status_code))
    assert let_in == []


def test_the_right_tokens_do_get_in(guarded):
    populated, realm = guarded
    for header in ("token good", "Bearer good", f"Bearer {sign(claims(realm))}"):
        answer = populated.client.get("/me", headers={"Authorization": header})
        assert (answer.status_code, answer.json()["name"]) == (200, "alice")


def test_only_what_is_meant_to_be_open_is_open(populated):
    open_routes = {
        (method, path)
        for method, path in operations(populated.app)
        if populated.client.request(method, path.format(**populated.path_parameters(method, path))).status_code != 401
    }
    assert open_routes == {("GET", "/health")}
