"""Whether the notebook servers live that clusters belong to, and what their owners may still read: asked of the hub."""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import quote

import httpx

from ..identity.actor import Actor


class Owner:
    """One person as the hub knows them now. `servers`: name -> when it was started, as the hub writes it.

    None for `groups`: the hub knows nobody of this name, as for who came by Keycloak's token alone.
    """

    def __init__(self, name: str, groups: list[str] | None, servers: dict[str, str] | None) -> None:
        self._projects = None if groups is None else frozenset(Actor(name, frozenset(groups)).project_roles)
        self.servers = servers

    def reads(self, projects: list[str]) -> bool | None:
        """Whether all of these are still theirs."""
        return None if self._projects is None else self._projects.issuperset(projects)

    def lives(self, server: str, started: str | None) -> bool | None:
        """The same server that it was (`started`, where that is known); a later one of this name is another."""
        if self.servers is None:
            return None
        return server in self.servers and started in (None, self.servers[server])


class Servers(Protocol):
    def owner(self, name: str) -> Owner | None:
        """None: nobody could say."""


class HubServers:
    """With the service's own token (scopes read:users, read:servers). A silent hub says nothing."""

    def __init__(self, api_url: str, token: str) -> None:
        self._url = api_url.rstrip("/")
        self._http = httpx.Client(
            timeout=httpx.Timeout(5, connect=2), trust_env=False, headers={"Authorization": f"token {token}"})

    def owner(self, name: str) -> Owner | None:
        try:
            answer = self._http.get(f"{self._url}/users/{quote(name, safe='')}")
            model: Any = answer.json() if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None
        if answer.status_code == 404:
            return Owner(name, None, {})
        if not isinstance(model, dict) or not isinstance(model.get("groups"), list):
            return None
        servers = model.get("servers")
        return Owner(name, [one for one in model["groups"] if isinstance(one, str)], _running(servers))


def _running(servers: Any) -> dict[str, str] | None:
    """None where the token's scope shows none; one that is on its way up or down counts as living."""
    if not isinstance(servers, dict):
        return None
    return {name: str(one.get("started") or "") for name, one in servers.items()
            if isinstance(one, dict) and (one.get("ready") or one.get("pending"))}
