"""Keycloak access tokens against a realm's keys served on loopback; each forgery is one row."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from support.live import serving
from voxelhub_service.errors import Problem
from voxelhub_service.identity import keycloak
from voxelhub_service.identity.keycloak import KeycloakIdentity, RealmKeys
from voxelhub_service.identity.tokens import Credential

OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NEXT = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Realm:
    def __init__(self) -> None:
        self.keys = {"k1": OURS}
        self.asked = 0
        self.silent = False
        self.port = 0

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}/realms/voxelhub"

    def app(self) -> Starlette:
        async def certs(request: Request) -> Response:
            self.asked += 1
            if self.silent:
                return Response(status_code=503)
            entries = [{**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "RS256"}
                       for kid, key in self.keys.items()]
            encryption = {**RSAAlgorithm.to_jwk(THEIRS.public_key(), as_dict=True), "kid": "enc", "use": "enc", "alg": "RSA-OAEP"}
            return JSONResponse({"keys": [*entries, encryption]})

        return Starlette(routes=[Route("/realms/voxelhub/protocol/openid-connect/certs", certs)])


@pytest.fixture
def realm() -> Iterator[Realm]:
    made = Realm()
    with serving(made.app()) as made.port:
        yield made


def claims(realm: Realm, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {
        "iss": realm.issuer, "aud": ["voxelhub-api", "account"], "sub": "4f1c", "typ": "Bearer", "azp": "voxelhub-hub",
        "iat": now, "exp": now + 60, "preferred_username": "alice",
        "groups": ["/voxelhub-users", "projects/demo"], "roles": ["researcher", "default-roles-voxelhub", "offline_access"],
    }
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def sign(body: dict[str, Any], key: Any = OURS, algorithm: str = "RS256", kid: str | None = "k1") -> str:
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid} if kid else {})


def _pem() -> bytes:
    return OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _confused(realm: Realm) -> str:
    """HS256 with the public key as the shared secret (CVE-2015-9235); made by hand, since PyJWT refuses to."""
    import base64
    import hashlib
    import hmac
    import json

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    text = f"{part(json.dumps({'alg': 'HS256', 'kid': 'k1'}).encode())}.{part(json.dumps(claims(realm)).encode())}"
    return f"{text}.{part(hmac.new(_pem(), text.encode(), hashlib.sha256).digest())}"


def _tampered(realm: Realm) -> str:
    head, _, signature = sign(claims(realm)).split(".")
    return f"{head}.{sign(claims(realm, preferred_username='admin')).split('.')[1]}.{signature}"


NOW = int(time.time())
FORGERIES = {
    "expired": lambda r: sign(claims(r, exp=int(time.time()) - 1)),
    "expired long ago": lambda r: sign(claims(r, iat=NOW - 9000, exp=NOW - 8000)),
    "not yet": lambda r: sign(claims(r, nbf=int(time.time()) + 60)),
    "wrong audience": lambda r: sign(claims(r, aud=["account"])),
    "no audience": lambda r: sign(claims(r, aud=None)),
    "wrong issuer": lambda r: sign(claims(r, iss="http://127.0.0.1:1/realms/voxelhub")),
    "other realm": lambda r: sign(claims(r, iss=r.issuer.replace("voxelhub", "master"))),
    "id token": lambda r: sign(claims(r, typ="ID")),
    "refresh token": lambda r: sign(claims(r, typ="Refresh")),
    "no type": lambda r: sign(claims(r, typ=None)),
    "no subject": lambda r: sign(claims(r, sub=None)),
    "no user name": lambda r: sign(claims(r, preferred_username=None)),
    "user name of another type": lambda r: sign(claims(r, preferred_username=["alice"])),
    "empty user name": lambda r: sign(claims(r, preferred_username="")),
    "no end": lambda r: sign(claims(r, exp=None)),
    "forged": lambda r: sign(claims(r), THEIRS),
    "unknown key id": lambda r: sign(claims(r), THEIRS, kid="k9"),
    "no key id": lambda r: sign(claims(r), kid=None),
    "encryption key": lambda r: sign(claims(r), THEIRS, kid="enc"),
    "alg none": lambda r: jwt.encode(claims(r), None, algorithm="none", headers={"kid": "k1"}),
    "alg HS512": lambda r: jwt.encode(claims(r), "x" * 64, algorithm="HS512", headers={"kid": "k1"}),
    "alg confusion": _confused,
    "alg RS512": lambda r: sign(claims(r), algorithm="RS512"),
    "tampered": _tampered,
    "no signature": lambda r: sign(claims(r)).rpartition(".")[0] + ".",
    "junk": lambda r: "a.b.c",
    "empty parts": lambda r: "..",
}


async def test_an_access_token_becomes_its_user(realm):
    actor = await KeycloakIdentity(realm.issuer).actor_of(Credential(sign(claims(realm))))
    assert (actor.name, actor.kind, actor.roles, actor.allowed, actor.admin) == ("alice", "keycloak", ["researcher"], True, False)
    assert actor.project_roles["demo"] == "member"


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forgery_is_refused(realm, name):
    with pytest.raises(Problem) as refused:
        await KeycloakIdentity(realm.issuer).actor_of(Credential(FORGERIES[name](realm)))
    assert refused.value.status == 401


@pytest.mark.parametrize("groups", [None, [], "/voxelhub-users", {"a": 1}, [7, None], ["/projects/demo"]])
async def test_without_the_allowed_group_nobody_is_allowed(realm, groups):
    actor = await KeycloakIdentity(realm.issuer).actor_of(Credential(sign(claims(realm, groups=groups))))
    assert not actor.allowed


async def test_a_group_cannot_pass_for_a_role(realm):
    actor = await KeycloakIdentity(realm.issuer).actor_of(
        Credential(sign(claims(realm, groups=["role:data-protection-officer"], roles=[]))))
    assert actor.roles == []


async def test_keys_are_read_once_and_survive_keycloaks_absence(realm):
    identity = KeycloakIdentity(realm.issuer)
    for _ in range(3):
        await identity.actor_of(Credential(sign(claims(realm))))
    assert realm.asked == 1
    realm.silent = True
    identity._keys._read_at = identity._keys._tried_at = float("-inf")
    assert (await identity.actor_of(Credential(sign(claims(realm))))).name == "alice"
    assert realm.asked == 2


async def test_a_new_key_is_found_and_forgeries_do_not_make_us_ask(realm, monkeypatch):
    monkeypatch.setattr(keycloak, "KEYS_REST", 0.2)
    identity = KeycloakIdentity(realm.issuer)
    await identity.actor_of(Credential(sign(claims(realm))))
    for number in range(5):
        with pytest.raises(Problem):
            await identity.actor_of(Credential(sign(claims(realm), THEIRS, kid=f"forged-{number}")))
    assert realm.asked == 1
    realm.keys["k2"] = NEXT
    time.sleep(0.25)
    assert (await identity.actor_of(Credential(sign(claims(realm), NEXT, kid="k2")))).name == "alice"
    assert realm.asked == 2


async def test_without_any_key_nobody_is_let_in(realm):
    realm.silent = True
    with pytest.raises(Problem) as refused:
        await KeycloakIdentity(realm.issuer).actor_of(Credential(sign(claims(realm))))
    assert (refused.value.status, refused.value.code) == (503, "keycloak_unreachable")
    with pytest.raises(Problem):
        await KeycloakIdentity("http://127.0.0.1:9", RealmKeys("http://127.0.0.1:9/certs")).actor_of(Credential(sign(claims(realm))))
