"""`python -m voxelhub_service.api`: serves the API on `listen` until SIGTERM; logs go to stderr and hold no token."""

from __future__ import annotations

import logging
import sys
from types import FrameType

import uvicorn
from fastapi import FastAPI

from ..audit.intake import take_in_spool
from ..audit.rotate import settle
from ..context import make_context
from ..database import writing
from ..database_place import require_pod
from ..identity.of_settings import make_hub_client, make_identity
from ..settings import SettingsError, load_settings
from .app import create_app
from .feed import Feed

STOP_PATIENCE = 8  # seconds for requests in flight at a stop


class Server(uvicorn.Server):
    """Tells the event streams to end at the signal, not after them."""

    def __init__(self, app: FastAPI, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._feed: Feed = app.state.feed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._feed.closed = True
        super().handle_exit(sig, frame)


def main() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        settings = load_settings()
        require_pod(settings)
    except SettingsError as error:
        print(f"voxelhub service: {error}", file=sys.stderr)
        return 1
    context = make_context(settings)
    with writing(context.engine) as session:
        context.audit.refresh_head(session)
    settle(context.audit, context.engine)
    take_in_spool(context)
    hub = make_hub_client(settings)
    app = create_app(context, make_identity(settings, hub), hub)
    Server(app, uvicorn.Config(
        app, host=settings.listen, port=settings.service_port, access_log=False, log_config=None, server_header=False,
        proxy_headers=False, timeout_graceful_shutdown=STOP_PATIENCE, h11_max_incomplete_event_size=64 * 1024,
        ws="websockets-sansio", ws_max_size=1024**2, ws_per_message_deflate=False,
    )).run()
    context.engine.dispose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
