"""The HTTP API as one application: routers under one prefix, the Gate before them, the Shield around all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from .. import __version__
from ..audit.intake import take_in_spool
from ..audit.tending import tend
from ..context import Context
from ..identity.hub import HubClient
from ..identity.tokens import Identity
from ..secrets import read_secret
from . import (
    routes_audit,
    routes_batches,
    routes_clusters,
    routes_core,
    routes_dashboard,
    routes_datasets,
    routes_entries,
    routes_events,
    routes_evidence,
    routes_files,
    routes_imports,
    routes_internal,
    routes_quarantine,
    routes_runs,
    routes_spend,
    routes_storage,
    routes_submissions,
    routes_tokens,
    routes_tools,
    routes_uploads,
)
from .document import openapi_of
from .errors import Denials, Shield, install_error_handlers
from .feed import Feed
from .gate import PREFIX, Gate

log = logging.getLogger("voxelhub.api")

MAX_BODY = 32 * 1024**2  # bytes of a JSON body; 100,000 files of an upload take about 15 MiB
SPOOL_EVERY = 5.0  # seconds
ROUTERS = (
    routes_core, routes_events, routes_audit, routes_tokens,
    routes_datasets, routes_entries, routes_files, routes_storage, routes_uploads, routes_imports, routes_quarantine,
    routes_submissions, routes_tools, routes_runs, routes_evidence, routes_batches, routes_clusters, routes_dashboard,
    routes_spend, routes_internal,
)


def create_app(context: Context, identity: Identity, hub: HubClient | None = None) -> FastAPI:
    """Does not migrate. While it runs it takes the hub's spooled audit events in and signs the log; `identity` is closed with it.

    `hub` is needed only to hand out access tokens.
    """
    denials = Denials(context)
    events_token, metrics_token = (read_secret(context.settings.secrets_dir, name) for name in ("events-token", "metrics-token"))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        chores = [asyncio.create_task(_every(SPOOL_EVERY, chore, context)) for chore in (take_in_spool, tend)]
        try:
            yield
        finally:
            app.state.feed.closed = True
            for chore in chores:
                chore.cancel()
            await identity.aclose()
            await asyncio.to_thread(tend, context, now=True)

    app = FastAPI(
        title="VoxelHub", version=__version__, lifespan=lifespan, openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None, redoc_url=None, redirect_slashes=False,
        middleware=[
            Middleware(Shield),
            Middleware(Gate, identity=identity, events_token=events_token, metrics_token=metrics_token, denials=denials),
        ],
    )
    app.state.context, app.state.identity, app.state.hub, app.state.feed = context, identity, hub, Feed(context.engine)
    app.state.denials = denials
    install_error_handlers(app, denials)
    for module in ROUTERS:
        app.include_router(module.router, prefix=PREFIX, max_body_size=MAX_BODY)
    document: list[dict[str, object]] = []

    def openapi() -> dict[str, object]:
        if not document:
            document.append(openapi_of(app))
        return document[0]

    app.openapi = openapi  # type: ignore[method-assign]
    return app


async def _every(seconds: float, chore: Callable[[Context], object], context: Context) -> None:
    """What a dead hub left in its spool enters the log without a restart of ours; and the log is signed when it is time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(chore, context)
        except Exception as error:  # the next time tries again; nothing is lost
            log.error("%s failed: %s", getattr(chore, "__name__", chore), type(error).__name__)
