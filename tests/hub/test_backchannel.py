"""Logout tokens (OpenID Connect back-channel logout 1.0, section 2.6): the good one, and each way to be wrong."""

from __future__ import annotations

import time
import uuid
from typing import Any
from unittest import mock

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from voxelhub_hub.backchannel import EVENT, LogoutTokens

KEY, FORGED = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
ISSUER, CLIENT = "http://127.0.0.1:1/realms/voxelhub", "voxelhub-hub"


@pytest.fixture
def tokens() -> LogoutTokens:
    checked = LogoutTokens(ISSUER, CLIENT, "http://127.0.0.1:1/certs")
    checked._keys = mock.Mock(get_signing_key_from_jwt=lambda _: KEY.public_key())
    return checked


def token(key: Any = KEY, algorithm: str = "RS256", drop: str = "", **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": uuid.uuid4().hex, "sub": "ada-id", "sid": "s",
              "events": {EVENT: {}}, **changes}
    claims.pop(drop, None)
    return jwt.encode(claims, key, algorithm=algorithm)


def test_a_good_token_names_its_subject_once(tokens: LogoutTokens) -> None:
    good = token()
    assert tokens.subject(good) == "ada-id"
    with pytest.raises(ValueError, match="used twice"):
        tokens.subject(good)
    assert tokens.subject(token()) == "ada-id"


@pytest.mark.parametrize("bad", [
    token(key=FORGED), token(iss="http://127.0.0.1:1/realms/other"), token(aud="voxelhub-api"), token(exp=int(time.time()) - 60),
    token(iat=int(time.time()) + 600), token(events={}), token(events=None), token(events={"other": {}}), token(nonce="n"),
    token(drop="jti"), token(drop="sub"), token(drop="exp"), token(key="x" * 64, algorithm="HS256"),
    token(key=None, algorithm="none"), "", "a.b.c",
], ids=lambda _: "")
def test_a_bad_token_is_refused(tokens: LogoutTokens, bad: str) -> None:
    with pytest.raises(ValueError):
        tokens.subject(bad)


def test_remembered_ids_are_forgotten_after_their_time(tokens: LogoutTokens) -> None:
    tokens._seen = {"old": time.time() - 3600}
    tokens.subject(token())
    assert "old" not in tokens._seen and len(tokens._seen) == 1
