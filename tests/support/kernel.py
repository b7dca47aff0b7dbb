"""Runs code in a kernel of a running notebook server, over the same REST and WebSocket that JupyterLab uses."""

from __future__ import annotations

import json
import ssl
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect


@dataclass
class Outcome:
    status: str = ""
    text: str = ""
    error: str = ""
    data: list[dict[str, Any]] = field(default_factory=list)


class RemoteKernel:
    """`async with RemoteKernel(server_url, token) as kernel: await kernel.execute("1 + 1")`.

    `server_url` ends in /user/<name>; `token` must hold access:servers for it. With `kernel_id` it is a kernel that runs
    already, and goes on afterwards.
    """

    def __init__(self, server_url: str, token: str, name: str = "imaging", *, kernel_id: str = "",
                 trust: ssl.SSLContext | None = None) -> None:
        self.server_url, self.name, self.trust = server_url.rstrip("/"), name, trust
        self.id, self.found = kernel_id, bool(kernel_id)
        self.headers = {"Authorization": f"token {token}"}
        self.session = uuid.uuid4().hex

    async def __aenter__(self) -> RemoteKernel:
        if not self.found:
            await self.begin()
        address = f"ws{self.server_url.removeprefix('http')}/api/kernels/{quote(self.id)}/channels?session_id={self.session}"
        request = HTTPRequest(address, headers=self.headers, request_timeout=60, ssl_options=self.trust)
        self.socket = await websocket_connect(request)
        return self

    async def begin(self) -> str:
        async with self._client(60) as client:
            answer = await client.post(f"{self.server_url}/api/kernels", headers=self.headers, json={"name": self.name})
            answer.raise_for_status()
            self.id = answer.json()["id"]
        return self.id

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()
        if not self.found:
            await self.end()

    async def end(self) -> None:
        async with self._client(30) as client:
            await client.delete(f"{self.server_url}/api/kernels/{self.id}", headers=self.headers)

    def _client(self, seconds: float) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=seconds, verify=self.trust or True)

    async def execute(self, code: str) -> Outcome:
        """Run one cell to its end; output of all kinds is collected, an exception does not raise here."""
        message_id = uuid.uuid4().hex
        header = {"msg_id": message_id, "username": "", "session": self.session, "msg_type": "execute_request", "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        await self.socket.write_message(json.dumps(
            {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
        ))
        outcome, idle = Outcome(), False
        while not (idle and outcome.status):
            raw = await self.socket.read_message()
            if raw is None:
                raise ConnectionError("the kernel's channel was closed")
            if isinstance(raw, bytes):
                continue  # a widget's binary buffers
            message = json.loads(raw)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, body = message["header"]["msg_type"], message["content"]
            if kind == "stream":
                outcome.text += body["text"]
            elif kind in {"execute_result", "display_data"}:
                outcome.data.append(body["data"])
                outcome.text += body["data"].get("text/plain", "")
            elif kind == "error":
                outcome.error = f"{body['ename']}: {body['evalue']}"
            elif kind == "execute_reply":
                outcome.status = body["status"]
            elif kind == "status" and body["execution_state"] == "idle":
                idle = True
        return outcome
