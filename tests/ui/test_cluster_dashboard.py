"""The dashboard of a real cluster in a real browser: its owner sees the task stream move, and nobody else reaches anything."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psutil
import pytest
import voxelhub
from playwright.sync_api import BrowserContext, Page, WebSocket
from support.chromium import Album
from support.lab_server import LAB, LabServer, lab_server
from support.live import LiveService, live_service
from support.service import bearer
from support.working import working
from support.world import ROOT, add_project
from voxelhub_sandbox.bubblewrap import unavailable

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (LAB.parent / "imaging").exists(), reason="the environment imaging is not installed"),
]
PATIENCE = 60  # seconds; the machine of the tests has two busy cores


@dataclass(frozen=True)
class Place:
    service: LiveService
    lab: LabServer
    cluster: voxelhub.Cluster

    @property
    def dashboard(self) -> str:
        return f"http://127.0.0.1:{self.lab.port}{self.cluster.dashboard_link}"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    """Bob's server, and a cluster of his."""
    folder = tmp_path_factory.mktemp("dashboard")
    with live_service(folder, envs_dir=ROOT / ".envs") as service, pytest.MonkeyPatch.context() as patch:
        add_project(service.context)
        patch.setenv("VOXELHUB_API_URL", service.url)
        patch.setenv("JUPYTERHUB_API_TOKEN", "token-of-bob")
        patch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/maria/")  # where the server of these tests lies
        with (
            working(service.context),
            lab_server(folder / "home", service.url, "token-of-bob") as lab,
            voxelhub.Cluster(workers=1, project="demo", quiet=True) as cluster,
        ):
            yield Place(service, lab, cluster)


def test_its_owner_sees_the_task_stream_move(place: Place, browser: BrowserContext, tmp_path) -> None:
    """In a frame of a page of the own server, as in Lab."""
    client = place.cluster.get_client()
    page = browser.new_page()
    messages: list[int] = []
    page.on("websocket", lambda socket: _count(socket, messages))
    page.goto(f"{place.lab.url}/api/status?token={place.lab.token}")
    page.route("**/user/maria/framing", lambda route: route.fulfill(
        body=f"<title>Lab</title><iframe title='Dashboard' style='height:820px;width:1400px' src='{place.dashboard}'></iframe>",
        content_type="text/html"))
    page.goto(f"{place.lab.url}/framing", wait_until="commit")
    frame = page.frame_locator("iframe")
    frame.get_by_text("Status", exact=True).wait_for()
    page.wait_for_function("window.frames.length === 1")
    page.wait_for_timeout(1500)
    before, then = _picture(page), len(messages)
    slow = client.map(lambda number: __import__("time").sleep(0.05) or number, range(20), pure=False)
    assert client.gather(slow) == list(range(20))
    for _ in range(120):
        page.wait_for_timeout(500)
        if _picture(page) != before and len(messages) > then + 3:
            break
    assert _picture(page) != before, "nothing moved"
    assert len(messages) > then + 3, "nothing was pushed"
    Album(tmp_path, "cluster-").take(page, "dashboard")
    address = next(one.url for one in page.frames if "/dashboards/" in one.url)
    assert page.frames[1].evaluate("() => { try { return document.cookie } catch { return 'none' } }") == "none"
    assert address.endswith("/status")


def test_its_pages_about_workers_need_no_other_machine(place: Place) -> None:
    page = httpx.get(f"{place.service.url}/clusters/{place.cluster.id}/dashboard/info/main/workers.html", headers=bearer("bob"),
                     timeout=PATIENCE)
    assert page.status_code == 200 and "worker-" in page.text
    assert "<style>" in page.text and "https://" not in page.text


def test_nobody_else_does(place: Place) -> None:
    """A member of the project, its owner, an administrator, a stranger: with their own tokens, as for a cluster that is not."""
    path = f"clusters/{place.cluster.id}/dashboard/status"
    unknown = httpx.get(f"{place.service.url}/clusters/{'0' * 32}/dashboard/status", headers=bearer("alice"), timeout=PATIENCE)
    for name in ("alice", "admin", "mallory"):
        answer = httpx.get(f"{place.service.url}/{path}", headers=bearer(name), timeout=PATIENCE)
        assert (answer.status_code, answer.content) == (404, unknown.content), name
    mine = httpx.get(f"{place.service.url}/{path}", headers=bearer("bob"), timeout=PATIENCE, follow_redirects=True)
    assert mine.status_code == 200  # sent there again where it had to be loaded first


def test_its_ports_speak_to_nobody_without_a_certificate(place: Place) -> None:
    """Every port that scheduler and workers listen on: neither HTTP nor TLS without a certificate of this cluster."""
    ports = _ports(place)
    assert ports, "the scheduler listens nowhere"
    for port in ports:
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/status", timeout=PATIENCE)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain) as secured,
        ):
            secured.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
            if not secured.recv(100):
                raise ConnectionError("closed")


def _ports(place: Place) -> set[int]:
    """Of the processes that name this cluster in their command, and of the children of these."""
    found: set[int] = set()
    for process in psutil.process_iter():
        try:
            if place.cluster.id in " ".join(process.cmdline()):
                for one in (process, *process.children(recursive=True)):
                    found |= {link.laddr.port for link in one.net_connections("tcp") if link.status == psutil.CONN_LISTEN}
        except psutil.Error:
            continue
    return found


def _count(socket: WebSocket, messages: list[int]) -> None:
    socket.on("framereceived", lambda payload: messages.append(len(payload)))


def _picture(page: Page) -> bytes:
    return page.locator("iframe").screenshot()
