"""OpenID Connect back-channel logout 1.0: Keycloak says that a session ended, and the hub asks again at once.

Only a speed-up: disabling a user or ending all sessions sends nothing, and the periodic questions find those.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import jwt
from jupyterhub.handlers import BaseHandler
from tornado import web
from voxelhub_spawner.shared import Shared

EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_TOKEN = 16 * 1024  # bytes
LEEWAY = 10  # seconds between the two clocks


class LogoutTokens(Shared):
    """Checks logout tokens (section 2.6 of the standard): signature by Keycloak's keys, issuer, audience, event, and once."""

    def __init__(self, issuer: str, audience: str, certs_url: str) -> None:
        self._issuer, self._audience = issuer, audience
        self._keys = jwt.PyJWKClient(certs_url, lifespan=300, timeout=5)
        self._seen: dict[str, float] = {}

    def subject(self, token: str) -> str:
        """`sub` of a good token; ValueError for any other. Blocks on the network the first time."""
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=["RS256"], issuer=self._issuer, audience=self._audience, leeway=LEEWAY,
                                options={"require": ["iss", "aud", "iat", "exp", "jti", "sub"]})
        except jwt.PyJWTError as error:
            raise ValueError(f"logout token refused: {type(error).__name__}") from None
        if not isinstance(claims.get("events"), dict) or EVENT not in claims["events"] or "nonce" in claims:
            raise ValueError("not a logout token")
        self._use(str(claims["jti"]), float(claims["exp"]))
        return str(claims["sub"])

    def _use(self, jti: str, until: float) -> None:
        now = time.time()
        self._seen = {known: end for known, end in self._seen.items() if end + LEEWAY > now}
        if jti in self._seen:
            raise ValueError("logout token used twice")
        self._seen[jti] = until


class BackchannelHandler(BaseHandler):  # type: ignore[misc]
    """POST /hub/backchannel-logout, called by Keycloak: no cookie, no XSRF token; the logout token is the proof."""

    def check_xsrf_cookie(self) -> None:
        """The signed token stands in for it."""

    async def prepare(self) -> None:
        """No user is signed in here."""

    async def post(self) -> None:
        token = self.get_body_argument("logout_token", "")
        self.set_header("Cache-Control", "no-store")
        if not token or len(token) > MAX_TOKEN:
            raise web.HTTPError(400)
        try:
            subject = await asyncio.to_thread(self.authenticator.logout_tokens.subject, token)
        except ValueError as error:
            self.log.warning("%s", error)
            raise web.HTTPError(400) from None
        self.authenticator.session_ended(subject)
        self.set_status(200)
        self.finish()

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish()
