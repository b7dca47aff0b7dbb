"""The dashboards of one's clusters, shown in Lab or in a tab of their own, as documents that can do nothing in one's name.

`<base>/voxelhub/api/v1/clusters/<id>/dashboard/<page>` is the door: it asks for the login as Jupyter does, and answers with
a ticket, by sending the browser to `<base>/voxelhub/dashboards/<id>/<ticket>/<page>`. Behind it, ticket in hand, come the
page, its scripts and its WebSocket (`tickets.py` says why no cookie could do this). The policy that goes with the page
lets it load and connect to what lies below its ticket, and to nothing else of this or any other machine.
"""

from __future__ import annotations

import contextlib
import html
import json
import re
from asyncio import Task, create_task
from typing import Any
from urllib.parse import urlsplit

import httpx
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketHandler, websocket_connect

from .proxy import RETRY_AFTER, TIMEOUT, Upstream
from .tickets import Tickets
from .wire import returned_headers, safe_path, upstream_query

FROM_BROWSER, FROM_SCHEDULER = 1024**2, 16 * 1024**2  # bytes of a WebSocket's message
HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")
POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' {here}; "  # Bokeh's tables evaluate
    "style-src 'unsafe-inline' {here}; "
    "img-src data: blob: {here}; font-src data: {here}; connect-src {here} ws://{here} wss://{here}; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
ASKED = ("Accept", "Accept-Language", "If-None-Match", "If-Modified-Since")
DOOR = r"api/v1/clusters/([0-9a-f]{32})/dashboard(?:/(.*))?"
PAGE = r"dashboards/([0-9a-f]{32})/([\w-]{43})/(.*)"
SOCKET = r"dashboards/([0-9a-f]{32})/([\w-]{43})/(.*/ws)"
PAPER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Dashboard</title>
<style>:root{{color-scheme:light dark}}body{{font:15px/1.5 system-ui,sans-serif;max-width:36em;margin:4em auto}}</style>
<p>{detail}</p><p>{fix}</p></html>"""


class Door(JupyterHandler):  # type: ignore[misc]
    """For people who open a page, not for scripts: a script of another page of this origin could read where it leads."""

    def initialize(self, tickets: Tickets, base: str) -> None:
        self.tickets, self.base = tickets, base

    @property
    def _track_activity(self) -> bool:
        return False

    @web.authenticated
    def get(self, cluster: str, path: str | None) -> None:
        if self.request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate" or not safe_path(self.request.path):
            raise web.HTTPError(403)
        page = self.request.path.partition("/dashboard/")[2] or "status"
        address = f"{self.base}/dashboards/{cluster}/{self.tickets.issue(cluster)}/{page}"
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.redirect(address + upstream_query(self.request.query))


class _Behind:
    """What page and WebSocket have in common: the ticket, and where they ask."""

    request: Any
    tickets: Tickets
    upstream: Upstream
    base: str

    def initialize(self, tickets: Tickets, upstream: Upstream, base: str) -> None:
        self.tickets, self.upstream, self.base = tickets, upstream, base

    def prefix(self, cluster: str, word: str) -> str:
        return f"{self.base}/dashboards/{cluster}/{word}/"

    def admitted(self, cluster: str, word: str) -> bool:
        return safe_path(self.request.path) and self.tickets.use(word, cluster)

    def address(self, cluster: str, word: str) -> str:
        page = self.request.path[len(self.prefix(cluster, word)):]
        query = f"?{self.request.query}" if self.request.query else ""
        return f"{self.upstream.api_url.rstrip('/')}/clusters/{cluster}/dashboard/{page}{query}"


class Page(_Behind, web.RequestHandler):
    """A page, script or picture of the scheduler."""

    async def get(self, cluster: str, word: str, path: str) -> None:
        here = f"{self.request.host}{self.prefix(cluster, word)}"
        if not HOST.fullmatch(self.request.host):
            raise web.HTTPError(400)
        self._protect(here)
        if not self.admitted(cluster, word):
            return self._expired(cluster, path)
        headers = {name: self.request.headers[name] for name in ASKED if name in self.request.headers}
        headers["Authorization"] = f"token {self.upstream.token}"
        asked = self.upstream.client.build_request("GET", self.address(cluster, word), headers=headers, timeout=TIMEOUT)
        try:
            answer = await self.upstream.client.send(asked, stream=True)
        except httpx.HTTPError:
            self.set_header("Retry-After", str(RETRY_AFTER))
            return self._say(503, "VoxelHub's service does not answer at the moment.", "The cluster goes on. Reload in a moment.")
        try:
            if answer.headers.get("content-type", "").startswith("application/problem+json"):
                problem = json.loads(await answer.aread())
                return self._say(answer.status_code, problem["detail"], problem.get("fix") or "")
            await self._pass_on(answer)
        finally:
            await answer.aclose()
        return None

    async def _pass_on(self, answer: httpx.Response) -> None:
        self.set_status(answer.status_code)
        self.clear_header("Content-Type")
        for name, value in returned_headers(answer.headers.multi_items()):
            self.set_header(name, value)
        if "location" in answer.headers:  # relative to this page, as the service sends it
            self.set_header("Location", answer.headers["location"])
        with contextlib.suppress(StreamClosedError):
            async for block in answer.aiter_raw():
                self.write(block)
                await self.flush()

    def _protect(self, here: str) -> None:
        self.set_header("Content-Security-Policy", POLICY.format(here=here))
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.clear_header("Server")

    def _expired(self, cluster: str, path: str) -> None:
        """Whoever opens an old address in a tab goes through the door again; within a frame nobody could, without cookies."""
        if self.request.headers.get("Sec-Fetch-Dest") == "document" and safe_path(self.request.path):
            self.redirect(f"{self.base}/api/v1/clusters/{cluster}/dashboard/status")
        else:
            self._say(403, "This view of the dashboard has expired.", "Open it again from the panel Clusters.")

    def _say(self, status: int, detail: str, fix: str) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(PAPER.format(detail=html.escape(detail), fix=html.escape(fix)))

    def compute_etag(self) -> None:
        """That of the scheduler passes."""


class Socket(_Behind, WebSocketHandler):
    """Bokeh's live connection, message by message: none is read before the one before it went on."""

    scheduler: WebSocketClientConnection | None = None
    reading: Task[None] | None = None

    @property
    def max_message_size(self) -> int:
        return FROM_BROWSER

    def check_origin(self, origin: str) -> bool:
        """A document without an origin calls itself `null`, as anybody may: what counts is the ticket."""
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        chosen = self.scheduler.selected_subprotocol if self.scheduler is not None else None
        return chosen if chosen in subprotocols else None

    async def get(self, cluster: str, word: str, path: str) -> None:
        self.admission = (word, cluster)
        if not self.admitted(cluster, word):
            raise web.HTTPError(403)
        scheme = "wss" if urlsplit(self.upstream.api_url).scheme == "https" else "ws"
        address = f"{scheme}://{self.address(cluster, word).partition('://')[2]}"
        headers = {"Authorization": f"token {self.upstream.token}"}
        asked = HTTPRequest(address, headers=headers, connect_timeout=10, request_timeout=20)
        offered = [one.strip() for one in self.request.headers.get("Sec-WebSocket-Protocol", "").split(",") if one.strip()]
        try:
            self.scheduler = await websocket_connect(asked, subprotocols=offered or None, max_message_size=FROM_SCHEDULER)
        except HTTPClientError as error:
            raise web.HTTPError(error.code if 400 <= error.code < 500 else 503) from None
        except OSError:
            raise web.HTTPError(503) from None
        await super().get(cluster, word, path)

    def open(self, *_: str, **__: str) -> None:
        self.reading = create_task(self._downward())

    async def on_message(self, message: str | bytes) -> None:
        if self.scheduler is None or not self.tickets.use(*self.admission):
            return self.close(1008)
        with contextlib.suppress(WebSocketClosedError):
            await self.scheduler.write_message(message, binary=isinstance(message, bytes))
        return None

    async def _downward(self) -> None:
        assert self.scheduler is not None
        with contextlib.suppress(WebSocketClosedError):
            while (message := await self.scheduler.read_message()) is not None and self.tickets.use(*self.admission):
                await self.write_message(message, binary=isinstance(message, bytes))
        self.close(1001)

    def on_close(self) -> None:
        if self.reading is not None:
            self.reading.cancel()
        if self.scheduler is not None:
            self.scheduler.close()


def routes(base: str, upstream: Upstream) -> list[tuple[str, type, dict[str, Any]]]:
    """Below `base`, the extension's own prefix; before the route of the API, of which the door is a part."""
    tickets = Tickets()
    behind = {"tickets": tickets, "upstream": upstream, "base": base}
    return [(f"{base}/{DOOR}", Door, {"tickets": tickets, "base": base}),
            (f"{base}/{SOCKET}", Socket, behind), (f"{base}/{PAGE}", Page, behind)]
