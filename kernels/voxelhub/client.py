"""Requests to the service: one connection pool, the server's own token, answers or a VoxelHubError."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from .errors import VoxelHubError, from_problem

TIMEOUT_S = httpx.Timeout(60, connect=5)
# A service that is restarted is back within a few seconds; only requests that change nothing are repeated.
RETRY_FOR_S = 20.0
PAGE = 500


@cache
def _pool(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)


def service_url() -> str:
    """Root of the API, as the notebook server was told."""
    url = os.environ.get("VOXELHUB_API_URL", "")
    if not url:
        raise VoxelHubError(
            "not_connected", "This kernel does not know where VoxelHub's service is.",
            "Run it in a server started from VoxelHub, or set VOXELHUB_API_URL and JUPYTERHUB_API_TOKEN.",
        )
    return url.rstrip("/") + "/"


def projects_root() -> Path:
    """Folder under which this server sees its projects, read-only."""
    return Path(os.environ.get("VOXELHUB_PROJECTS_DIR", "/projects"))


def send(method: str, path: str, **options: Any) -> httpx.Response:
    """One request with the token; the caller looks at the status. httpx.TransportError passes through."""
    token = os.environ.get("JUPYTERHUB_API_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
    return _pool(service_url()).request(method, path, headers=headers, **options)


def request(method: str, path: str, *, repeat: bool = False, **options: Any) -> Any:
    """The JSON of a successful answer, None for an empty one. Raises VoxelHubError.

    A reading, and what the caller calls safe to `repeat`, outlasts a restart of the service.
    """
    repeatable = repeat or method in ("GET", "HEAD")
    deadline = time.monotonic() + RETRY_FOR_S
    wait = 0.2
    while True:
        try:
            answer = send(method, path, **options)
            if answer.status_code not in (502, 503, 504):
                return read(answer)
            error = from_problem(answer.status_code, _document(answer))
        except httpx.TransportError:
            error = from_problem(503, None)
        if not repeatable or time.monotonic() + wait > deadline:
            raise error from None
        time.sleep(wait)
        wait = min(2 * wait, 2.0)


def read(answer: httpx.Response) -> Any:
    """The JSON of an answer. Raises VoxelHubError for a refusal."""
    body = _document(answer)
    if answer.is_success:
        return body
    raise from_problem(answer.status_code, body)


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return None


def pages(path: str, params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Every item of a paged listing."""
    wanted = {name: value for name, value in (params or {}).items() if value is not None}
    offset = 0
    while True:
        page = request("GET", path, params={**wanted, "limit": PAGE, "offset": offset})
        yield from page["items"]
        offset += len(page["items"])
        if not page["items"] or offset >= page.get("total", 0):
            return
