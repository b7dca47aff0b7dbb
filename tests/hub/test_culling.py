"""When an idle server is stopped: the rule as a table, and once for real."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from voxelhub_hub.culling import Culler, cull_time, fallback_time, running

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(delta: timedelta) -> str:
    return (NOW + delta).isoformat()


BUSY = {"execution_state": "busy", "last_activity": at(-9 * HOUR)}


@pytest.mark.parametrize(("kernels", "due"), [
    ([], NOW),
    ([{"execution_state": "idle", "last_activity": at(-HOUR / 2)}], NOW + HOUR / 2),
    ([{"execution_state": "idle", "last_activity": at(-3 * HOUR)}], NOW),
    ([BUSY], None),
    ([{"execution_state": "idle", "last_activity": at(-HOUR)}, BUSY], None),
])
def test_a_server_without_our_extension(kernels: list[dict[str, Any]], due: datetime | None) -> None:
    assert fallback_time({"started": at(-HOUR)}, kernels, HOUR.total_seconds()) == due


def test_a_server_says_when() -> None:
    assert cull_time({"cull_at": at(HOUR)}) == NOW + HOUR
    assert cull_time({"cull_at": None}) is None and cull_time({}) is None


def test_only_ready_servers_are_looked_at() -> None:
    users = [{"name": "ada", "servers": {"": {"ready": True, "url": "/user/ada/"}}},
             {"name": "ben", "servers": {"": {"ready": False}}}, {"name": "eve"}]
    assert [user for user, _, _ in running(users)] == ["ada"]


@pytest.mark.parametrize(("report", "stopped"), [
    ({"cull_at": at(-HOUR)}, ["ada"]), ({"cull_at": at(HOUR)}, []), ({"cull_at": None}, []), ({"cull_at": "nonsense"}, []),
])
def test_what_is_due_is_stopped(report: dict[str, Any], stopped: list[str]) -> None:
    calls: list[str] = []

    def hub(request: httpx.Request) -> httpx.Response:
        calls.append(f"{request.method} {request.url.path}")
        server = {"ready": True, "url": "/user/ada/", "started": at(-HOUR)}
        return httpx.Response(200, json=[{"name": "ada", "servers": {"": server}}] if request.method == "GET" else None)

    def proxy(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/user/ada/voxelhub/server"
        return httpx.Response(200, json=report)

    with httpx.Client(base_url="http://hub/hub/api/", transport=httpx.MockTransport(hub)) as one, \
            httpx.Client(base_url="http://proxy", transport=httpx.MockTransport(proxy)) as two:
        assert Culler(one, two, 3600).look(NOW) == stopped
    assert ("DELETE /hub/api/users/ada/server" in calls) == bool(stopped)


def test_a_server_that_does_not_answer_is_left_alone() -> None:
    def hub(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET"
        server = {"ready": True, "url": "/user/ada/", "started": at(-HOUR)}
        return httpx.Response(200, json=[{"name": "ada", "servers": {"": server}}])

    silent = httpx.MockTransport(lambda _: httpx.Response(503))
    with httpx.Client(base_url="http://hub/hub/api/", transport=httpx.MockTransport(hub)) as one, \
            httpx.Client(base_url="http://proxy", transport=silent) as two:
        assert Culler(one, two, 3600).look(NOW) == []


def test_with_subdomains_the_proxy_is_asked_inside_for_the_users_host() -> None:
    asked: list[tuple[str, str, str]] = []

    def proxy(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.host, request.headers["host"], request.url.path))
        return httpx.Response(404) if request.url.path.endswith("/server") else httpx.Response(200, json=[])

    server = {"ready": True, "url": "https://ada.hub.example.org/user/ada/", "started": at(-HOUR)}
    with httpx.Client(base_url="http://hub/") as one, \
            httpx.Client(base_url="http://proxy-http:8000", transport=httpx.MockTransport(proxy)) as two:
        assert Culler(one, two, 3600).due(server) == NOW
    assert asked == [("proxy-http", "ada.hub.example.org", f"/user/ada/{path}") for path in ("voxelhub/server", "api/kernels")]
