"""What a route asks for: the context, and who is calling. The caller was authenticated by the Gate, before any body was read."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from ..context import Context
from ..errors import unauthenticated
from ..identity.actor import Actor
from ..identity.tokens import Credential

# `max_body_size=` of a route that streams its body and bounds it by itself; all others are bound by api/app.py.
STREAMED_BODY = 2**62


async def context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


async def caller(request: Request) -> Actor:
    actor: Actor | None = getattr(request.state, "actor", None)
    if actor is None:  # only a defect of the Gate's table leads here
        raise unauthenticated()
    return actor


async def credential(request: Request) -> Credential:
    await caller(request)
    found: Credential = request.state.credential
    return found


async def caller_or_token(request: Request) -> Actor | None:
    """None where the Gate has let a secret of its own in."""
    actor: Actor | None = getattr(request.state, "actor", None)
    return None if getattr(request.state, "by_secret", False) else actor or await caller(request)


ContextDep = Annotated[Context, Depends(context_of)]
CallerDep = Annotated[Actor, Depends(caller)]
CredentialDep = Annotated[Credential, Depends(credential)]
CallerOrTokenDep = Annotated[Actor | None, Depends(caller_or_token)]
