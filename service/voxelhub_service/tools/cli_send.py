"""`voxelhub tool submit`: hand a tool's folder to a VoxelHub, here or elsewhere."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from ..errors import Problem
from ..settings import Settings
from . import package

API = "/services/voxelhub/api/v1"
TIMEOUT = httpx.Timeout(120, connect=10)
PATIENCE = 30.0  # seconds in which a service that is being started may come back


def add_to(commands: Any, codes: str) -> None:
    submit = commands.add_parser(
        "submit", help="hand a tool to the administrators of a VoxelHub", epilog=codes,
        description="Needs the role tool-developer there. The token is taken from VOXELHUB_TOKEN (one that you made on the hub's "
                    "page “Token”, or a Keycloak access token), else it is asked for; in a notebook server, its own is used.")
    submit.add_argument("folder", type=Path, metavar="FOLDER")
    submit.add_argument("--note", default="", help="a word to who reviews it")
    submit.add_argument("--url", default="", help="address of the VoxelHub (the one of this installation's settings)")
    submit.set_defaults(run=_submit)


def _submit(settings: Settings, wanted: argparse.Namespace) -> int:
    data = package.pack(wanted.folder, settings.tool_max_bytes)
    base, token = _where(settings, wanted.url)
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT, trust_env=False) as client:
        checked = _send(client, "/tools/check", data)
        for one in checked["findings"]:
            print(f"{one['level']:<8} {one['sentence']} {one['fix']}".rstrip())
        if not checked["ok"]:
            print("Nothing was submitted.", file=sys.stderr)
            return 1
        row = _send(client, "/tools/submissions", data, params={"note": wanted.note}, key=uuid.uuid4().hex)
    print(f"{row['name']} {row['version']} was submitted, attempt {row['attempt']}. An administrator decides about it; "
          "until then you can run it into your own project.")
    return 0


def _where(settings: Settings, url: str) -> tuple[str, str]:
    """Root of the API and the token for it."""
    if not url and os.environ.get("VOXELHUB_API_URL") and os.environ.get("JUPYTERHUB_API_TOKEN"):
        return os.environ["VOXELHUB_API_URL"].rstrip("/"), os.environ["JUPYTERHUB_API_TOKEN"]
    token = os.environ.get("VOXELHUB_TOKEN", "") or (getpass.getpass("Token: ") if sys.stdin.isatty() else "")
    if not token:
        raise Problem(401, "no_token", "There is no token.", "Set VOXELHUB_TOKEN to one that you made on the hub's page “Token”.")
    return (url or settings.base_url).rstrip("/") + API, token.strip()


def _send(client: httpx.Client, path: str, data: bytes, *, params: dict[str, str] | None = None, key: str = "") -> dict[str, Any]:
    """The JSON of a good answer; raises Problem. Sent again while nobody answers: the key makes that safe."""
    headers = {"Content-Type": "application/zip", **({"Idempotency-Key": key} if key else {})}
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = client.post(path, content=data, headers=headers, params=params)
            if answer.status_code != 503 or time.monotonic() > deadline:
                break
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise Problem(503, "unreachable", f"{client.base_url} does not answer ({type(error).__name__}).",
                              "Is it the right address, and does VoxelHub run?") from None
        time.sleep(1)
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if answer.is_success and isinstance(body, dict):
        return body
    said = str(body.get("detail", f"It answered {answer.status_code}."))
    raise Problem(answer.status_code, str(body.get("code", "refused")), said, str(body.get("fix", "")))
