"""Stops notebook servers that nobody uses. Runs as a service of the hub, with a token for just that.

A server says itself when it would be culled (`/user/<name>/voxelhub/server`): never while a kernel is busy, and else a
time after the last sign of a kernel or a person, which is what the panel warns about. What the hub calls activity is not
used: an open but deserted tab looks active to it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

log = logging.getLogger("voxelhub.culling")


def cull_time(report: Mapping[str, Any]) -> datetime | None:
    """When a server that describes itself so is to be stopped; None: not while it is like this."""
    text = report.get("cull_at")
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def fallback_time(server: Mapping[str, Any], kernels: list[Mapping[str, Any]], timeout: float) -> datetime | None:
    """The same for a server without our extension, from its start and its kernels."""
    signs = [datetime.fromisoformat(server["started"])]
    for kernel in kernels:
        if kernel.get("execution_state") == "busy":
            return None
        signs.append(datetime.fromisoformat(kernel["last_activity"]))
    return max(signs) + timedelta(seconds=timeout)


def running(users: list[Mapping[str, Any]]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """User, server name and model of each server that is ready."""
    for user in users:
        for name, server in (user.get("servers") or {}).items():
            if server.get("ready"):
                yield user["name"], name, server


class Culler:
    """`hub` is a client of the hub's API, `public` one of the proxy; both carry the culler's token."""

    def __init__(self, hub: httpx.Client, public: httpx.Client, timeout: float) -> None:
        self.hub, self.public, self.timeout = hub, public, timeout

    def look(self, now: datetime) -> list[str]:
        """Stop what is due; the names of the users whose server was told to stop."""
        users = self._users()
        stopped = []
        for user, name, server in running(users):
            try:
                at = self.due(server)
                if at is not None and now >= at:
                    self._stop(user, name)
                    stopped.append(user)
            except (httpx.HTTPError, KeyError, ValueError) as error:
                log.warning("%s's server does not say whether it is idle: %s", user, type(error).__name__)
        return stopped

    def _users(self) -> list[Mapping[str, Any]]:
        """Everyone with a ready server, page by page."""
        users: list[Mapping[str, Any]] = []
        while True:
            answer = self.hub.get("users", params={"state": "ready", "offset": len(users), "limit": 100})
            answer.raise_for_status()
            page = answer.json()
            users += page
            if len(page) < 100:
                return users

    def due(self, server: Mapping[str, Any]) -> datetime | None:
        where = urlsplit(server["url"])  # with a host, where each user has a subdomain: the proxy routes by it
        base, headers = where.path.rstrip("/"), {"Host": where.netloc} if where.netloc else {}
        answer = self.public.get(f"{base}/voxelhub/server", headers=headers)
        if answer.status_code == 200:
            return cull_time(answer.json())
        answer = self.public.get(f"{base}/api/kernels", params={"no_track_activity": "1"}, headers=headers)
        answer.raise_for_status()
        return fallback_time(server, answer.json(), self.timeout)

    def _stop(self, user: str, name: str) -> None:
        log.warning("stopping the idle server of %s", user)
        path = f"users/{user}/servers/{name}" if name else f"users/{user}/server"
        self.hub.delete(path).raise_for_status()


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="[culler] %(message)s")
    logging.getLogger("httpx").setLevel(logging.ERROR)
    timeout, every = int(os.environ["VOXELHUB_CULL_TIMEOUT"]), int(os.environ["VOXELHUB_CULL_EVERY"])
    headers = {"Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}"}
    proxy = os.environ["VOXELHUB_PROXY_URL"]
    with (
        httpx.Client(base_url=os.environ["VOXELHUB_HUB_API"] + "/", headers=headers, trust_env=False, timeout=20) as hub,
        # The proxy's certificate names the public address, not loopback.
        httpx.Client(base_url=proxy, headers=headers, trust_env=False, timeout=20, verify=False) as public,  # noqa: S501
    ):
        culler = Culler(hub, public, timeout)
        while True:
            time.sleep(every)
            try:
                culler.look(datetime.now(UTC))
            except httpx.HTTPError as error:
                log.warning("the hub does not answer: %s", type(error).__name__)


if __name__ == "__main__":
    main()
