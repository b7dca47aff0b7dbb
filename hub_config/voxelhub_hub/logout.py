"""Signing in and out at Keycloak: without a question on the way out, with a clear page when it does not answer."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any
from urllib.parse import urlencode

from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler, OAuthLogoutHandler
from tornado import web
from tornado.httpclient import HTTPClientError

ID_TOKEN_COOKIE = "voxelhub-idt"  # noqa: S105 - a name; auth_state is per user, this is per browser
UNREACHABLE = (
    "The sign-in service does not answer at the moment. Whoever is signed in can go on working; please try again in a minute."
)


def unverified(token: str) -> dict[str, Any]:
    """The claims of a JWT that we received from Keycloak ourselves; an empty document when it is none."""
    try:
        part = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def remember_session(handler: Any, id_token: str) -> None:
    """Keep the id token in an encrypted-in-transit, signed, HttpOnly cookie: the hint that makes logout ask nothing."""
    handler._set_cookie(ID_TOKEN_COOKIE, id_token, encrypted=True, path=handler.hub.base_url, httponly=True, samesite="Lax")


class LoginHandler(OAuthLoginHandler):  # type: ignore[misc]
    async def get(self) -> None:
        if not await self.authenticator.answers():
            raise web.HTTPError(503, UNREACHABLE, reason="Sign-in service unavailable")
        super().get()


class CallbackHandler(OAuthCallbackHandler):  # type: ignore[misc]
    def _request_summary(self) -> str:
        """What a refusal logs: not the query, which holds the code."""
        return f"{self.request.method} {self.request.path}"

    async def get(self) -> None:
        try:
            await super().get()
        except (HTTPClientError, OSError) as error:
            self.log.warning("sign-in failed: %s", type(error).__name__)
            if isinstance(error, HTTPClientError) and 400 <= error.code < 500:
                raise web.HTTPError(400, "This sign-in was started too long ago or used already. Please sign in again.") from None
            raise web.HTTPError(503, UNREACHABLE, reason="Sign-in service unavailable") from None


class LogoutHandler(OAuthLogoutHandler):  # type: ignore[misc]
    """Ends this browser's session here and at Keycloak. Servers go on, without access, until they are culled."""

    id_token = ""

    async def get(self) -> None:
        self.id_token = (self.get_secure_cookie(ID_TOKEN_COOKIE) or b"").decode("ascii", "replace")
        self.clear_cookie(ID_TOKEN_COOKIE, path=self.hub.base_url)
        if user := self.current_user:
            await self.authenticator.signed_out(user, unverified(self.id_token).get("sid", ""))
        await super().get()

    async def render_logout_page(self) -> None:
        if not self.id_token or not await self.authenticator.answers():
            self.redirect(self.settings["login_url"], permanent=False)
            return
        self.redirect(f"{self.authenticator.logout_url_at_provider}?" + urlencode({
            "client_id": self.authenticator.client_id, "id_token_hint": self.id_token,
            "post_logout_redirect_uri": self.authenticator.after_logout_url,
        }))
