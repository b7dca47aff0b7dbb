"""Who may be here, asked of Keycloak again and again; the only one that ever refreshes a token.

GenericOAuthenticator (17.4) fails open: it keeps people who left, logs people out when requests meet, and takes an
outage for a logout. Each refresh here re-checks groups, runs alone per user, and tells those cases apart:

* disabled, deleted, left the allowed groups: refused, groups emptied, servers ended (`eviction.py`)
* the session ended: refused; kernels go on until culled
* Keycloak does not answer: let through for `outage_grace` seconds after the last good answer, then refused
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlencode

import httpx
from jupyterhub.handlers import BaseHandler
from oauthenticator.generic import GenericOAuthenticator
from tornado.httpclient import HTTPClientError
from traitlets import Any as AnyTrait
from traitlets import Int, Unicode
from voxelhub_service.trust import trusted

from . import database_away
from .backchannel import BackchannelHandler
from .claims import allowed, groups_of
from .eviction import Evictions, subject_of
from .logout import CallbackHandler, LoginHandler, LogoutHandler, remember_session, unverified

# JupyterHub 6.1.1 reads this attribute before it sets it when a cookie request's refresh fails.
BaseHandler._token_authenticated = False
database_away.install()

RECENT = 3600.0  # seconds after a good answer in which a user without a server is asked about, too
SILENCE = 10.0  # seconds without questions after Keycloak did not answer one, so that not every page waits for it
TIMES = {"connect_timeout": 3.0, "request_timeout": 10.0}
TOKENS = ("access_token", "refresh_token", "id_token")


class Gone(Exception):
    """The refresh token is not accepted any more: the session ended, or its user is disabled or deleted."""


class VoxelHubAuthenticator(GenericOAuthenticator):  # type: ignore[misc]
    login_handler, callback_handler, logout_handler = LoginHandler, CallbackHandler, LogoutHandler

    token_min_life = Int(30, help="Seconds an access token must still live, or it is refreshed first.").tag(config=True)
    outage_grace = Int(90, help="Seconds that known users stay signed in while Keycloak does not answer.").tag(config=True)
    realm_url = Unicode(help="The realm's address on this machine.").tag(config=True)
    logout_url_at_provider = Unicode(help="Keycloak's end_session_endpoint.").tag(config=True)
    after_logout_url = Unicode(help="Registered post-logout redirect URI.").tag(config=True)
    standings = AnyTrait(help="voxelhub_hub.standing.Standings.").tag(config=True)
    logout_tokens = AnyTrait(help="voxelhub_hub.backchannel.LogoutTokens.").tag(config=True)
    report = AnyTrait(lambda *_, **__: None, help="Called as report(actor, action, resource, outcome, detail).").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.auth_state_groups_key = lambda state: groups_of(state[self.user_auth_state_key])
        self._locks: dict[str, asyncio.Lock] = {}
        self._good: dict[str, float] = {}  # user name -> monotonic time of the last good answer
        self._stood: dict[str, float] = {}  # the same for the directory's answers, which need no session
        self._names: dict[str, str] = {}  # sub -> user name, for back-channel logout
        self._silent_until = 0.0
        self.evictions: Evictions | None = None
        self.users: Any = {}

    def get_handlers(self, app: Any) -> list[Any]:
        """Called once, in the hub's event loop: where our own periodic work starts."""
        self.users = app.users
        self.evictions = Evictions(app, self.standings, self.report, self._recent, self._note_stands)
        self.evictions.start()
        return [*super().get_handlers(app), (r"/backchannel-logout", BackchannelHandler)]

    # signing in

    async def answers(self) -> bool:
        """Whether Keycloak answers now; asked before a browser is sent there or its session is ended there."""
        try:
            async with httpx.AsyncClient(trust_env=False, verify=trusted(), timeout=httpx.Timeout(4, connect=2)) as client:
                return (await client.get(self.realm_url)).status_code == 200
        except httpx.HTTPError:
            return False

    async def get_authenticated_user(self, handler: Any, data: Any) -> Any:
        """As the base class, and one audit event for either outcome."""
        model = await super().get_authenticated_user(handler, data)
        name = getattr(handler, "voxelhub_name", "unknown")
        if model is None:
            self.report(name, "user.login", "hub", "denied", {"reason": "not in an allowed group"})
        else:
            self.report(name, "user.login", "hub", "success", {})
        return model

    async def authenticate(self, handler: Any, data: Any = None, **kwargs: Any) -> Any:
        model = await super().authenticate(handler, data, **kwargs)
        if model is None:
            return None
        state = model["auth_state"]
        handler.voxelhub_name = model["name"]
        remember_session(handler, state.get("id_token") or "")
        self._note_good(model["name"], state)
        return model

    async def update_auth_model(self, auth_model: dict[str, Any]) -> dict[str, Any]:
        """Nobody holds the hub's own admin role: it opens everyone's server. Administrators have ours, by their group."""
        return {**auth_model, "admin": False}

    async def check_allowed(self, username: str, auth_model: Any) -> bool:
        """Nobody, unless an allowed group says so: not a flag in the hub's database, not a list of names."""
        return auth_model is not None and allowed(auth_model.get("groups") or ())

    # asking again

    async def refresh_user(self, user: Any, handler: Any = None, **_: Any) -> Any:
        """True or a new model while the user may be here, else False. One at a time per user: a refresh token works once."""
        asked = time.monotonic()
        async with self._locks.setdefault(user.name, asyncio.Lock()):
            if self._good.get(user.name, 0.0) >= asked:
                return True  # answered while we waited for the lock
            state = await user.get_auth_state()
            if not state or not state.get("refresh_token"):
                return await self._refuse(user, "no session", "")
            if asked < self._silent_until:
                return self._within_grace(user, state)
            try:
                model = await self._ask(user, state)
            except Gone as gone:
                return await self._refuse(user, str(gone), state["refresh_token"])
            except HTTPClientError as error:
                if error.code not in (400, 401, 403):
                    return self._no_answer(user, state, error)
                told = error.response.headers.get("WWW-Authenticate", "") if error.response else ""
                return await self._refuse(user, told or "refused", state["refresh_token"])
            except Exception as error:
                return self._no_answer(user, state, error)
            return await self._accept(user, state, model)

    async def _ask(self, user: Any, state: dict[str, Any]) -> dict[str, Any]:
        """Refresh the access token when it is about to end, then read userinfo: groups, enabled, session."""
        info = state["token_response"]
        if unverified(state["access_token"]).get("exp", 0) - time.time() < self.token_min_life:
            if not await self.answers():  # a refresh whose answer is lost costs the session: none into silence
                raise RuntimeError("no answer")
            info = {**info, **await self._rotate(state["refresh_token"])}
            state |= {name: info[name] for name in TOKENS if name in info} | {"token_response": info}
            await user.save_auth_state(state)  # at once: the old refresh token is dead, and using it again ends the session
        return dict(await self._token_to_auth_model(info))

    async def _rotate(self, refresh_token: str) -> dict[str, Any]:
        answer = await self.httpfetch(
            self.token_url, method="POST", headers=self.build_token_info_request_headers(), parse_json=False, raise_error=False,
            body=urlencode(self.build_refresh_token_request_params(refresh_token)).encode(), **TIMES,
        )
        if answer.code == 200:
            return dict(json.loads(answer.body))
        if answer.code == 400 and b"invalid_grant" in answer.body:
            raise Gone("invalid_grant")
        raise RuntimeError(f"token endpoint answered {answer.code}")

    async def _accept(self, user: Any, state: dict[str, Any], model: dict[str, Any]) -> Any:
        subject = model["auth_state"][self.user_auth_state_key].get("sub")
        if (model["name"], subject) != (user.name, state[self.user_auth_state_key].get("sub")):
            return await self._refuse(user, "another person", state["refresh_token"])
        if not await self.check_allowed(user.name, model):
            self._forget(user.name)
            self._evictions.evict(user, "left the allowed groups")
            return False
        self._note_good(user.name, model["auth_state"])
        await user.save_auth_state(model["auth_state"])
        self._evictions.stop_without_project(user, model["groups"])
        return model

    async def _refuse(self, user: Any, why: str, refresh_token: str) -> bool:
        """No. An ended session looks like a deleted account, so the directory is asked which it was."""
        self.log.warning("access refused to %s: %s", user.name, why)
        await self._drop_session(user, refresh_token)
        try:
            standing = await self.standings.of(await subject_of(user), user.name)
        except (httpx.HTTPError, KeyError, ValueError):
            return False  # the periodic look decides later
        if not standing.allowed:
            self._evictions.evict(user, standing.reason)
        return False

    async def _drop_session(self, user: Any, refresh_token: str) -> None:
        """Forget the tokens of a session that is over: no later outage brings it back. A newer sign-in keeps its own."""
        self._forget(user.name)
        state = await user.get_auth_state()
        if state and state.get("refresh_token") and state["refresh_token"] == refresh_token:
            await user.save_auth_state({self.user_auth_state_key: {"sub": await subject_of(user)}})

    def _no_answer(self, user: Any, state: dict[str, Any], error: Exception) -> bool:
        self.log.warning("Keycloak does not answer about %s: %s", user.name, type(error).__name__)
        self._silent_until = time.monotonic() + SILENCE
        return self._within_grace(user, state)

    def _within_grace(self, user: Any, state: dict[str, Any]) -> bool:
        """Counted from the last good answer of either kind, so that being idle before an outage costs nobody a session.

        The time is in auth_state too, so that a hub restart in an outage logs nobody out.
        """
        last = max(self._good.get(user.name, 0.0), self._stood.get(user.name, 0.0))
        since = time.monotonic() - last if last else time.time() - state.get("good_at", 0)
        return bool(since < self.outage_grace)

    def _recent(self, name: str) -> bool:
        return name in self._good and time.monotonic() - self._good[name] < RECENT

    def _note_stands(self, name: str) -> None:
        self._stood[name] = time.monotonic()

    def _note_good(self, name: str, state: dict[str, Any]) -> None:
        self._good[name] = time.monotonic()
        state["good_at"] = time.time()
        self._names[state[self.user_auth_state_key].get("sub", "")] = name

    def _forget(self, name: str) -> None:
        """No grace for this user until Keycloak answers well again."""
        self._good.pop(name, None)
        self._stood.pop(name, None)

    @property
    def _evictions(self) -> Evictions:
        assert self.evictions is not None, "the hub has not started"
        return self.evictions

    # sessions that end

    async def signed_out(self, user: Any, session: str) -> None:
        """The user left by our own logout: forget the tokens, unless they belong to a session in another browser."""
        async with self._locks.setdefault(user.name, asyncio.Lock()):
            state = await user.get_auth_state()
            if state and (not session or unverified(state.get("id_token") or "").get("sid") == session):
                await self._drop_session(user, state.get("refresh_token") or "")
        self.report(user.name, "user.logout", "hub", "success", {})

    def session_ended(self, subject: str) -> None:
        """A session of this person ended at Keycloak: the next request asks about the user instead of waiting its turn."""
        name = self._names.get(subject)
        for user in list(self.users.values()):
            if user.name == name:
                user._auth_refreshed = None
                self._forget(user.name)
