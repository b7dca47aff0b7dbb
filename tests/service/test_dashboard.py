"""A cluster's dashboard through the service: the owner's alone, and what answers there is nobody's friend."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket
from sqlalchemy import select
from support.live import LiveService, live_service
from support.service import ACTORS, BOB, bearer
from support.world import add_project, until
from voxelhub_service.api import routes_dashboard
from voxelhub_service.database import reading, writing
from voxelhub_service.models import Cluster, Project
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

SEEN: list[dict[str, str]] = []


class Pages(tornado.web.RequestHandler):
    """Says what reached it, and tries what a hostile scheduler would."""

    def get(self, path: str) -> None:
        SEEN.append({name.lower(): value for name, value in self.request.headers.get_all()} | {":uri": self.request.uri})
        self.set_header("Set-Cookie", "stolen=1")
        self.set_header("Content-Security-Policy", "default-src *")
        self.set_header("Access-Control-Allow-Origin", "*")
        if path.startswith("to/"):
            self.set_status(302)
            self.set_header("Location", self.get_argument("where"))
        elif path == "large":
            for _ in range(3):
                self.write(bytes(1024**2))
                self.flush()
        else:
            self.write(f"page {path}")


class Echo(tornado.websocket.WebSocketHandler):
    def select_subprotocol(self, offered: list[str]) -> str | None:
        return offered[0] if offered else None

    def open(self, *_: str) -> None:
        SEEN.append({name.lower(): value for name, value in self.request.headers.get_all()})

    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


@contextmanager
def scheduler_at(path: Path) -> Iterator[None]:
    """A dashboard on a Unix socket."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        server = tornado.httpserver.HTTPServer(tornado.web.Application([(r"/(.*)/ws", Echo), (r"/(.*)", Pages)]))
        with in_folder(path.parent):
            server.add_socket(tornado.netutil.bind_unix_socket(path.name))
        ready.set()

    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(120)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(120)


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """A socket's path may have 107 bytes: made from within."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("service")) as live:
        add_project(live.context)
        yield live


@pytest.fixture
def cluster(service: LiveService) -> Iterator[str]:
    """Bob's, running, with its dashboard."""
    with writing(service.context.engine) as session:
        project = session.scalars(select(Project.id).where(Project.name == "demo")).one()
        row = Cluster(title="Mine", project_id=project, owner="bob", server="", made_in="api", kind="small",
                      environment="imaging", cpu=1.0, memory=1, adaptive=True, minimum=0, maximum=1, workers=0, state="running")
        session.add(row)
        session.flush()
        id = row.id
    folder = service.context.settings.clusters_dir / id / "run"
    SEEN.clear()
    with scheduler_at(folder / "dashboard.sock"):
        yield id
    shutil.rmtree(folder.parent)


def get(service: LiveService, cluster: str, path: str, name: str = "bob", **options) -> httpx.Response:
    headers = {**bearer(name), **options.pop("headers", {})}
    return httpx.get(f"{service.url}/clusters/{cluster}/dashboard/{path}", headers=headers, trust_env=False, **options)


def open_socket(service: LiveService, cluster: str, name: str = "bob", path: str = "status/ws", **options):
    address = f"ws{service.url.removeprefix('http')}/clusters/{cluster}/dashboard/{path}"
    return connect(address, additional_headers={**bearer(name), **options.pop("headers", {})}, **options)


def test_the_owner_sees_pages_and_a_live_connection(service, cluster):
    answer = get(service, cluster, "info/task/a%2Fb.html?x=1%202", headers={"Cookie": "a=b", "Accept": "text/html"})
    assert (answer.status_code, answer.text) == (200, "page info/task/a/b.html")
    assert SEEN[-1][":uri"] == "/info/task/a%2Fb.html?x=1%202"
    with open_socket(service, cluster, subprotocols=["bokeh", "token.of-a_session"], headers={"Cookie": "a=b"}) as socket:
        assert socket.subprotocol == "bokeh"
        socket.send("text")
        socket.send(b"\x00bytes" * 100_000)
        assert socket.recv(timeout=120) == "text"
        assert socket.recv(timeout=120) == b"\x00bytes" * 100_000


def test_no_credential_and_no_address_reaches_the_scheduler(service, cluster):
    get(service, cluster, "status", headers={"Cookie": "a=b", "Origin": "https://hub.example", "Referer": "https://hub.example/x"})
    with open_socket(service, cluster, headers={"Cookie": "a=b"}, origin="https://hub.example"):
        pass
    assert len(SEEN) == 2
    for headers in SEEN:
        assert not {"authorization", "cookie", "origin", "referer", "x-forwarded-for"} & set(headers)
        assert headers["host"] == "localhost"


def test_what_comes_back_sets_no_cookie_and_no_policy_of_its_own(service, cluster):
    headers = get(service, cluster, "status").headers
    assert headers["content-security-policy"] == "sandbox allow-scripts"
    assert not {"set-cookie", "access-control-allow-origin"} & set(headers)


@pytest.mark.parametrize("name", ["alice", "admin", "mallory"])
def test_nobody_else_does(service, cluster, name):
    """Neither a member of the project, nor its owner, nor an administrator."""
    unknown = get(service, "0" * 32, "status", name)
    answer = get(service, cluster, "status", name)
    assert (answer.status_code, answer.content) == (404, unknown.content)
    with pytest.raises(InvalidStatus) as refused, open_socket(service, cluster, name):
        pass
    assert refused.value.response.status_code == 404
    with pytest.raises(InvalidStatus) as refused, open_socket(service, cluster, "nobody"):
        pass
    assert refused.value.response.status_code == 401
    assert SEEN == []


def test_an_owner_who_left_the_project_does_not_see_it(service, cluster):
    service.identity.actors["token-of-bob"] = type(BOB)("bob", BOB.groups - {"/projects/demo"})
    try:
        assert get(service, cluster, "status").status_code == 404
    finally:
        service.identity.actors["token-of-bob"] = ACTORS["token-of-bob"]


def test_a_connection_ends_when_its_token_does(service, cluster, monkeypatch):
    monkeypatch.setattr(routes_dashboard, "RECHECK", 0.1)
    with open_socket(service, cluster) as socket:
        socket.send("a")
        assert socket.recv(timeout=120) == "a"
        del service.identity.actors["token-of-bob"]
        try:
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=120)
        finally:
            service.identity.actors["token-of-bob"] = BOB
    until(lambda: routes_dashboard._open["bob"] == 0)


@pytest.mark.parametrize(("path", "where", "sent"), [
    ("to/x", "/status", "../status"), ("to/x", "http://localhost/status?a=1", "../status?a=1"), ("to/x", "y", "y"),
    ("to/x", "http://evil.example/", None), ("to/x", "//evil.example/", None), ("to/x", "/../../user/bob/", None),
    ("to/x", "javascript:1", None), ("to/x", "\\\\evil.example", None),
])
def test_it_sends_nobody_elsewhere(service, cluster, path, where, sent):
    answer = get(service, cluster, path, params={"where": where})
    assert (answer.status_code, answer.headers.get("location")) == (302, sent)


def test_a_page_has_its_bounds(service, cluster, monkeypatch):
    assert len(get(service, cluster, "large").content) == 3 * 1024**2
    monkeypatch.setattr(routes_dashboard, "MOST", 2 * 1024**2)
    with pytest.raises(httpx.RemoteProtocolError):
        get(service, cluster, "large")


def test_a_person_has_so_many_and_not_more(service, cluster, monkeypatch):
    monkeypatch.setattr(routes_dashboard, "SOCKETS", 1)
    with open_socket(service, cluster), pytest.raises(InvalidStatus) as refused, open_socket(service, cluster):
        pass
    assert refused.value.response.status_code == 429


def test_a_link_to_another_socket_leads_nowhere(service, cluster):
    """The scheduler may write that folder: it could point at the socket of another person's cluster."""
    run = service.context.settings.clusters_dir / cluster / "run"
    with tempfile.TemporaryDirectory() as elsewhere, scheduler_at(Path(elsewhere) / "secret.sock"):
        (run / "dashboard.sock").unlink()
        for target in (Path(elsewhere) / "secret.sock", Path("/etc/passwd")):
            (run / "dashboard.sock").symlink_to(target)
            answer = get(service, cluster, "status")
            assert (answer.status_code, answer.json()["code"]) == (409, "no_dashboard")
            with pytest.raises(InvalidStatus) as refused, open_socket(service, cluster):
                pass
            assert refused.value.response.status_code == 409
            (run / "dashboard.sock").unlink()
    assert SEEN == []
    assert get(service, cluster, "status").status_code == 409
    (run / "dashboard.sock").write_text("a file")
    assert get(service, cluster, "status").status_code == 409


def test_a_cluster_that_does_not_run_has_none(service, cluster):
    with writing(service.context.engine) as session:
        session.get_one(Cluster, cluster).state = "starting"
    answer = get(service, cluster, "status")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_dashboard")
    assert "starting" in answer.json()["detail"]
    with reading(service.context.engine) as session:
        assert session.get_one(Cluster, cluster).state == "starting"
