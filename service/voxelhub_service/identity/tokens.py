"""From the Authorization header to an Actor. Cookies and query parameters are never looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import unauthenticated
from .actor import Actor

MAX_TOKEN = 16 * 1024  # characters; a Keycloak access token has about 2 KiB


@dataclass(frozen=True)
class Credential:
    """What the caller showed. Its representation never holds the token."""

    token: str = field(repr=False)


class Identity(Protocol):
    """Who a token stands for; raises Problem 401 or 403, or 503 when nobody can be asked (never a guess)."""

    async def actor_of(self, credential: Credential, *, fresh: bool = False) -> Actor:
        """`fresh` asks again although the answer is remembered."""
        ...

    async def aclose(self) -> None: ...


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> Credential:
    """The one bearer of `Authorization: token …` or `Authorization: Bearer …`; Problem 401 for anything else."""
    found = [value for name, value in headers if name.lower() == b"authorization"]
    if not found:
        raise unauthenticated("This request carries no token.")
    scheme, _, token = found[0].decode("latin-1").partition(" ")
    token = token.strip()
    if len(found) > 1 or scheme.lower() not in {"token", "bearer"} or not token or len(token) > MAX_TOKEN or not token.isascii():
        raise unauthenticated("The Authorization header is not one this service knows.")
    return Credential(token)


def is_jwt(token: str) -> bool:
    """Three dot-separated parts: hub tokens have none, so that the two kinds are never mistaken for each other."""
    return token.count(".") == 2


class Identities:
    """Hub tokens are asked of the hub; what looks like a JWT is checked as a Keycloak access token."""

    def __init__(self, hub: Identity, keycloak: Identity) -> None:
        self._hub, self._keycloak = hub, keycloak

    async def actor_of(self, credential: Credential, *, fresh: bool = False) -> Actor:
        chosen = self._keycloak if is_jwt(credential.token) else self._hub
        return await chosen.actor_of(credential, fresh=fresh)

    async def aclose(self) -> None:
        await self._hub.aclose()
        await self._keycloak.aclose()
