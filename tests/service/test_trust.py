"""A site's own authority is believed where SSL_CERT_FILE names it, by what asks Keycloak, and nobody else's."""

from __future__ import annotations

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from support.certificates import certificate

ASK = """
import asyncio, sys
from voxelhub_service.errors import Problem
from voxelhub_service.identity.keycloak import RealmKeys
async def ask():
    keys = RealmKeys(sys.argv[1])
    try:
        await keys.get("unknown")
    except Problem as problem:
        print(problem.code)
asyncio.run(ask())
"""


@pytest.fixture
def realm(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The realm's keys behind a certificate that no authority of the system has signed."""
    cert, key = certificate(tmp_path)
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    known = {**RSAAlgorithm.to_jwk(public, as_dict=True), "kid": "other", "use": "sig"}

    class Keys(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"keys": [known]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}/certs", cert
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("named", "code"), [(True, "unauthenticated"), (False, "keycloak_unreachable")])
def test_keys_of_the_realm_are_read_where_the_authority_is_named(realm: tuple[str, Path], named: bool, code: str) -> None:
    """Read, the realm has no such key; not read, nothing can be said."""
    url, cert = realm
    environ = {name: value for name, value in os.environ.items() if name not in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    environ |= {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)} | ({"SSL_CERT_FILE": str(cert)} if named else {})
    done = subprocess.run([sys.executable, "-c", ASK, url], env=environ, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == code, done.stderr
