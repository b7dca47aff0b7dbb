"""The page's question about its own server, and its word that a person is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from jupyter_server.base.handlers import APIHandler
from tornado import web

from .idle import Kernel, ServerState, describe


class ServerHandler(APIHandler):  # type: ignore[misc]
    """GET describes the server; POST says that a person is using it."""

    def initialize(self, state: ServerState) -> None:
        self.state = state

    @property
    def _track_activity(self) -> bool:
        return bool(self.request.method == "POST")

    @web.authenticated
    def get(self) -> None:
        self.finish(json.dumps(describe(self.state, self._kernels())))

    @web.authenticated
    def post(self) -> None:
        self.state.used_at = datetime.now(UTC)
        self.get()

    def _kernels(self) -> list[Kernel]:
        manager = self.kernel_manager
        kernels = (manager.get_kernel(kernel_id) for kernel_id in manager.list_kernel_ids())
        return [Kernel(getattr(k, "execution_state", "") == "busy", getattr(k, "last_activity", None)) for k in kernels]
