"""An API server of Kubernetes as far as a spawner uses it: lists, watches, makes and deletes; a test says what becomes of a pod.

It holds documents and decides nothing. What a real one decides is in tests/kubernetes.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

Document = dict[str, Any]
KINDS = {"pods": "Pod", "persistentvolumeclaims": "PersistentVolumeClaim", "events": "Event", "nodes": "Node"}
RUNNING = {"phase": "Running", "podIP": "10.244.0.7", "conditions": [
    {"type": "PodScheduled", "status": "True"}, {"type": "PodReadyToStartContainers", "status": "True"}],
    "containerStatuses": [{"name": "notebook", "ready": True, "started": True, "restartCount": 0, "imageID": "sha256:1",
                           "lastState": {}, "state": {"running": {"startedAt": "2026-11-30T13:00:09Z"}}}]}


class FakeCluster:
    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Document]] = {kind: {} for kind in KINDS}
        self.refused: dict[tuple[str, str], tuple[int, str]] = {}  # (method, kind) -> status and body of the answer
        self.asked: list[tuple[str, str]] = []  # what was made and deleted, in order
        self.then: Callable[[Document], Awaitable[None]] = self.run  # what becomes of a new pod
        self._watchers: dict[str, list[asyncio.Queue[Document]]] = {kind: [] for kind in KINDS}
        self._tasks: set[asyncio.Task[None]] = set()
        self._version = 100

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/api/v1/{kind:nodes}", self._read)
        app.router.add_get("/api/v1/namespaces/voxelhub/{kind}", self._read)
        app.router.add_post("/api/v1/namespaces/voxelhub/{kind}", self._make)
        app.router.add_get("/api/v1/namespaces/voxelhub/{kind}/{name}", self._one)
        app.router.add_delete("/api/v1/namespaces/voxelhub/{kind}/{name}", self._delete)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await self._runner.cleanup()

    # what a test does

    def put(self, kind: str, document: Document, change: str = "MODIFIED") -> None:
        self._version += 1
        document["metadata"].setdefault("namespace", "voxelhub")
        document["metadata"]["resourceVersion"] = str(self._version)
        self.objects[kind][document["metadata"]["name"]] = document
        self._tell(kind, change, document)

    def take(self, kind: str, name: str) -> None:
        self._tell(kind, "DELETED", self.objects[kind].pop(name))

    async def run(self, pod: Document) -> None:
        pod["spec"]["nodeName"] = "node1"
        self.put("pods", pod | {"status": RUNNING})

    def stay(self, status: Document, events: list[Document] = [], node: str = "") -> Callable[[Document], Awaitable[None]]:  # noqa: B006
        """A pod that comes no further than this."""
        async def then(pod: Document) -> None:
            if node:
                pod["spec"]["nodeName"] = node
            self.put("pods", pod | {"status": status})
            for number, event in enumerate(events):
                regards = event["involvedObject"] | (
                    {"uid": pod["metadata"]["uid"]} if event["involvedObject"]["kind"] == "Pod" else {})
                named = {**event["metadata"], "name": f"event{number}"}
                self.put("events", event | {"involvedObject": regards, "metadata": named})
        return then

    # what the spawner asks

    def _refusal(self, request: web.Request) -> web.Response | None:
        kind = request.match_info["kind"]
        if request.method in {"POST", "DELETE"}:
            self.asked.append((request.method, kind))
        answer = self.refused.get((request.method, kind))
        return web.Response(status=answer[0], text=answer[1], content_type="application/json") if answer else None

    async def _read(self, request: web.Request) -> web.StreamResponse:
        if (no := self._refusal(request)) is not None:
            return no
        kind = request.match_info["kind"]
        if request.query.get("watch") in {"true", "True"}:
            return await self._watch(request, kind)
        wanted = dict(part.split("=") for part in request.query.get("fieldSelector", "").split(",") if part)
        items = [d for d in self.objects[kind].values() if all(_at(d, path) == value for path, value in wanted.items())]
        return web.json_response({"kind": f"{KINDS[kind]}List", "apiVersion": "v1", "items": items,
                                  "metadata": {"resourceVersion": str(self._version)}})

    async def _watch(self, request: web.Request, kind: str) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        queue: asyncio.Queue[Document] = asyncio.Queue()
        since = int(request.query.get("resourceVersion") or 0)
        self._watchers[kind].append(queue)
        for document in self.objects[kind].values():
            if int(document["metadata"]["resourceVersion"]) > since:
                queue.put_nowait({"type": "ADDED", "object": document})
        await answer.prepare(request)
        try:
            while True:
                await answer.write(json.dumps(await queue.get()).encode() + b"\n")
        finally:
            self._watchers[kind].remove(queue)

    async def _make(self, request: web.Request) -> web.Response:
        if (no := self._refusal(request)) is not None:
            return no
        kind, document = request.match_info["kind"], await request.json()
        if document["metadata"]["name"] in self.objects[kind]:
            return web.json_response({"message": "already exists", "reason": "AlreadyExists"}, status=409)
        document["metadata"]["uid"] = str(uuid.uuid4())
        if kind == "pods":
            document["status"] = {"phase": "Pending", "conditions": []}
        self.put(kind, document, "ADDED")
        answer = web.json_response(document, status=201)
        if kind == "pods":
            task = asyncio.ensure_future(self.then(document))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return answer

    async def _one(self, request: web.Request) -> web.Response:
        found = self.objects[request.match_info["kind"]].get(request.match_info["name"])
        return web.json_response(found) if found else web.json_response({"message": "not found"}, status=404)

    async def _delete(self, request: web.Request) -> web.Response:
        if (no := self._refusal(request)) is not None:
            return no
        kind, name = request.match_info["kind"], request.match_info["name"]
        if name not in self.objects[kind]:
            return web.json_response({"message": "not found"}, status=404)
        self.take(kind, name)
        return web.json_response({"kind": "Status", "status": "Success"})

    def _tell(self, kind: str, change: str, document: Document) -> None:
        for queue in self._watchers[kind]:
            queue.put_nowait({"type": change, "object": json.loads(json.dumps(document))})


def _at(document: Document, path: str) -> Any:
    found: Any = document
    for key in path.split("."):
        found = found.get(key, {})
    return found
