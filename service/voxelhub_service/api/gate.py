"""Nobody gets past without a token, and no byte of a body is read before: a plain ASGI layer, closed by default."""

from __future__ import annotations

import hmac
from typing import Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import Problem, forbidden, unauthenticated
from ..identity.tokens import Identity, credential_of
from .errors import Denials, problem_response

PREFIX = "/services/voxelhub/api/v1"
Guard = Literal["open", "events-token"]
# Every route that is not in this table needs an actor.
GUARDS: dict[tuple[str, str], Guard] = {
    ("GET", f"{PREFIX}/health"): "open",
    ("GET", f"{PREFIX}/openapi.json"): "open",
    ("POST", f"{PREFIX}/internal/audit"): "events-token",
}


class Gate:
    """Puts `actor` and `credential` into the request's state, or answers the refusal itself."""

    def __init__(self, app: ASGIApp, identity: Identity, events_token: str, denials: Denials) -> None:
        self._app, self._identity, self._events_token, self._denials = app, identity, events_token.encode(), denials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            await self._admit(scope)
        except Problem as problem:
            await self._denials.append(scope, problem)
            await problem_response(problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        guard = GUARDS.get((scope["method"], scope["path"]))
        state = scope.setdefault("state", {})
        if guard == "open":
            return
        credential = credential_of(scope["headers"])
        if guard == "events-token":
            if not hmac.compare_digest(credential.token.encode(), self._events_token):
                raise unauthenticated()
            return
        actor = await self._identity.actor_of(credential)
        state["actor"], state["credential"] = actor, credential
        if not actor.allowed:
            problem = forbidden("You are not in a group that may use VoxelHub.", "Ask an administrator to add you to it.")
            problem.denied = ("service.access", "service:voxelhub")
            raise problem
