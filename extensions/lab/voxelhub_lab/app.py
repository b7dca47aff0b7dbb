"""Wires the handlers into a Jupyter server."""

from __future__ import annotations

import os
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
from jupyter_server.utils import url_path_join

from . import away, full
from .activity import ServerHandler
from .dashboards import routes
from .idle import ServerState
from .proxy import ApiHandler, Upstream
from .tools import CheckHandler, NewHandler, SubmitHandler


def load(server: Any) -> None:
    """Add `<base>/voxelhub/api/v1/…`, `…/dashboards/…`, `…/server` and `…/tools/…` to the server's web application."""
    away.explain(server.identity_provider)
    full.explain(server.contents_manager)
    base = url_path_join(server.web_app.settings["base_url"], "voxelhub")
    client = httpx.AsyncClient(
        trust_env=False, follow_redirects=False, headers={"Accept-Encoding": "identity", "User-Agent": "voxelhub-lab"},
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=16),
    )
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))  # keeps none, so sends none
    upstream = Upstream(client, os.environ.get("VOXELHUB_API_URL", ""), own_prefix=url_path_join(base, "api/v1"))
    server.web_app.add_handlers(".*$", [
        *routes(base, upstream),
        (url_path_join(base, r"api/v1(/.*)?"), ApiHandler, {"upstream": upstream}),
        (url_path_join(base, r"server"), ServerHandler, {"state": ServerState.from_environ(os.environ)}),
        *((url_path_join(base, "tools", name), handler, {"upstream": upstream, "root": server.root_dir})
          for name, handler in (("new", NewHandler), ("check", CheckHandler), ("submit", SubmitHandler))),
    ])
    server.log.info("VoxelHub panels are served under %s", base)
