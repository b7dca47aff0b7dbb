"""What a page cannot do about tools by itself: it does not see the folders of the home.

    POST <base>/voxelhub/tools/new     {"name", "kind"}            writes the template into a new folder: {"path"}
    POST <base>/voxelhub/tools/check   {"path"}                    packs the folder; the service's check
    POST <base>/voxelhub/tools/submit  {"path", "note", "key"}     packs the folder; the service's submission

`path` is relative to the home. The service sees the server's own token; its answer is passed on as it is.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
import zipfile
from pathlib import Path
from typing import Any

import httpx
from jupyter_server.base.handlers import APIHandler
from tornado import web

from .packing import PackingError, folder_of, pack, unpack
from .proxy import RETRY_AFTER, TIMEOUT, Upstream

MOST = 64 * 1024  # bytes of a request
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
PROBLEM = "application/problem+json"


class _ToolHandler(APIHandler):  # type: ignore[misc]
    def initialize(self, upstream: Upstream, root: str) -> None:
        self.upstream, self.root = upstream, Path(root)

    @web.authenticated
    async def post(self) -> None:
        try:
            await self.do(self._words())
        except PackingError as error:
            self.refuse(error.status, error.code, error.detail, error.fix)
        except OSError:
            self.refuse(422, "unreadable", "A file of this folder cannot be read.", "Look at its rights, and try again.")

    async def do(self, words: dict[str, Any]) -> None:
        raise NotImplementedError

    def _words(self) -> dict[str, str]:
        """Of the JSON body; texts only."""
        try:
            raw = json.loads(self.request.body) if len(self.request.body) <= MOST else None
        except ValueError:
            raw = None
        if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
            raise PackingError(400, "bad_request", "This request cannot be read.", "Send a JSON object of texts.")
        return raw

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        """The service's answer; None, and the sentence for the page, where nobody answers."""
        upstream = self.upstream
        if not (upstream.api_url and upstream.token):
            self._unreachable()
            return None
        headers = {"Authorization": f"token {upstream.token}", **options.pop("headers", {})}
        for again in (True, False):  # what is sent twice carries a key, so that it happens once
            try:
                return await upstream.client.request(
                    method, upstream.api_url.rstrip("/") + path, headers=headers, timeout=TIMEOUT, **options)
            except httpx.HTTPError:
                if not again:
                    self._unreachable()
        return None

    def refuse(self, status: int, code: str, detail: str, fix: str) -> None:
        self.set_status(status)
        if status == 503:
            self.set_header("Retry-After", str(RETRY_AFTER))
        self.finish(json.dumps({"status": status, "code": code, "detail": detail, "fix": fix}), set_content_type=PROBLEM)

    def _unreachable(self) -> None:
        self.refuse(503, "service_unreachable", "The VoxelHub service does not answer at the moment.",
                    "Nothing is lost. Try again in a moment; if it lasts, tell your administrator.")

    def pass_on(self, answer: httpx.Response) -> None:
        self.set_status(answer.status_code)
        self.finish(answer.text, set_content_type=answer.headers.get("content-type", "application/json"))

    async def packed(self, words: dict[str, Any]) -> bytes:
        folder = folder_of(self.root, words.get("path", ""))
        return await asyncio.to_thread(pack, folder)


class CheckHandler(_ToolHandler):
    async def do(self, words: dict[str, Any]) -> None:
        data = await self.packed(words)
        answer = await self.ask("POST", "/tools/check", content=data, headers={"Content-Type": "application/zip"})
        if answer is not None:
            self.pass_on(answer)


class SubmitHandler(_ToolHandler):
    async def do(self, words: dict[str, Any]) -> None:
        data = await self.packed(words)
        headers = {"Content-Type": "application/zip", "Idempotency-Key": words.get("key") or uuid.uuid4().hex}
        note = {"note": words.get("note", "")}
        answer = await self.ask("POST", "/tools/submissions", content=data, headers=headers, params=note)
        if answer is not None:
            self.pass_on(answer)


class NewHandler(_ToolHandler):
    async def do(self, words: dict[str, Any]) -> None:
        name, kind = words.get("name", ""), words.get("kind", "python")
        if not NAME.fullmatch(name):
            raise PackingError(422, "bad_name", "This cannot be a tool's name.",
                               "Write small letters, digits and -, at most 63, as in my-tool.")
        target = folder_of(self.root, "") / name
        answer = await self.ask("GET", "/tools/template", params={"name": name, "kind": kind})
        if answer is None:
            return
        if not answer.is_success:
            self.pass_on(answer)
            return
        try:
            await asyncio.to_thread(unpack, answer.content, target)
        except zipfile.BadZipFile:
            self._unreachable()
            return
        self.set_status(201)
        self.finish(json.dumps({"path": name}))
