"""Nobody gets past without a token, and no byte of a body is read before: a plain ASGI layer, closed by default."""

from __future__ import annotations

import hmac
from typing import Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import NUL, Problem, forbidden, unauthenticated
from ..identity.tokens import Identity, credential_of
from .errors import Denials, problem_response

PREFIX = "/services/voxelhub/api/v1"
WEBSOCKET = "WebSocket"  # in place of a method
Guard = Literal["open", "events-token", "metrics-token"]  # the last one: or an actor
# Every route that is not in this table needs an actor.
GUARDS: dict[tuple[str, str], Guard] = {
    ("GET", f"{PREFIX}/health"): "open",
    ("GET", f"{PREFIX}/openapi.json"): "open",
    ("POST", f"{PREFIX}/internal/audit"): "events-token",
    ("POST", f"{PREFIX}/internal/spend/server"): "events-token",
    ("POST", f"{PREFIX}/internal/projects"): "events-token",
    ("POST", f"{PREFIX}/internal/servers"): "events-token",
    ("GET", f"{PREFIX}/metrics"): "metrics-token",
}


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """The problem's document, to a WebSocket in place of its opening."""
    if scope["type"] == "http" or "websocket.http.response" in scope.get("extensions", {}):
        await problem_response(problem)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008})


class Gate:
    """Puts `actor` and `credential` into the request's state, or answers the refusal itself."""

    def __init__(self, app: ASGIApp, identity: Identity, events_token: str, metrics_token: str, denials: Denials) -> None:
        self._app, self._identity, self._denials = app, identity, denials
        self._events_token, self._metrics_token = events_token.encode(), metrics_token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            await self._admit(scope)
        except Problem as problem:
            await self._denials.append(scope, problem)
            await refuse(problem, scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        guard = GUARDS.get((scope.get("method", WEBSOCKET), scope["path"]))
        state = scope.setdefault("state", {})
        if guard == "open":
            return
        credential = credential_of(scope["headers"])
        if guard == "events-token":
            if not hmac.compare_digest(credential.token.encode(), self._events_token):
                raise unauthenticated()
            return
        if guard == "metrics-token" and hmac.compare_digest(credential.token.encode(), self._metrics_token):
            state["by_secret"] = True
            return
        actor = await self._identity.actor_of(credential)
        state["actor"], state["credential"] = actor, credential
        if not actor.allowed:
            problem = forbidden("You are not in a group that may use VoxelHub.", "Ask an administrator to add you to it.")
            problem.denied = ("service.access", "service:voxelhub")
            raise problem
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:  # no name of ours holds one, and no database takes it
            raise NUL
