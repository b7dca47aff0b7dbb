"""Who the service takes a caller for, asked of the real hub and the real Keycloak."""

from __future__ import annotations

import time

import httpx
import jwt
import pytest
from support.installation import SERVICE_SCOPE, Installation, until
from support.person import NewPerson, Person
from voxelhub_service.secrets import read_secret


def me(installation: Installation, token: str, scheme: str = "token") -> httpx.Response:
    return httpx.get(f"{installation.api}/me", headers={"Authorization": f"{scheme} {token}"}, timeout=30, trust_env=False)


def hub_token(person: Person, scopes: list[str], seconds: int = 3600) -> httpx.Response:
    return person.hub_api("POST", f"users/{person.name}/tokens", json={"note": "test", "expires_in": seconds, "scopes": scopes})


def signed_in(new_person: NewPerson) -> Person:
    person = new_person()
    person.sign_in()
    return person


def access_token(installation: Installation, token: str) -> httpx.Response:
    return httpx.post(
        f"{installation.api}/tokens/access", headers={"Authorization": f"token {token}"}, timeout=30, trust_env=False
    )


def test_a_hub_token_with_the_scope_is_its_user_with_groups_and_roles(installation, new_person):
    person = signed_in(new_person)
    token = hub_token(person, [SERVICE_SCOPE]).json()["token"]
    for scheme in ("token", "Bearer"):
        answer = me(installation, token, scheme)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["name"], answer.json()["roles"], answer.json()["admin"]) == (person.name, ["researcher"], False)
        assert [project["name"] for project in answer.json()["projects"]] == [f"home-{person.name}", "demo"]


def test_hub_tokens_without_the_scope_or_of_a_service_are_refused(installation, new_person):
    person = signed_in(new_person)
    narrow = hub_token(person, [f"read:users!user={person.name}"]).json()["token"]
    answer = me(installation, narrow)
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    for name in ("service-hub-token", "culler-hub-token", "events-token", "proxy-token"):
        assert me(installation, read_secret(installation.settings.secrets_dir, name)).status_code == 401
    assert me(installation, "0" * 64).status_code == 401


def test_the_cookie_of_a_browser_is_not_an_identity(installation, new_person):
    person = signed_in(new_person)
    assert person.hub_api("GET", f"users/{person.name}").status_code == 200
    assert person.http.get(f"{installation.api}/me", follow_redirects=False).status_code == 401


def test_a_revoked_and_an_expired_hub_token_pass_no_longer_than_they_are_remembered(installation, new_person):
    person = signed_in(new_person)
    made = hub_token(person, [SERVICE_SCOPE]).json()
    short = hub_token(person, [SERVICE_SCOPE], seconds=2).json()["token"]
    assert me(installation, made["token"]).status_code == me(installation, short).status_code == 200
    assert person.hub_api("DELETE", f"users/{person.name}/tokens/{made['id']}").status_code == 204
    until(lambda: me(installation, made["token"]).status_code == 401, 60, "the end of the revoked token")
    until(lambda: me(installation, short).status_code == 401, 60, "the end of the expired token")


def test_a_kernels_access_token_opens_the_service_too_and_nothing_else_leaves(installation, new_person):
    person = signed_in(new_person)
    token, asked = hub_token(person, [SERVICE_SCOPE]).json()["token"], time.time()
    answer = access_token(installation, token)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"access_token", "token_type", "expires_at"}
    claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    assert (claims["typ"], claims["preferred_username"]) == ("Bearer", person.name)
    assert claims["exp"] - asked > installation.settings.token_min_life - installation.settings.auth_refresh_age - 1
    direct = me(installation, answer.json()["access_token"], "Bearer")
    assert direct.status_code == 200, direct.text
    assert direct.json() == me(installation, token).json(), "both ways in lead to the same person"
    assert access_token(installation, answer.json()["access_token"]).status_code == 403
    shown = installation.command("audit", "show", "--actor", person.name, "--action", "token.issue").stdout
    assert shown.count("token.issue") == 1


def test_keycloak_tokens_for_others_are_refused(installation, new_person, short_lived):
    """Id token and refresh token of the same session, a token for another audience, and an expired one."""
    person = signed_in(new_person)
    with httpx.Client(
        base_url=installation.settings.hub_api_url,
        trust_env=False,
        headers={"Authorization": f"token {read_secret(installation.settings.secrets_dir, 'service-hub-token')}"},
    ) as hub:
        state = hub.get(f"/users/{person.name}").json()["auth_state"]
    assert me(installation, state["access_token"], "Bearer").status_code == 200
    for name in ("refresh_token", "id_token"):
        assert me(installation, state[name], "Bearer").status_code == 401, name
    settings = installation.settings
    service_account = httpx.post(
        f"{settings.issuer}/protocol/openid-connect/token",
        trust_env=False,
        data={
            "grant_type": "client_credentials",
            "client_id": "voxelhub-directory",
            "client_secret": read_secret(settings.secrets_dir, "directory-client-secret"),
        },
    ).json()["access_token"]
    assert me(installation, service_account, "Bearer").status_code == 401, "its audience is not voxelhub-api"
    head, body, signature = state["access_token"].split(".")
    assert me(installation, f"{head}.{body}.{signature[:-8]}AAAAAAAA", "Bearer").status_code == 401
    time.sleep(max(0.0, jwt.decode(state["access_token"], options={"verify_signature": False})["exp"] - time.time()) + 0.5)
    assert me(installation, state["access_token"], "Bearer").status_code == 401, "expired"


def test_who_is_disabled_is_out_at_the_service_too(installation, new_person):
    person = signed_in(new_person)
    token = hub_token(person, [SERVICE_SCOPE]).json()["token"]
    assert me(installation, token).status_code == 200
    with installation.admin() as admin:
        admin.set_enabled(person.name, False)
    until(lambda: me(installation, token).status_code in {401, 403}, 60, "the end of a disabled user's access")


def test_with_the_hub_killed_nobody_is_let_in_and_then_everybody_again(installation, new_person):
    person = signed_in(new_person)
    token = hub_token(person, [SERVICE_SCOPE]).json()["token"]
    assert me(installation, token).status_code == 200
    installation.kill("hub")
    time.sleep(0.1)
    assert until(lambda: me(installation, "1" * 64).status_code == 503, 60, "the answer without a hub")
    until(lambda: me(installation, token).status_code == 200, 180, "the hub's return")


@pytest.fixture(autouse=True)
def _the_installation_stays_healthy(installation):
    yield
    assert httpx.get(f"{installation.api}/health", trust_env=False).status_code == 200
