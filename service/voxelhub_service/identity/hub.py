"""Hub tokens: the hub says whose token it is and what it may reach; groups are read with the service's own token."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx

from ..errors import Problem, forbidden, unauthenticated
from .actor import Actor
from .remembered import Remembered
from .tokens import Credential

SCOPES = frozenset({"access:services!service=voxelhub", "access:services"})
REMEMBER = 5.0  # seconds


def hub_silent() -> Problem:
    return Problem(503, "hub_unreachable", "The hub does not answer, so nobody can be recognised.", "Try again in a moment.")


class HubClient:
    """The two questions the service asks the hub. A silent hub is a Problem 503, never a yes."""

    def __init__(self, api_url: str, service_token: str) -> None:
        self._api_url, self._service_token = api_url.rstrip("/"), service_token
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(10, connect=3), trust_env=False, follow_redirects=False)

    async def whose(self, token: str) -> dict[str, Any]:
        """Model of the token's user. The hub refreshes that user's session by it, and refuses one who is out."""
        return await self._get("/user", token)

    async def user(self, name: str) -> dict[str, Any]:
        """Model with groups (scope read:users) and auth_state (scope admin:auth_state)."""
        return await self._get(f"/users/{quote(name, safe='')}", self._service_token)

    async def _get(self, path: str, token: str) -> dict[str, Any]:
        try:
            answer = await self._http.get(self._api_url + path, headers={"Authorization": f"token {token}"})
        except httpx.HTTPError:
            raise hub_silent() from None
        if answer.status_code in {401, 403, 404}:
            raise unauthenticated("The hub does not accept this token.")
        if answer.status_code != 200:
            raise hub_silent()
        try:
            model = answer.json()
        except ValueError:
            raise hub_silent() from None
        if not isinstance(model, dict):
            raise hub_silent()
        return model

    async def aclose(self) -> None:
        await self._http.aclose()


class HubIdentity:
    def __init__(self, hub: HubClient, seconds: float = REMEMBER) -> None:
        self._hub = hub
        self._remembered = Remembered(self._ask, seconds)

    async def actor_of(self, credential: Credential, *, fresh: bool = False) -> Actor:
        return await self._remembered.get(credential.token, fresh=fresh)

    async def _ask(self, token: str) -> Actor:
        model = await self._hub.whose(token)
        name = model.get("name")
        if model.get("kind") != "user" or not isinstance(name, str) or not name:
            raise unauthenticated("This token belongs to a service of the hub, not to a person.")
        if not SCOPES & set(model.get("scopes") or []):
            raise _without_scope(name)
        user, server = await self._user(name), _server_of(name, model["scopes"])
        return Actor(name, _groups_of(user), "hub", server, within_of(user, server))

    async def _user(self, name: str) -> dict[str, Any]:
        try:
            return await self._hub.user(name)
        except Problem as problem:
            if problem.status == 401:  # our own token is refused, or the user vanished between the two questions
                raise hub_silent() from None
            raise

    async def aclose(self) -> None:
        await self._hub.aclose()


def _groups_of(user: dict[str, Any]) -> frozenset[str]:
    groups = user.get("groups")
    if not isinstance(groups, list):  # the service's token lacks its scope: nobody is guessed into a group
        raise hub_silent()
    return frozenset(group for group in groups if isinstance(group, str))


def within_of(user: dict[str, Any], server: str | None) -> frozenset[str] | None:
    """On Kubernetes a server of a project may talk to others than us, so its token reaches no more than what it mounts.

    Else what runs in it could carry out by our API what its volumes keep back. Without the option `project`, a server is
    isolated and reaches all of its person. Where what it mounts cannot be read, it reaches nothing.
    """
    found = (user.get("servers") or {}).get(server) if server is not None else None
    if not isinstance(found, dict) or not (found.get("user_options") or {}).get("project"):
        return None
    projects = (found.get("state") or {}).get("projects")
    return frozenset(one for one in projects if isinstance(one, str)) if isinstance(projects, list) else frozenset()


def _server_of(name: str, scopes: list[Any]) -> str | None:
    """The hub gives a server's token the scope of that one server; a person's own token reaches none, or many."""
    begins = f"access:servers!server={name}/"
    found = {scope.removeprefix(begins) for scope in scopes if isinstance(scope, str) and scope.startswith(begins)}
    return found.pop() if len(found) == 1 else None


def _without_scope(name: str) -> Problem:
    problem = forbidden(
        "This token may not reach VoxelHub's service.", "Make one with the scope access:services!service=voxelhub.")
    problem.code, problem.denied, problem.actor = "insufficient_scope", ("service.access", "service:voxelhub"), name
    return problem
