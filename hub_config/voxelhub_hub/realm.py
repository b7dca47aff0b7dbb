"""The realm as a pure function of settings and secrets.

Keycloak keeps an unset `${VAR}` of an import file as the literal password `${VAR}`, and it works. So nothing is left to
Keycloak to fill in: a missing or unexpanded value is refused here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from voxelhub_service.identity.actor import ADMINS_GROUP, USERS_GROUP
from voxelhub_service.settings import Settings

ROLES = ("researcher", "tool-developer", "clinician", "administrator", "data-protection-officer")
PROJECT_SUBGROUPS = ("owners", "stewards")
HUB_CLIENT, API_CLIENT, DIRECTORY_CLIENT = "voxelhub-hub", "voxelhub-api", "voxelhub-directory"
ACCESS_TOKEN_SECONDS = 60
ADMIN = "voxelhub-bootstrap"  # of the Keycloak that we start ourselves, in its realm `master`
SECRETS = ("oidc-client-secret", "api-client-secret", "directory-client-secret")


class RealmError(ValueError):
    """A value of the realm is missing or not filled in; the text names it."""


def realm(settings: Settings, secrets: Mapping[str, str], *, elsewhere: bool = False) -> dict[str, Any]:
    """Keycloak's RealmRepresentation. `secrets` maps names of voxelhub_service.secrets to values.

    A Keycloak `elsewhere` is not ours, and knows the hub's public address alone.
    """
    document = {
        **realm_settings(settings),
        "roles": {"realm": [{"name": name} for name in ROLES]},
        "groups": [{"name": name, "path": f"/{name}"} for name in top_groups()],  # a partial import finds them by their path
        "clients": clients(settings, secrets, settings.base_url if elsewhere else settings.hub_url),
        "users": [{
            "username": f"service-account-{DIRECTORY_CLIENT}", "enabled": True, "serviceAccountClientId": DIRECTORY_CLIENT,
            "clientRoles": {"realm-management": ["view-users"]},
        }],
    }
    if left := re.search(r"\$\{[^}]*\}", json.dumps(document)):
        raise RealmError(f"The realm still holds {left[0]}, which nobody filled in. Keycloak would take it literally.")
    return document


def realm_settings(settings: Settings) -> dict[str, Any]:
    return {
        "realm": settings.keycloak_realm, "displayName": "VoxelHub", "enabled": True, "sslRequired": "external",
        "registrationAllowed": False, "resetPasswordAllowed": False, "editUsernameAllowed": False,
        "accessTokenLifespan": ACCESS_TOKEN_SECONDS,
        "revokeRefreshToken": True, "refreshTokenMaxReuse": 0,  # each refresh token works once
        "bruteForceProtected": True, "passwordPolicy": "length(12) and notUsername(undefined)",
    }


def top_groups() -> list[str]:
    return [USERS_GROUP.strip("/"), ADMINS_GROUP.strip("/"), "projects"]


def clients(settings: Settings, secrets: Mapping[str, str], hub: str) -> list[dict[str, Any]]:
    """The hub's client, the audience of the API, and the account that looks up whether a user still exists.

    `hub` is the hub's address for Keycloak itself.
    """
    return [
        {
            **_confidential(HUB_CLIENT, _secret(secrets, "oidc-client-secret")),
            "standardFlowEnabled": True,
            "redirectUris": [f"{settings.base_url}/hub/oauth_callback"],
            "webOrigins": [],
            "frontchannelLogout": False,
            "attributes": {
                "pkce.code.challenge.method": "S256",
                "post.logout.redirect.uris": f"{settings.base_url}/hub/login",
                "backchannel.logout.url": f"{hub}/hub/backchannel-logout",
                "backchannel.logout.session.required": "true",
            },
            "protocolMappers": _mappers(),
        },
        _confidential(API_CLIENT, _secret(secrets, "api-client-secret")),
        {**_confidential(DIRECTORY_CLIENT, _secret(secrets, "directory-client-secret")), "serviceAccountsEnabled": True},
    ]


def _confidential(name: str, secret: str) -> dict[str, Any]:
    """A client that can do nothing yet: each ability is added by name."""
    return {
        "clientId": name, "secret": secret, "enabled": True, "protocol": "openid-connect", "publicClient": False,
        "clientAuthenticatorType": "client-secret", "standardFlowEnabled": False, "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False, "serviceAccountsEnabled": False,
    }


def _mappers() -> list[dict[str, Any]]:
    """Groups by full path and realm roles, into access token and userinfo; never into the id token, which is a cookie."""
    where = {"access.token.claim": "true", "userinfo.token.claim": "true", "id.token.claim": "false"}
    kinds = {
        "groups": ("oidc-group-membership-mapper", {"claim.name": "groups", "full.path": "true", **where}),
        "roles": ("oidc-usermodel-realm-role-mapper",
                  {"claim.name": "roles", "multivalued": "true", "jsonType.label": "String", **where}),
        "audience": ("oidc-audience-mapper", {"included.client.audience": API_CLIENT, "access.token.claim": "true"}),
    }
    return [
        {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": config}
        for name, (kind, config) in kinds.items()
    ]


def _secret(secrets: Mapping[str, str], name: str) -> str:
    value = secrets.get(name, "")
    if not value:
        raise RealmError(f"The secret {name} is missing. `voxelhub up` makes it; it is never empty.")
    return value
