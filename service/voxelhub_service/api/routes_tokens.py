"""POST /tokens/access: a short-lived Keycloak access token for the caller's kernel; no other token ever leaves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jwt
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from ..context import Context
from ..database import writing
from ..errors import conflict, forbidden
from ..identity.actor import Actor
from ..identity.hub import HubClient, hub_silent
from ..policy.authorize import require
from ..wire import AccessToken
from .deps import CallerDep, ContextDep, CredentialDep

router = APIRouter(tags=["tokens"])


@router.post("/tokens/access")
async def issue_access_token(
    request: Request, response: Response, context: ContextDep, actor: CallerDep, credential: CredentialDep,
) -> AccessToken:
    """The access token of the caller's session, refreshed if it was about to end. For hub tokens only; each issue is audited."""
    require(actor, "token.issue")
    hub: HubClient | None = request.app.state.hub
    if actor.kind != "hub":
        raise forbidden("Access tokens are handed to hub tokens only.", "You already hold a Keycloak token: use that one.")
    if actor.within is not None:  # Keycloak's token would reach all projects of this person
        raise forbidden("A server of a project gets no access token: it would reach your other projects too.",
                        "Start a server without a project for it.")
    if hub is None:
        raise hub_silent()
    # Asking with the caller's own token makes the hub refresh that user's session first; nobody else refreshes tokens.
    model = await hub.whose(credential.token)
    if model.get("name") != actor.name:
        raise forbidden("This token now stands for somebody else.")
    token = _access_token(await hub.user(actor.name))
    await run_in_threadpool(_record, context, actor, token)
    response.headers["Cache-Control"] = "no-store"
    return token


def _access_token(user: dict[str, Any]) -> AccessToken:
    text = (user.get("auth_state") or {}).get("access_token")
    if not isinstance(text, str):
        raise _signed_out()
    try:  # only to read its end; whoever gets the token checks it
        expires = datetime.fromtimestamp(jwt.decode(text, options={"verify_signature": False, "verify_exp": False})["exp"], UTC)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError):
        raise _signed_out() from None
    if expires <= datetime.now(UTC):
        raise _signed_out()
    return AccessToken(access_token=text, expires_at=expires)


def _signed_out() -> Exception:
    return conflict("no_session", "There is no living Keycloak session from which a token could come.", "Sign in again.")


def _record(context: Context, actor: Actor, token: AccessToken) -> None:
    with writing(context.engine) as session:
        context.audit.append(
            session, actor, "token.issue", f"user:{actor.name}", detail={"expires_at": token.expires_at.isoformat()})
