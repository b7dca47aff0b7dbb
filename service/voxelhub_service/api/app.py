"""The HTTP API as one application: routers under one prefix, the Gate before them, the Shield around all."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from .. import __version__
from ..context import Context
from ..identity.tokens import Identity
from ..secrets import read_secret
from .document import openapi_of
from .errors import Denials, Shield, install_error_handlers
from .gate import PREFIX, Gate

MAX_BODY = 32 * 1024**2  # bytes of a JSON body; 100,000 files of an upload take about 15 MiB
ROUTERS = (
    "routes_core", "routes_events", "routes_audit", "routes_tokens",
    "routes_datasets", "routes_uploads", "routes_tools", "routes_runs",
)


def create_app(context: Context, identity: Identity) -> FastAPI:
    """Does not migrate and starts nothing; `identity` is closed with the application."""
    denials = Denials(context)
    events_token = read_secret(context.settings.secrets_dir, "events-token")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await identity.aclose()

    app = FastAPI(
        title="VoxelHub", version=__version__, lifespan=lifespan, openapi_url=f"{PREFIX}/openapi.json", docs_url=None, redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(Shield),
            Middleware(Gate, identity=identity, events_token=events_token, denials=denials),
        ],
    )
    app.state.context, app.state.identity = context, identity
    install_error_handlers(app, denials)
    for name in ROUTERS:
        app.include_router(_router(name), prefix=PREFIX, max_body_size=MAX_BODY)
    document: list[dict[str, object]] = []

    def openapi() -> dict[str, object]:
        if not document:
            document.append(openapi_of(app))
        return document[0]

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _router(name: str) -> APIRouter:
    try:
        router: APIRouter = importlib.import_module(f"{__package__}.{name}").router
    except ModuleNotFoundError as error:
        if error.name != f"{__package__}.{name}":
            raise
        return APIRouter()
    return router
