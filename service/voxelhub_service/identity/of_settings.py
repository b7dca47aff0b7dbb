"""The identity of an installation: its hub and its Keycloak."""

from __future__ import annotations

from ..secrets import read_secret
from ..settings import Settings
from .hub import HubClient, HubIdentity
from .keycloak import KeycloakIdentity, RealmKeys
from .tokens import Identities


def make_hub_client(settings: Settings) -> HubClient:
    return HubClient(settings.hub_api_url, read_secret(settings.secrets_dir, "service-hub-token"))


def make_identity(settings: Settings, hub: HubClient) -> Identities:
    keycloak = KeycloakIdentity(settings.issuer, RealmKeys(f"{settings.realm_url}/protocol/openid-connect/certs"))
    return Identities(HubIdentity(hub), keycloak)
