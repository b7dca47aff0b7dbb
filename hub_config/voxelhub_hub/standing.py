"""Whether a person still exists, is enabled, and in which groups: asked of Keycloak with the account `voxelhub-directory`.

It answers for people who have no session, too, which is what tells an ended session from a deleted account.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import httpx
from voxelhub_service.trust import trusted
from voxelhub_spawner.shared import Shared

from .claims import allowed, group_path
from .realm import DIRECTORY_CLIENT

TIMEOUT = httpx.Timeout(8, connect=3)


@dataclass(frozen=True)
class Standing:
    """`groups` holds full paths, without roles."""

    exists: bool
    enabled: bool = False
    groups: frozenset[str] = frozenset()

    @property
    def allowed(self) -> bool:
        return self.exists and self.enabled and allowed(self.groups)

    @property
    def reason(self) -> str:
        """Why not, in a few words for the audit log."""
        if not self.exists:
            return "account deleted"
        return "account disabled" if not self.enabled else "left the allowed groups"


class Standings(Shared):
    """A client of Keycloak's admin REST. Raises httpx.HTTPError when Keycloak does not answer or does not let us ask."""

    def __init__(self, keycloak_url: str, realm: str, secret: str) -> None:
        self._token_url = f"{keycloak_url}/realms/{realm}/protocol/openid-connect/token"
        self._users_url = f"{keycloak_url}/admin/realms/{realm}/users"
        self._secret = secret
        self._token, self._until = "", 0.0

    async def of(self, subject: str, user: str = "") -> Standing:
        """By subject (`sub`); by user name where no subject is known."""
        async with httpx.AsyncClient(trust_env=False, verify=trusted(), timeout=TIMEOUT) as client:
            headers = {"Authorization": f"Bearer {await self._access_token(client)}"}
            if not subject:
                found = await client.get(self._users_url, params={"username": user, "exact": "true"}, headers=headers)
                found.raise_for_status()
                if not found.json():
                    return Standing(exists=False)
                subject = found.json()[0]["id"]
            answer = await client.get(f"{self._users_url}/{subject}", headers=headers)
            if answer.status_code == 404:
                return Standing(exists=False)
            answer.raise_for_status()
            groups = await client.get(f"{self._users_url}/{subject}/groups", params={"max": "10000"}, headers=headers)
            groups.raise_for_status()
            paths = frozenset(group_path(group["path"]) for group in groups.json())
            return Standing(exists=True, enabled=bool(answer.json().get("enabled")), groups=paths)

    async def _access_token(self, client: httpx.AsyncClient) -> str:
        if time.monotonic() >= self._until:
            data = {"grant_type": "client_credentials", "client_id": DIRECTORY_CLIENT, "client_secret": self._secret}
            answer = await client.post(self._token_url, data=data)
            answer.raise_for_status()
            self._token = answer.json()["access_token"]
            self._until = time.monotonic() + max(0, answer.json().get("expires_in", 0) - 15)
        return self._token
