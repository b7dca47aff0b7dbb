"""The dashboard of a Dask cluster, for its owner alone: pages and WebSockets, passed through from the scheduler's socket.

What answers there is the scheduler, which runs its owner's code. So it gets no credential, no cookie and no address of the
caller; little of what it says is believed, and all of it is bounded. How a browser may show its pages is decided where they
meet one (`voxelhub_lab.dashboards`); here they are marked as documents without an origin.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import httpx
from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from fastapi import Path as PathValue
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Scope
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from ..context import Context
from ..database import reading
from ..errors import Problem, conflict, not_found
from ..identity.actor import Actor
from ..identity.tokens import Credential
from ..models import Cluster, Project
from ..policy.authorize import require
from ..wire import Identifier
from .deps import CallerDep, ContextDep
from .gate import refuse
from .user_socket import held_socket

router = APIRouter(tags=["clusters"])
SOCKET = "dashboard.sock"
HOST = "localhost"  # what the scheduler is told; never the address of the installation
ASKED = ("accept", "accept-language", "if-none-match", "if-modified-since")
ANSWERED = ("content-type", "content-length", "etag", "last-modified")
SAFE = {"Content-Security-Policy": "sandbox allow-scripts", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, no-cache"}
TIMEOUT = httpx.Timeout(connect=5, read=60, write=10, pool=5)  # seconds
MOST = 64 * 1024**2  # bytes of a page
MESSAGE = 16 * 1024**2  # bytes of a message of the scheduler; the first picture of a large cluster has a few MiB
QUEUE = 4  # messages that wait for a slow browser
SOCKETS = 32  # that one person may have open
RECHECK = 15.0  # seconds after which it is asked again whether the caller may see this
PROTOCOL = re.compile(r"[A-Za-z0-9._~+-]{1,8192}")  # Bokeh puts its session's token there
WRITTEN = "/%:@!$&'()*+,;=-._~"  # what an address may hold; anything else is encoded
ASIDE = re.compile(r"[^\x21-\x7e]|\\")


@router.get("/clusters/{cluster_id}/dashboard/{path:path}", response_class=Response)
async def read_dashboard(
    cluster_id: Identifier, path: Annotated[str, PathValue(max_length=1024)],
    request: Request, context: ContextDep, actor: CallerDep,
) -> Response:
    """A page, script or picture of the dashboard of one's own cluster."""
    folder = await run_in_threadpool(_folder, context, actor, cluster_id)
    address = _address("http", request.scope)
    sent = [*((name, value) for name, value in request.headers.items() if name in ASKED), ("Accept-Encoding", "identity")]
    asked = httpx.Request("GET", address, headers=sent, extensions={"timeout": TIMEOUT.as_dict()})
    async with AsyncExitStack() as stack:
        try:
            socket = stack.enter_context(held_socket(folder, SOCKET))
            transport = await stack.enter_async_context(httpx.AsyncHTTPTransport(uds=socket))
            answer = await transport.handle_async_request(asked)
        except (OSError, httpx.HTTPError):
            raise _silent() from None
        stack.push_async_callback(answer.aclose)
        kept = stack.pop_all()
    return StreamingResponse(_bounded(answer, kept), answer.status_code if 200 <= answer.status_code < 600 else 502,
                             _headers(answer, path))


@router.websocket("/clusters/{cluster_id}/dashboard/{path:path}")
async def relay_dashboard(socket: WebSocket, cluster_id: Identifier, path: str) -> None:
    """Bokeh's live connection."""
    context: Context = socket.app.state.context
    actor: Actor = socket.state.actor
    protocols = [Subprotocol(p) for p in socket.scope.get("subprotocols", []) if PROTOCOL.fullmatch(p)][:4]
    try:
        folder = await run_in_threadpool(_folder, context, actor, cluster_id)
        address = _address("ws", socket.scope)
        async with AsyncExitStack() as stack:
            stack.enter_context(_place(actor.name))
            try:
                held = stack.enter_context(held_socket(folder, SOCKET))
                scheduler = await stack.enter_async_context(unix_connect(
                    held, address, subprotocols=protocols or None, compression=None, max_size=MESSAGE, max_queue=QUEUE,
                    open_timeout=10, ping_interval=None, close_timeout=2, user_agent_header="voxelhub"))
            except (OSError, InvalidHandshake, InvalidMessage, TimeoutError):
                raise _silent() from None
            await socket.accept(subprotocol=scheduler.subprotocol)
            await _relay(socket, scheduler, cluster_id, context)
    except Problem as problem:
        await socket.app.state.denials.append(socket.scope, problem)
        await refuse(problem, socket.scope, socket.receive, socket.send)


async def _relay(socket: WebSocket, scheduler: ClientConnection, cluster_id: str, context: Context) -> None:
    """Until one side ends, or the caller may no longer see this."""
    ways = [asyncio.create_task(way) for way in (
        _upward(socket, scheduler), _downward(socket, scheduler), _watch(socket, cluster_id, context))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(1001)


async def _upward(socket: WebSocket, scheduler: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        while (message := await socket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            await scheduler.send(text if text is not None else message["bytes"])


async def _downward(socket: WebSocket, scheduler: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed, WebSocketDisconnect, RuntimeError):
        async for message in scheduler:
            await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))


async def _watch(socket: WebSocket, cluster_id: str, context: Context) -> None:
    """Ends when the token stands for nobody any more, or the cluster is not theirs or has ended."""
    credential: Credential = socket.state.credential
    while True:
        await asyncio.sleep(RECHECK)
        try:
            actor = await socket.app.state.identity.actor_of(credential)
            await run_in_threadpool(_folder, context, actor, cluster_id)
        except Problem as problem:
            if problem.status != 503:  # nobody to ask: as before, until there is
                return


def _folder(context: Context, actor: Actor, cluster_id: str) -> Path:
    """Where the scheduler's sockets lie. Of one's own cluster only, whatever else one may do with clusters of others."""
    with reading(context.engine) as session:
        cluster = session.get(Cluster, cluster_id)
        if cluster is None or cluster.owner != actor.name:
            raise not_found()
        require(actor, "cluster.read", session.get(Project, cluster.project_id))
        if cluster.state != "running":
            sentence = f"This cluster is {cluster.state}; it has a dashboard while it is running."
            raise conflict("no_dashboard", sentence, "Look again in a moment." if cluster.state == "starting" else "")
    return context.settings.clusters_dir / cluster_id / "run"


def _address(scheme: str, scope: Scope) -> str:
    """Of the page at the scheduler, as the caller wrote it: a task's key in it may hold an encoded slash."""
    path = scope["raw_path"].partition(b"/dashboard/")[2].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{scheme}://{HOST}/{quote(path, safe=WRITTEN)}" + (f"?{quote(query, safe=WRITTEN + '?')}" if query else "")


def _headers(answer: httpx.Response, path: str) -> dict[str, str]:
    said = {name: answer.headers[name] for name in ANSWERED if name in answer.headers}
    target = _target(answer.headers.get("location", ""), path)
    return {**said, **SAFE, **({"Location": target} if target else {})}


def _target(location: str, path: str) -> str:
    """Where a page sends the browser, as a path relative to that page; empty unless it stays on the dashboard."""
    location = location.removeprefix(f"http://{HOST}")
    if not location or ASIDE.search(location) or location.startswith("//") or ":" in location.partition("?")[0]:
        return ""
    if not location.startswith("/"):
        return location if ".." not in location else ""
    return "../" * path.count("/") + location[1:] if ".." not in location else ""


async def _bounded(answer: httpx.Response, kept: AsyncExitStack) -> AsyncIterator[bytes]:
    left = MOST
    async with kept:
        async for block in answer.aiter_raw():
            left -= len(block)
            if left < 0:
                raise RuntimeError("a dashboard's page is larger than it may be")
            yield block


_open: Counter[str] = Counter()


@contextmanager
def _place(name: str) -> Iterator[None]:
    if _open[name] >= SOCKETS:
        raise Problem(429, "too_many_dashboards", f"You have {SOCKETS} dashboards open.", "Close some of their tabs.")
    _open[name] += 1
    try:
        yield
    finally:
        _open[name] -= 1


def _silent() -> Problem:
    return conflict("no_dashboard", "The scheduler of this cluster does not answer with its dashboard.",
                    "Look again in a moment; the cluster's log may say why.")
