"""What a person reads while the hub does not answer and nobody is recognised. Jupyter's own page fails then, and is empty."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado.web import Finish, HTTPError
from tornado.websocket import WebSocketHandler

# Not 503: to JupyterLab that means that the server has ended, and it offers to start another.
STATUS = 502
SENTENCE = ("VoxelHub cannot recognise anybody at the moment: its hub does not answer. Your server, its kernels and your files "
            "are as you left them.")
PAGE = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>VoxelHub</title>
<style>:root {{ color-scheme: light dark }} body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto;
padding: 0 1rem }} h1 {{ font-size: 1.6rem }}</style></head>
<body role="alert"><h1>Not available at the moment</h1><p>{SENTENCE}</p><p>This page tries again by itself.</p></body></html>
"""


def explain(provider: Any) -> None:
    """Whoever asks the hub who is there says so, where the hub is away. Of a server without a hub nothing changes."""
    if not hasattr(provider, "hub_auth"):
        return
    recognise: Callable[[Any], Awaitable[Any]] = provider.get_user

    async def get_user(handler: Any) -> Any:
        try:
            return await recognise(handler)
        except HTTPError as error:
            if not _silence(error):
                raise
        handler.current_user = None
        if isinstance(handler, (APIHandler, WebSocketHandler)) or handler.request.method != "GET":
            raise HTTPError(STATUS, SENTENCE)
        handler.set_status(STATUS)
        handler.set_header("Content-Type", "text/html; charset=UTF-8")
        handler.finish(PAGE)
        raise Finish

    provider.get_user = get_user


def _silence(error: HTTPError) -> bool:
    """Of JupyterHub 6.1.1: no connection (500, told apart by its words), or an answer that is a failure (502)."""
    return error.status_code == 502 or (error.status_code == 500 and "connect to Hub" in (error.log_message or ""))
