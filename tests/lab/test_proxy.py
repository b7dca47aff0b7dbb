"""The streaming proxy, with a real Jupyter server before it and a real HTTP server behind it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.lab_server import LabServer, lab_server
from support.live import serving
from support.ports import free_port

HUB_TOKEN = "hub-token-of-marias-server"
PREFIX = "/services/voxelhub/api/v1"
PATIENCE = 120  # seconds; the machine of the tests has two busy cores


class Echo:
    """An ASGI application that says what reached it, and can misbehave when asked by the path."""

    def __init__(self) -> None:
        self.digests: list[str] = []
        self.disconnects = 0
        self.arrived = threading.Semaphore(0)  # one for each message that the reader has

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return None
        path = scope["path"].removeprefix(PREFIX)
        if path == "/events":
            return await self._events(receive, send)
        if path == "/refuse":
            return await self._send(send, 413, [(b"content-type", b"application/problem+json")], b'{"code":"too_large"}')
        digest, size = hashlib.sha256(), 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnects += 1
                return None
            digest.update(message.get("body", b""))
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        headers = [(k.decode(), v.decode()) for k, v in scope["headers"]]
        seen = {"method": scope["method"], "path": path, "raw": scope["raw_path"].decode(),
                "query": scope["query_string"].decode(), "headers": headers, "size": size, "sha256": digest.hexdigest()}
        extra = [(b"content-type", b"application/json"), (b"set-cookie", b"stolen=1"), (b"upload-offset", str(size).encode()),
                 (b"location", f"{PREFIX}/uploads/7?x=1".encode()), (b"connection", b"x-hop"), (b"x-hop", b"1")]
        if path == "/elsewhere":
            extra[3] = (b"location", b"http://example.invalid/steal")
        if path == "/nothing":
            return await self._send(send, 204, [(b"upload-offset", b"5")], b"")
        await self._send(send, 200, extra, json.dumps(seen).encode())
        return None

    async def _events(self, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for number in range(3):
            await send({"type": "http.response.body", "body": f"id: {number}\ndata: {{}}\n\n".encode(), "more_body": True})
            await asyncio.to_thread(self.arrived.acquire, timeout=PATIENCE)
        await send({"type": "http.response.body", "body": b""})

    @staticmethod
    async def _send(send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        length = [] if status == 204 else [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def upstream() -> Iterator[tuple[Echo, int]]:
    echo = Echo()
    with serving(echo) as port:
        yield echo, port


@pytest.fixture(scope="module")
def lab(upstream: tuple[Echo, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    environ = {"VOXELHUB_PROJECTS": "demo,lung", "VOXELHUB_CULL_TIMEOUT": "3600", "VOXELHUB_CULL_WARNING": "300"}
    address = f"http://127.0.0.1:{upstream[1]}{PREFIX}"
    with lab_server(tmp_path_factory.mktemp("home"), address, HUB_TOKEN, environ=environ) as server:
        yield server


@pytest.fixture
def api(lab: LabServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{lab.url}/voxelhub/api/v1", headers=lab.headers, timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_verb_arrives_with_the_servers_own_token(api: httpx.Client, method: str) -> None:
    seen = api.request(method, "/entries").json()
    assert seen["method"] == method and seen["path"] == "/entries"
    assert [v for k, v in seen["headers"] if k == "authorization"] == [f"token {HUB_TOKEN}"]


def test_head_has_the_headers_and_no_body(api: httpx.Client) -> None:
    answer = api.head("/uploads/7/files/8")
    assert answer.status_code == 200 and answer.headers["upload-offset"] == "0" and int(answer.headers["content-length"]) > 0
    assert answer.content == b""


def test_no_content_stays_empty(api: httpx.Client) -> None:
    answer = api.patch("/nothing", content=b"12345")
    assert (answer.status_code, answer.headers["upload-offset"], answer.content) == (204, "5", b"")


def test_no_cookie_crosses_in_either_direction(api: httpx.Client) -> None:
    answer = api.get("/me", headers={"Cookie": "a=b"})
    assert "cookie" not in dict(answer.json()["headers"])
    assert "stolen" not in answer.headers.get("set-cookie", "") and "x-hop" not in answer.headers


def test_jupyters_own_arguments_stay_here_and_others_keep_their_text(api: httpx.Client, lab: LabServer) -> None:
    seen = api.get(f"/entries?_xsrf=abc&token={lab.token}&q=a%2Bb%20c&type=&type=x&1795595853303").json()
    assert seen["query"] == "q=a%2Bb+c&type=&type=x"


def test_an_encoded_path_stays_encoded(api: httpx.Client) -> None:
    assert api.get("/entries/a%2Fb%20c").json()["raw"] == f"{PREFIX}/entries/a%2Fb%20c"


@pytest.mark.parametrize("path", ["/%2e%2e/secret", "/a/%252e%252e/b", "/a/..%5cb", "/a%00b"])
def test_a_path_cannot_leave_the_api(api: httpx.Client, path: str) -> None:
    assert api.get(path).status_code == 400


def test_location_is_rewritten_below_the_own_prefix_and_dropped_elsewhere(api: httpx.Client) -> None:
    assert api.post("/uploads").headers["location"] == "/user/maria/voxelhub/api/v1/uploads/7?x=1"
    assert "location" not in api.post("/elsewhere").headers


def test_a_large_body_streams_through_unchanged(api: httpx.Client) -> None:
    """150 MB: above tornado's default limit of 100 MB."""
    block = bytes(range(256)) * 4096

    def body() -> Iterator[bytes]:
        for _ in range(150):
            yield block

    seen = api.patch("/uploads/7/files/8", content=body(), headers={"Content-Length": str(150 * len(block))}, timeout=120).json()
    assert seen["size"] == 150 * len(block)
    assert seen["sha256"] == hashlib.sha256(block * 150).hexdigest()


def test_an_early_refusal_reaches_the_sender(api: httpx.Client) -> None:
    answer = api.post("/refuse", content=b"x" * 5_000_000)
    assert answer.status_code == 413 and answer.json() == {"code": "too_large"}
    assert api.get("/me").headers.get("connection") != "close", "what was read to its end is kept"


def test_events_arrive_one_by_one(api: httpx.Client, upstream: tuple[Echo, int]) -> None:
    """The next one is sent when the one before has been read."""
    numbers = []
    with api.stream("GET", "/events", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        for line in answer.iter_lines():
            if line.startswith("id:"):
                numbers.append(line)
                upstream[0].arrived.release()
    assert numbers == ["id: 0", "id: 1", "id: 2"]


def test_a_stranger_and_a_forged_form_are_refused(lab: LabServer) -> None:
    address = f"{lab.url}/voxelhub/api/v1/me"
    assert httpx.get(address, headers={"Accept": "application/json"}, timeout=PATIENCE).status_code == 403
    with httpx.Client(timeout=PATIENCE) as browser:  # a login cookie without the XSRF token, as another site would send it
        browser.get(f"{lab.url}/login")
        browser.get(f"{lab.url}/api/status?token={lab.token}")
        assert browser.get(f"{lab.url}/voxelhub/server", headers={"Referer": lab.url}).status_code == 200
        refused = browser.post(address)
        assert refused.status_code == 403
        assert refused.headers["connection"] == "close", "it is closed unread: whoever reuses it loses the next request"
        assert browser.post(address, headers={"X-XSRFToken": browser.cookies["_xsrf"]}).status_code == 200


def test_a_client_that_leaves_ends_the_request_at_the_service(lab: LabServer, upstream: tuple[Echo, int]) -> None:
    before = upstream[0].disconnects
    with socket.create_connection(("127.0.0.1", lab.port)) as raw:
        raw.sendall(f"PATCH /user/maria/voxelhub/api/v1/uploads/1 HTTP/1.1\r\nHost: 127.0.0.1:{lab.port}\r\n"
                    f"Authorization: token {lab.token}\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x" * 70_000)
        time.sleep(0.5)
    deadline = time.monotonic() + PATIENCE
    while upstream[0].disconnects == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert upstream[0].disconnects == before + 1


def test_unreachable_service_is_a_sentence(tmp_path: Path) -> None:
    with lab_server(tmp_path, f"http://127.0.0.1:{free_port()}{PREFIX}", HUB_TOKEN) as server:
        for method, body in (("GET", None), ("POST", b"{}")):
            address = f"{server.url}/voxelhub/api/v1/me"
            answer = httpx.request(method, address, headers=server.headers, content=body, timeout=PATIENCE)
            assert answer.status_code == 503 and answer.headers["retry-after"] == "3"
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "service_unreachable" and "127.0.0.1" not in answer.text


def test_a_service_that_dies_inside_a_body_closes_the_connection(tmp_path: Path) -> None:
    """Otherwise an upload hangs at 100 % for ever."""
    listener = socket.create_server(("127.0.0.1", 0))

    def die() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.close()

    threading.Thread(target=die, daemon=True).start()
    broken = pytest.raises((httpx.RemoteProtocolError, httpx.WriteError, httpx.ReadError))
    with lab_server(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}{PREFIX}", HUB_TOKEN) as server, broken:
        address = f"{server.url}/voxelhub/api/v1/uploads/1"
        httpx.patch(address, headers=server.headers, content=b"x" * 30_000_000, timeout=PATIENCE)
    listener.close()


def test_the_server_describes_itself(lab: LabServer) -> None:
    seen = httpx.get(f"{lab.url}/voxelhub/server", headers=lab.headers, timeout=PATIENCE).json()
    assert seen["user"] == "maria" and seen["projects_mounted"] == ["demo", "lung"] and seen["isolation"] is True
    assert seen["cull_warning"] == 300 and seen["cull_at"] > seen["idle_since"]


def test_keep_working_moves_the_end(lab: LabServer) -> None:
    before = httpx.get(f"{lab.url}/voxelhub/server", headers=lab.headers, timeout=PATIENCE).json()
    after = httpx.post(f"{lab.url}/voxelhub/server", headers=lab.headers, timeout=PATIENCE).json()
    assert after["cull_at"] > before["cull_at"]
    again = httpx.get(f"{lab.url}/voxelhub/server", headers=lab.headers, timeout=PATIENCE).json()
    assert again["idle_since"] == after["idle_since"]
