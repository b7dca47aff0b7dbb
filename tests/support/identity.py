"""A hub and a realm on loopback that answer as JupyterHub 6.1 and Keycloak 26 do, and every way to forge a token."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ACCESS = "access:services!service=voxelhub"
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NEXT = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Hub:
    """`whose` maps tokens to /user models, `groups` users to their groups; counts what it is asked."""

    def __init__(self) -> None:
        self.whose: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, Any] = {}
        self.servers: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.status = 200
        self.port = 0

    def app(self) -> Starlette:
        async def user(request: Request) -> Response:
            self.asked.append("/user")
            await asyncio.sleep(0.05)
            if self.status != 200:
                return Response(status_code=self.status)
            model = self.whose.get(request.headers["authorization"].removeprefix("token "))
            return JSONResponse(model) if model else JSONResponse({"status": 403}, 403)

        async def named(request: Request) -> Response:
            name = request.path_params["name"]
            self.asked.append(f"/users/{name}")
            if request.headers["authorization"] != "token service-secret":
                return JSONResponse({"status": 403}, 403)
            if name not in self.groups:
                return JSONResponse({"status": 404}, 404)
            groups = self.groups[name]
            found = {"servers": self.servers[name]} if name in self.servers else {}
            return JSONResponse({"name": name, **({"groups": groups} if groups is not None else {}), **found})

        return Starlette(routes=[Route("/hub/api/user", user), Route("/hub/api/users/{name}", named)])


def make_hub() -> Hub:
    """One token of each kind, and the groups of their users."""
    made = Hub()
    made.whose = {
        "good": {"kind": "user", "name": "alice", "scopes": [ACCESS]},
        "broad": {"kind": "user", "name": "alice", "scopes": ["access:services"]},
        "narrow": {
            "kind": "user",
            "name": "alice",
            "scopes": ["self", "access:services!service=other", "access:servers!user=alice"],
        },
        "service": {"kind": "service", "name": "culler", "scopes": [ACCESS]},
        "ghost": {"kind": "user", "name": "ghost", "scopes": [ACCESS]},
        "blind": {"kind": "user", "name": "blind", "scopes": [ACCESS]},
        "nameless": {"kind": "user", "scopes": [ACCESS]},
    }
    made.groups = {"alice": ["/voxelhub-users", "/projects/demo", "role:researcher"], "blind": None}
    return made


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
            entries = [
                {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "RS256"}
                for kid, key in self.keys.items()
            ]
            encryption = {**RSAAlgorithm.to_jwk(THEIRS.public_key(), as_dict=True), "kid": "enc", "use": "enc", "alg": "RSA-OAEP"}
            return JSONResponse({"keys": [*entries, encryption]})

        return Starlette(routes=[Route("/realms/voxelhub/protocol/openid-connect/certs", certs)])


def claims(realm: Realm, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    made = {
        "iss": realm.issuer,
        "aud": ["voxelhub-api", "account"],
        "sub": "4f1c",
        "typ": "Bearer",
        "azp": "voxelhub-hub",
        "iat": now,
        "exp": now + 60,
        "preferred_username": "alice",
        "groups": ["/voxelhub-users", "projects/demo"],
        "roles": ["researcher", "default-roles-voxelhub", "offline_access"],
    }
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def sign(body: dict[str, Any], key: Any = OURS, algorithm: str = "RS256", kid: str | None = "k1") -> str:
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid} if kid else {})


def _pem() -> bytes:
    return OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _confused(realm: Realm) -> str:
    """HS256 with the public key as the shared secret (CVE-2015-9235); made by hand, since PyJWT refuses to."""

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
