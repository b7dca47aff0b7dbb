"""Streaming proxy from a user's own server to the VoxelHub service.

Bytes pass in both directions through a queue of four blocks and are stored nowhere. The browser proves itself to
Jupyter (login and XSRF); the service sees only the server's own hub token. No cookie crosses in either direction.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from .wire import returned_headers, returned_location, safe_path, upstream_headers, upstream_query

QUEUE = 4  # blocks (64 KiB each, tornado's chunk size)
MAX_BODY = 2**53
DRAIN = 64 * 1024**2  # bytes of a refused body that are read and dropped, so that the answer reaches the browser
RETRY_AFTER = 3  # seconds
TIMEOUT = httpx.Timeout(connect=5, read=300, write=300, pool=None)
EVENTS = httpx.Timeout(connect=5, read=None, write=300, pool=None)
READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Upstream:
    client: httpx.AsyncClient
    api_url: str
    own_prefix: str

    @property
    def token(self) -> str:
        return os.environ.get("JUPYTERHUB_API_TOKEN", "")


class BrokenBody(Exception):
    """The service went away in the middle of a message; only a closed connection says so truthfully."""


@web.stream_request_body
class ApiHandler(APIHandler):  # type: ignore[misc]
    """One exchange. Answers 503 with a problem document while the service cannot be reached."""

    def initialize(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.exchange: asyncio.Task[None] | None = None
        self.dropped = 0
        self.read_whole = False

    @property
    def _track_activity(self) -> bool:
        return self.request.method not in READS

    @property
    def content_security_policy(self) -> str:
        """Stored files are shown by panels, never run as pages of this origin."""
        return f"{super().content_security_policy}; sandbox"

    async def prepare(self) -> None:
        await super().prepare()
        if not self.current_user:
            raise web.HTTPError(403)
        self.request.connection.set_max_body_size(MAX_BODY)
        self.blocks: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE)
        if not safe_path(self.request.path):
            self._problem(400, "bad_path", "This address is not part of the API.", "")
            return
        self.exchange = asyncio.create_task(self._exchange())
        self.exchange.add_done_callback(self._ended)

    async def data_received(self, chunk: bytes) -> None:
        """Wait until the service took the block; after its answer, drop what still arrives, within reason."""
        exchange = self.exchange
        if exchange is None or exchange.done():
            return self._drop(chunk)
        put = asyncio.ensure_future(self.blocks.put(chunk))
        await asyncio.wait({put, exchange}, return_when=asyncio.FIRST_COMPLETED)
        if not put.done():
            put.cancel()
            self._drop(chunk)
        return None

    def _drop(self, chunk: bytes) -> None:
        self.dropped += len(chunk)
        if self.dropped > DRAIN:
            self._hang_up()

    def _ended(self, exchange: asyncio.Task[None]) -> None:
        if exchange.cancelled() or exchange.exception() is not None:
            self._hang_up()

    async def _relay(self, *_: Any) -> None:
        self.read_whole = True
        if self.exchange is None:
            return
        put = asyncio.ensure_future(self.blocks.put(None))
        await asyncio.wait({put, self.exchange}, return_when=asyncio.FIRST_COMPLETED)
        put.cancel()
        with contextlib.suppress(BrokenBody, httpx.HTTPError, StreamClosedError, asyncio.CancelledError):
            await self.exchange

    get = head = post = put = patch = delete = options = _relay

    def flush(self, include_footers: bool = False) -> Any:
        """Tornado closes the connection behind an answer that came before the end of its request, and says so to nobody: a
        client that kept the connection would lose its next request."""
        if not self.read_whole:
            self.set_header("Connection", "close")
        return super().flush(include_footers)

    def on_connection_close(self) -> None:
        if self.exchange is not None:
            self.exchange.cancel()

    def _hang_up(self) -> None:
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None:
            stream.close()

    def _problem(self, status: int, code: str, detail: str, fix: str) -> None:
        self.set_status(status)
        if status == 503:
            self.set_header("Retry-After", str(RETRY_AFTER))
        document = {"status": status, "code": code, "detail": detail, "fix": fix}
        self.finish(json.dumps(document), set_content_type="application/problem+json")

    def _unreachable(self) -> None:
        self._problem(503, "service_unreachable", "The VoxelHub service does not answer at the moment.",
                      "Nothing is lost. The panels try again by themselves; if it lasts, tell your administrator.")

    async def _body(self) -> AsyncIterator[bytes]:
        while (block := await self.blocks.get()) is not None:
            yield block

    def _has_body(self) -> bool:
        headers = self.request.headers
        return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0"

    async def _exchange(self) -> None:
        upstream, request = self.upstream, self.request
        if not (upstream.api_url and upstream.token):
            return self._unreachable()
        address = upstream.api_url.rstrip("/") + request.path[len(upstream.own_prefix):] + upstream_query(request.query)
        headers = upstream_headers(request.headers.get_all(), upstream.token)
        streaming = "text/event-stream" in request.headers.get("Accept", "")
        outgoing = upstream.client.build_request(
            request.method or "GET", address, headers=headers, content=self._body() if self._has_body() else None,
            timeout=EVENTS if streaming else TIMEOUT,
        )
        try:
            incoming = await upstream.client.send(outgoing, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return self._unreachable()
        except httpx.HTTPError as error:
            if self._has_body():
                raise BrokenBody from error
            return self._unreachable()
        try:
            await self._answer(incoming)
        finally:
            await incoming.aclose()
        return None

    async def _answer(self, incoming: httpx.Response) -> None:
        self.set_status(incoming.status_code)
        self.clear_header("Content-Type")
        for name, value in returned_headers(incoming.headers.multi_items()):
            self.set_header(name, value)
        if "location" in incoming.headers:
            location = returned_location(incoming.headers["location"], self.upstream.api_url, self.upstream.own_prefix)
            if location:
                self.set_header("Location", location)
        self.update_api_activity()
        await self.flush()
        async for block in incoming.aiter_raw():
            self.write(block)
            await self.flush()
        await self.finish()
