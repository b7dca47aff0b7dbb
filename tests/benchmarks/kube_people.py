"""People who start a server, as far as a stopwatch cares: from asking the hub for it to the first output of a kernel."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import uuid
from dataclasses import dataclass
from typing import Any

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

KERNEL = "imaging"
PATIENCE = 300.0
LOOK = 0.1  # seconds between two looks at what is not there yet


@dataclass
class Visitor:
    """`url` is the hub's address, `token` the person's own. Every method is of one event loop."""

    url: str
    name: str
    token: str
    trust: ssl.SSLContext | bool = True

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"}

    @property
    def api(self) -> str:
        return f"{self.url}/hub/api/users/{self.name}"

    @property
    def page(self) -> str:
        return f"{self.url}/user/{self.name}"

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(headers=self.headers, verify=self.trust, timeout=PATIENCE, trust_env=False)

    async def visit(self, **choices: Any) -> dict[str, float]:
        """Moments (time.time): asked, said (the hub says that it is ready), answers (the server itself), output (a kernel's)."""
        async with self.client() as client:
            asked = time.time()
            answer = await client.post(f"{self.api}/server", json=choices)
            assert answer.status_code in {201, 202}, f"{answer.status_code} {answer.text[:300]}"
            if answer.status_code == 202:
                await self._told(client)
            said = time.time()
            await self._until(client, f"{self.page}/api/status")
            answers = time.time()
            await self._compute(client)
            return {"asked": asked, "said": said, "answers": answers, "output": time.time()}

    async def _told(self, client: httpx.AsyncClient) -> None:
        """Follow the stream that the hub's waiting page follows."""
        async with client.stream("GET", f"{self.api}/server/progress") as stream:
            assert stream.status_code == 200, f"no progress: {stream.status_code}"
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    event = json.loads(line.removeprefix("data:"))
                    assert not event.get("failed"), event.get("message")
                    if event.get("ready"):
                        return
        raise AssertionError("the stream of progress ended before the server was ready")

    async def _until(self, client: httpx.AsyncClient, address: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while (answer := await client.get(address)).status_code != 200:
            assert time.monotonic() < deadline, f"{answer.status_code} for {PATIENCE:.0f} s: {address.removeprefix(self.url)}"
            await asyncio.sleep(LOOK)

    async def _compute(self, client: httpx.AsyncClient) -> None:
        answer = await client.post(f"{self.page}/api/kernels", json={"name": KERNEL})
        assert answer.status_code == 201, f"no kernel: {answer.status_code} {answer.text[:300]}"
        session = uuid.uuid4().hex
        address = f"ws{self.page.removeprefix('http')}/api/kernels/{answer.json()['id']}/channels?session_id={session}"
        trust = self.trust if isinstance(self.trust, ssl.SSLContext) else None
        socket = await websocket_connect(HTTPRequest(address, headers=self.headers, ssl_options=trust, request_timeout=PATIENCE,
                                                     connect_timeout=60))
        await socket.write_message(json.dumps(execute(session, "print('first')")))
        while True:
            raw = await asyncio.wait_for(socket.read_message(), PATIENCE)
            assert raw is not None, "the kernel's channel was closed"
            message = json.loads(raw)
            if message["header"]["msg_type"] == "stream" and "first" in message["content"]["text"]:
                break
        socket.close()

    async def stop(self) -> None:
        async with self.client() as client:
            await client.delete(f"{self.api}/server")
            deadline = time.monotonic() + PATIENCE
            while (model := (await client.get(self.api)).json())["server"] or model["pending"]:
                assert time.monotonic() < deadline, "the server did not stop"
                await asyncio.sleep(0.5)


def execute(session: str, code: str) -> dict[str, Any]:
    header = {"msg_id": uuid.uuid4().hex, "username": "", "session": session, "msg_type": "execute_request", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}}
    return {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}


async def all_at_once(people: list[Visitor], **choices: Any) -> tuple[list[dict[str, float]], list[str]]:
    """The times of those who got an answer, and why others did not."""
    found = await asyncio.gather(*(person.visit(**choices) for person in people), return_exceptions=True)
    times = [each for each in found if isinstance(each, dict)]
    return times, [f"{type(each).__name__}: {each}" for each in found if isinstance(each, BaseException)]


async def all_stop(people: list[Visitor]) -> None:
    await asyncio.gather(*(person.stop() for person in people))
