"""The service's application behind uvicorn on a free loopback port, in a thread of this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from support.service import ACTORS, TableIdentity, make_test_context
from voxelhub_service.api.app import create_app
from voxelhub_service.api.gate import PREFIX
from voxelhub_service.context import Context
from voxelhub_service.identity.actor import Actor
from voxelhub_service.identity.tokens import Identity


@dataclass(frozen=True)
class LiveService:
    port: int
    context: Context
    identity: Any
    app: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}"


@contextmanager
def live_service(
    folder: Path, actors: Mapping[str, Actor] | None = None, identity: Identity | None = None, hub: Any = None, **changes: Any,
) -> Iterator[LiveService]:
    context = make_test_context(folder, **changes)
    known = identity or TableIdentity(ACTORS if actors is None else actors)
    app = create_app(context, known, hub)
    with serving(app) as port:
        yield LiveService(port, context, known, app)


@contextmanager
def serving(app: Any) -> Iterator[int]:
    """Any ASGI application on a free port; yields the port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=10))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + 120
    while not server.started:
        assert time.monotonic() < until, "uvicorn did not start"
        time.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        if feed := getattr(getattr(app, "state", None), "feed", None):
            feed.closed = True
        server.should_exit = True
        thread.join(60)
        listening.close()
        assert not thread.is_alive(), "uvicorn did not stop"
