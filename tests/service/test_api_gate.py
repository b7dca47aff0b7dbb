"""The Gate: closed by default, before any byte of a body; failures leave as problem documents without the caller's values."""

from __future__ import annotations

import asyncio

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from support.live import live_service
from support.service import ACTORS, TableIdentity, bearer, make_service, make_test_context
from voxelhub_service.api.app import create_app
from voxelhub_service.api.gate import PREFIX
from voxelhub_service.database import reading
from voxelhub_service.models import AuditEvent


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "token"},
        {"Authorization": "token nobody"},
        {"Authorization": "Basic token-of-alice"},
        {"Authorization": "token-of-alice"},
        {"Cookie": "jupyterhub-services=token-of-alice; token=token-of-alice"},
        {"Authorization": "token " + "a" * 20_000},
        {"X-Forwarded-User": "alice"},
    ],
    ids=lambda headers: str(headers)[:40],
)
def test_what_is_no_token_is_refused(tmp_path, headers):
    client, _ = make_service(tmp_path)
    answer = client.get("/me?token=token-of-alice", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "token-of-alice" not in answer.text


def test_two_authorization_headers_are_refused(tmp_path):
    client, _ = make_service(tmp_path)
    answer = client.get("/me", headers=[("Authorization", "token token-of-alice"), ("Authorization", "token token-of-bob")])
    assert answer.status_code == 401


async def test_no_byte_of_a_body_is_read_before_the_caller_is_known(tmp_path):
    app = create_app(make_test_context(tmp_path), TableIdentity(ACTORS))
    sent: list[dict] = []

    async def receive():
        raise AssertionError("the body was asked for")

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "PATCH",
        "path": f"{PREFIX}/projects/demo",
        "raw_path": b"",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"99999999999")],
        "root_path": "",
        "scheme": "http",
        "server": ("testserver", 80),
        "client": ("test", 1),
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 401


def test_an_endless_body_without_token_is_answered_at_once(tmp_path):
    """Over a real socket: the answer arrives although the sender never ends."""

    async def ask(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST {PREFIX}/uploads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: application/json\r\n\r\n10000\r\n".encode()
            + b"x" * 1000
        )
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        return line

    with live_service(tmp_path) as service:
        assert b" 401 " in asyncio.run(ask(service.port))


def test_a_body_above_the_limit_is_refused(tmp_path):
    client, _ = make_service(tmp_path)
    body = (b"x" * 1024**2 for _ in range(40))
    answer = client.patch("/projects/demo", headers={**bearer("admin"), "Content-Type": "application/json"}, content=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_no_websocket_opens_without_a_token_or_where_nobody_waits_for_one(tmp_path):
    client, _ = make_service(tmp_path)
    for path in ("/events", f"/clusters/{'0' * 32}/dashboard/status/ws"):
        for headers, status in (({}, 401), (bearer("nobody"), 401), (bearer("outsider"), 403), (bearer("alice"), None)):
            with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(PREFIX + path, headers=headers):
                pass
            assert status in (None, getattr(refused.value, "status_code", None)), path


def test_a_user_in_no_group_is_refused_and_written_down(tmp_path):
    client, context = make_service(tmp_path)
    answer = client.get("/me", headers=bearer("outsider"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    with reading(context.engine) as session:
        assert [(e.actor, e.action, e.outcome) for e in session.query(AuditEvent)] == [("outsider", "service.access", "denied")]


def test_the_hubs_door_takes_the_events_token_alone(tmp_path):
    client, _ = make_service(tmp_path)
    assert client.post("/internal/audit", json={}, headers=bearer("admin")).status_code == 401
    assert client.post("/internal/audit", json={}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/me/", 404, "not_found"),
        ("DELETE", "/me", 405, "method_not_allowed"),
        ("GET", "/projects/NOT-A-NAME", 422, "invalid_request"),
        ("GET", "/docs", 404, "not_found"),
    ],
)
def test_every_refusal_is_a_problem(tmp_path, method, path, status, code):
    client, _ = make_service(tmp_path)
    answer = client.request(method, path, headers=bearer("alice"))
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize(
    "body",
    [
        '{"title": 7}',
        '{"secret-name": 1}',
        '{"title": "',
        "[]",
        '{"quota_bytes": -1}',
        '{"open": "perhaps"}',
        "\x00",
    ],
)
def test_invalid_bodies_are_named_without_being_echoed(tmp_path, body):
    client, _ = make_service(tmp_path)
    answer = client.patch("/projects/demo", headers={**bearer("admin"), "Content-Type": "application/json"}, content=body)
    assert answer.status_code == 422
    assert not {"secret-name", "perhaps"} & set(answer.text.replace('"', " ").split())


def test_an_unforeseen_failure_tells_a_number_and_nothing_else(tmp_path, caplog):
    context = make_test_context(tmp_path)
    app = create_app(context, TableIdentity(ACTORS))
    router = APIRouter()

    @router.get(f"{PREFIX}/broken")
    def broken() -> None:
        raise ValueError("Jane Doe, born 1970")

    app.include_router(router)
    answer = TestClient(app).get(f"{PREFIX}/broken", headers=bearer("alice"))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    number = answer.json()["detail"].split()[-1].rstrip(".")
    assert number in caplog.text
    assert "Jane" not in answer.text + caplog.text
    assert "ValueError" in caplog.text


def test_the_document_is_open_api_3_1_and_names_problems_everywhere(tmp_path):
    client, _ = make_service(tmp_path)
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert path.startswith(PREFIX)
            assert {"4XX", "5XX"} <= set(operation["responses"]), (method, path)
            assert "422" not in operation["responses"]
