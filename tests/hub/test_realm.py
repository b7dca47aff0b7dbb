"""The realm is a pure function that refuses to leave a value to Keycloak."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from voxelhub_hub import realm
from voxelhub_service.secrets import NAMES
from voxelhub_service.settings import Settings

SECRETS = {name: f"value-of-{name}" for name in NAMES}


def client(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in document["clients"] if entry["clientId"] == name)


@pytest.mark.parametrize("name", ["oidc-client-secret", "api-client-secret", "directory-client-secret"])
@pytest.mark.parametrize("value", ["", None])
def test_a_missing_secret_is_refused_by_name(name: str, value: str | None) -> None:
    secrets = {key: text for key, text in SECRETS.items() if key != name} | ({} if value is None else {name: value})
    with pytest.raises(realm.RealmError, match=name):
        realm.realm(Settings(), secrets)


def test_a_placeholder_that_nobody_filled_in_is_refused() -> None:
    with pytest.raises(realm.RealmError, match=r"\$\{OIDC_SECRET\}"):
        realm.realm(Settings(), {**SECRETS, "oidc-client-secret": "${OIDC_SECRET}"})


def test_tokens_are_short_and_each_refresh_token_works_once() -> None:
    document = realm.realm(Settings(), SECRETS)
    assert (document["accessTokenLifespan"], document["revokeRefreshToken"], document["refreshTokenMaxReuse"]) == (60, True, 0)
    assert document["bruteForceProtected"] and not document["registrationAllowed"]


def test_the_hub_client_needs_pkce_and_returns_to_our_address_only() -> None:
    hub = client(realm.realm(replace(Settings(), public_url="https://hub.example.org/"), SECRETS), "voxelhub-hub")
    assert hub["attributes"]["pkce.code.challenge.method"] == "S256"
    assert hub["redirectUris"] == ["https://hub.example.org/hub/oauth_callback"]
    assert hub["attributes"]["post.logout.redirect.uris"] == "https://hub.example.org/hub/login"


@pytest.mark.parametrize("name", ["voxelhub-hub", "voxelhub-api", "voxelhub-directory"])
def test_no_client_is_public_or_takes_passwords(name: str) -> None:
    entry = client(realm.realm(Settings(), SECRETS), name)
    assert not entry["publicClient"] and not entry["directAccessGrantsEnabled"] and not entry["implicitFlowEnabled"]


def test_the_directory_account_may_only_look_at_users() -> None:
    (account,) = realm.realm(Settings(), SECRETS)["users"]
    assert account["clientRoles"] == {"realm-management": ["view-users"]} and "credentials" not in account


def test_it_is_json_and_holds_no_other_secret() -> None:
    text = json.dumps(realm.realm(Settings(), SECRETS))
    assert not [name for name in NAMES if f"value-of-{name}" in text and not name.endswith("client-secret")]
