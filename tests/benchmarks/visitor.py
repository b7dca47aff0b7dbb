"""A user at a browser, as far as a stopwatch cares: from the login form to the first output of a kernel."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field

import httpx
from support.installation import browser
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

STEPS = ("login", "server ready", "first output")


@dataclass
class Visitor:
    """`url` is the hub's address; `times` fills with seconds since the login form was sent."""

    url: str
    name: str
    client: httpx.Client = field(default_factory=browser)
    times: dict[str, float] = field(default_factory=dict)
    started: float = 0.0

    def mark(self, step: str) -> None:
        self.times[step] = time.perf_counter() - self.started

    def cookie(self, path: str) -> str:
        return [c.value for c in self.client.cookies.jar if c.name == "_xsrf" and c.path == path][-1] or ""

    def sign_in(self, form: str, data: dict[str, str]) -> httpx.Response:
        """Send the login form; the watch's first mark is where the hub has let us in. Returns the page one lands on."""
        self.started = time.perf_counter()
        answer = self.client.post(form, data=data, follow_redirects=False)
        while answer.next_request and answer.next_request.url.path.endswith("/oauth_callback"):
            answer = self.client.send(answer.next_request, follow_redirects=False)
        assert answer.next_request, f"not signed in: {answer.status_code} at {answer.url.path}"
        self.mark("login")
        return self.client.send(answer.next_request, follow_redirects=True)

    def wait_ready(self) -> None:
        """Follow the stream of progress that the hub's waiting page follows."""
        address = f"{self.url}/hub/api/users/{self.name}/server/progress"
        with self.client.stream("GET", address, params={"_xsrf": self.cookie("/hub/")}) as answer:
            assert answer.status_code == 200, answer.read()
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    event = json.loads(line.removeprefix("data:"))
                    assert not event.get("failed"), event
                    if event.get("ready"):
                        self.mark("server ready")
                        return
        raise AssertionError("the stream of progress ended before the server was ready")

    def first_output(self, kernel: str = "imaging") -> None:
        """Open JupyterLab's page, start a kernel, run one cell, stop the watch at its first output."""
        base = f"{self.url}/user/{self.name}"
        page = self.client.get(f"{base}/lab")
        assert page.status_code == 200 and page.url.path.startswith(f"/user/{self.name}/"), page.url
        headers = {"X-XSRFToken": self.cookie(f"/user/{self.name}/")}
        answer = self.client.post(f"{base}/api/kernels", headers=headers, json={"name": kernel})
        assert answer.status_code == 201, answer.text
        asyncio.run(self._execute(base, answer.json()["id"]))
        self.mark("first output")

    async def _execute(self, base: str, kernel: str) -> None:
        cookies = "; ".join(f"{c.name}={c.value}" for c in self.client.cookies.jar if f"/user/{self.name}/".startswith(c.path))
        session = uuid.uuid4().hex
        address = f"ws{base.removeprefix('http')}/api/kernels/{kernel}/channels?session_id={session}"
        socket = await websocket_connect(HTTPRequest(address, headers={"Cookie": cookies}))
        header = {"msg_id": uuid.uuid4().hex, "username": "", "session": session, "msg_type": "execute_request", "version": "5.3"}
        content = {"code": "print('first')", "silent": False, "store_history": False, "user_expressions": {}}
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
        await socket.write_message(json.dumps(message))
        while True:
            raw = await socket.read_message()
            assert raw is not None, "the kernel's channel was closed"
            message = json.loads(raw)
            if message["header"]["msg_type"] == "stream" and "first" in message["content"]["text"]:
                break
        socket.close()

    def stop_server(self) -> None:
        address = f"{self.url}/hub/api/users/{self.name}"
        headers = {"X-XSRFToken": self.cookie("/hub/")}
        self.client.delete(f"{address}/server", headers=headers)
        deadline = time.monotonic() + 60
        while (model := self.client.get(address, headers=headers).json())["server"] or model["pending"]:
            assert time.monotonic() < deadline, "the server did not stop"
            time.sleep(0.1)
        self.client.close()
