"""What a start sees while it waits: whether waiting helps, which event is newer, whether the hub sees at all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .kube_reasons import Reason, explain, removed

Document = Mapping[str, Any]


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
