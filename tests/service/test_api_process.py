"""`python -m voxelhub_service.api` as a process: starts, answers, takes the spool in, ends at once at SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from support.events import event
from support.live import serving
from support.ports import free_port
from voxelhub_service import migrations
from voxelhub_service.context import make_context
from voxelhub_service.database import reading
from voxelhub_service.models import AuditEvent
from voxelhub_service.secrets import ensure_secrets
from voxelhub_service.settings import load_settings

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Process:
    def __init__(self, folder: Path, keycloak_port: int) -> None:
        self.port = free_port()
        self.environ = {
            "VOXELHUB_STATE_DIR": str(folder),
            "VOXELHUB_SERVICE_PORT": str(self.port),
            "VOXELHUB_KEYCLOAK_PORT": str(keycloak_port),
            "VOXELHUB_HUB_PORT": str(free_port()),
        }
        self.settings = load_settings(self.environ)
        ensure_secrets(self.settings.secrets_dir)
        migrations.upgrade(self.settings)
        self.log = folder / "log"
        self.url = f"{self.settings.service_url}/api/v1"

    def start(self) -> None:
        environ = {**os.environ, **self.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "voxelhub_service.api"], env=environ, stderr=log, stdout=log)
        until = time.monotonic() + 240
        while True:
            try:
                assert httpx.get(f"{self.url}/health").status_code == 200
                return
            except httpx.HTTPError:
                assert time.monotonic() < until, self.log.read_text()
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.05)

    def token(self) -> str:
        now = int(time.time())
        return jwt.encode(
            {
                "iss": self.settings.issuer,
                "aud": "voxelhub-api",
                "sub": "1",
                "typ": "Bearer",
                "iat": now,
                "exp": now + 60,
                "preferred_username": "alice",
                "groups": ["/voxelhub-users"],
                "roles": [],
            },
            KEY,
            algorithm="RS256",
            headers={"kid": "k"},
        )


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    async def certs(_request):
        return JSONResponse({"keys": [{**RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k", "use": "sig"}]})

    realm = Starlette(routes=[Route("/realms/voxelhub/protocol/openid-connect/certs", certs)])
    with serving(realm) as port:
        made = Process(tmp_path, port)
        made.start()
        yield made
        made.process.kill()
        made.process.wait()


def _audited(process: Process) -> list[str]:
    context = make_context(process.settings)
    with reading(context.engine) as session:
        return [record.action for record in session.query(AuditEvent).order_by(AuditEvent.seq)]


def test_it_answers_and_names_no_server(process):
    answer = httpx.get(f"{process.url}/me", headers={"Authorization": f"Bearer {process.token()}"})
    assert answer.json()["projects"][0]["name"] == "home-alice"
    assert "server" not in answer.headers


def test_with_a_dead_hub_a_hub_token_is_refused_not_guessed(process):
    answer = httpx.get(f"{process.url}/me", headers={"Authorization": "token 0123456789abcdef"})
    assert (answer.status_code, answer.json()["code"]) == (503, "hub_unreachable")


def test_it_ends_at_once_with_open_streams_and_the_log_holds_no_token(process):
    token = process.token()
    with httpx.stream("GET", f"{process.url}/events", headers={"Authorization": f"Bearer {token}"}, timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        process.process.send_signal(signal.SIGTERM)
        list(lines)  # to an end that the service makes: a stream that is cut off raises
        assert process.process.wait(60) in {0, -signal.SIGTERM}
    log = process.log.read_text()
    assert token not in log
    assert "Traceback" not in log


def test_a_spool_left_by_a_hub_is_taken_in_at_the_start(process):
    process.process.kill()
    process.process.wait()
    spool = process.settings.audit_dir / "spool"
    spool.mkdir(parents=True)
    (spool / "1.jsonl").write_text(json.dumps(event("login")) + "\n" + json.dumps(event("logout")) + "\n")
    process.start()
    assert _audited(process) == ["login", "logout"]
    assert list(spool.iterdir()) == []


def test_a_spool_written_while_it_runs_is_taken_in_too(process):
    spool = process.settings.audit_dir / "spool"
    spool.mkdir(parents=True)
    (spool / "1.jsonl").write_text(json.dumps(event("login")) + "\n")
    until = time.monotonic() + 120
    while _audited(process) != ["login"]:
        assert time.monotonic() < until
        time.sleep(0.2)
