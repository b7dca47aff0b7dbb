"""What a start sees while it waits: whether waiting helps, which event is newer, whether the hub sees at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .kube_reasons import Reason, explain, removed

Document = Mapping[str, Any]
LOOK, DIAL = 0.1, 1.0  # seconds between two looks at whether a server listens, and for one of them


class Doubts:
    """Whether a start is hopeless: the same reason for as long as its patience, or a pod that was there and is gone."""

    def __init__(self) -> None:
        self._code, self._since, self._seen = "", 0.0, False

    def about(self, pod: Document | None, events: Sequence[Document]) -> Reason | None:
        if pod is None:
            return removed(events) if self._seen else None
        self._seen = True
        reason = explain(pod, events)
        if reason is None:
            self._code = ""
            return None
        if reason.code != self._code:
            self._code, self._since = reason.code, time.monotonic()
        return reason if time.monotonic() - self._since >= reason.patience else None


async def first_of(*tasks: asyncio.Task[Any], seconds: float = 1) -> asyncio.Task[Any] | None:
    """The first of these, in their order, that has ended; None where none has within these seconds."""
    ended, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    return next((task for task in tasks if task in ended), None)


async def listens(pod: Document, port: int) -> bool:
    """Whether its server takes connections, asked of itself."""
    status = pod["status"]
    runs = any("running" in one.get("state", {}) for one in status.get("containerStatuses") or [])
    if not runs or not status.get("podIP"):
        return False
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(status["podIP"], port), DIAL)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def blind(view: Any) -> bool:
    if view is None or not view.first_load_future.done():
        return False
    failed = view.first_load_future.cancelled() or view.first_load_future.exception() is not None
    return failed or view.watch_task is None or view.watch_task.done()


def when(event: Document) -> str:
    """Newer events have `eventTime` alone, and a series its last."""
    series = event.get("series") or {}
    return str(event.get("lastTimestamp") or series.get("lastObservedTime") or event.get("eventTime")
               or event["metadata"].get("creationTimestamp") or "")


def text(body: Any) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
