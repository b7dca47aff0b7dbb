"""Keycloak access tokens, checked here by the realm's published keys (RFC 7517, RFC 7519): no question per request."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import jwt

from ..errors import Problem, unauthenticated
from ..trust import trusted
from .actor import Actor
from .claims import groups_of
from .tokens import Credential

AUDIENCE = "voxelhub-api"
REQUIRED = ["exp", "iat", "iss", "aud", "sub", "preferred_username"]
LEEWAY = 5  # seconds a clock may be behind; an expired token gets none, so that a leaver is out within its 60 s
KEYS_LIVE, KEYS_REST = 300.0, 10.0  # seconds until keys are read again; least seconds between two readings


class RealmKeys:
    """The realm's RSA signing keys by their key id; an unknown id reads them again, but not for every forgery."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(10, connect=3), trust_env=False, verify=trusted(), follow_redirects=False)
        self._keys: dict[str, Any] = {}
        self._read_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def get(self, key_id: str) -> Any:
        """The public key, or Problem 401 for an unknown id, 503 when Keycloak never told any key."""
        if key_id not in self._keys or time.monotonic() - self._read_at > KEYS_LIVE:
            async with self._lock:
                await self._read(key_id)
        if key_id in self._keys:
            return self._keys[key_id]
        if not self._keys:
            sentence = "Keycloak does not answer, so its token cannot be checked."
            raise Problem(503, "keycloak_unreachable", sentence, "Try again in a moment.")
        raise unauthenticated("This token is not signed by this installation's Keycloak.")

    async def _read(self, key_id: str) -> None:
        now = time.monotonic()
        current = key_id in self._keys and now - self._read_at <= KEYS_LIVE
        if current or now - self._tried_at < KEYS_REST:
            return
        self._tried_at = now
        try:
            answer = await self._http.get(self._url)
            answer.raise_for_status()
            keys = {entry["kid"]: jwt.PyJWK(entry, "RS256").key for entry in answer.json()["keys"] if _signs(entry)}
        except (httpx.HTTPError, jwt.PyJWTError, KeyError, TypeError, ValueError):
            return  # what is known stays known while Keycloak is away
        self._keys, self._read_at = keys, now

    async def aclose(self) -> None:
        await self._http.aclose()


def _signs(entry: dict[str, Any]) -> bool:
    return entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig" and entry.get("alg", "RS256") == "RS256"


class KeycloakIdentity:
    def __init__(self, issuer: str, keys: RealmKeys | None = None) -> None:
        self._issuer = issuer
        self._keys = keys or RealmKeys(f"{issuer}/protocol/openid-connect/certs")

    async def actor_of(self, credential: Credential, *, fresh: bool = False) -> Actor:
        """Only an access token of our realm for our audience that has not expired; `fresh` changes nothing."""
        try:
            header = jwt.get_unverified_header(credential.token)
            if header.get("alg") != "RS256" or not isinstance(header.get("kid"), str):
                raise unauthenticated("This token is not signed as Keycloak signs access tokens.")
            claims = jwt.decode(
                credential.token, await self._keys.get(header["kid"]), algorithms=["RS256"], audience=AUDIENCE,
                issuer=self._issuer, leeway=LEEWAY, options={"require": REQUIRED},
            )
        except jwt.ExpiredSignatureError:
            raise unauthenticated("This token has expired.") from None
        except jwt.InvalidAudienceError:
            raise unauthenticated("This token is meant for another service.") from None
        except jwt.PyJWTError:
            raise unauthenticated() from None
        return _actor_of(claims)

    async def aclose(self) -> None:
        await self._keys.aclose()


def _actor_of(claims: dict[str, Any]) -> Actor:
    name = claims["preferred_username"]
    if claims.get("typ") != "Bearer" or not isinstance(name, str) or not name:
        raise unauthenticated("This is not an access token.")
    if claims["exp"] <= time.time():
        raise unauthenticated("This token has expired.")
    return Actor(name, groups_of(claims.get("groups"), claims.get("roles")), "keycloak")
