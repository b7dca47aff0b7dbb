"""Events of the hub on their way to the audit log, which the service alone writes.

Each event is first a line in our spool file (fsynced), then sent in order; what was accepted leaves the spool. A dead
service, hub or machine therefore loses nothing, and the event's id makes a second delivery harmless. Nothing here ever
blocks the caller.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import queue
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import httpx
from voxelhub_service.trust import trusted
from voxelhub_spawner.shared import Shared

log = logging.getLogger("voxelhub.audit")
RETRY = 2.0  # seconds until a service that did not answer is asked again


def make_event(actor: str, action: str, resource: str, outcome: str = "success",
               detail: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An AuditEventIn of the service's schemas. `detail` must be JSON and hold no patient identifier and no secret."""
    return {
        "event_id": uuid.uuid4().hex, "at": datetime.now(UTC).isoformat(timespec="microseconds"), "actor": actor[:200],
        "action": action[:100], "resource": resource[:500], "outcome": outcome, "detail": dict(detail or {}),
    }


class AuditClient(Shared):
    """`record` may be called from any thread; one thread of ours writes the spool and sends it."""

    def __init__(self, url: str, token: str, spool: Path) -> None:
        self._url, self._token, self.spool = url, token, spool
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._own = f"{time.time_ns():020d}-{os.getpid()}.jsonl"
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def record(self, actor: str, action: str, resource: str, outcome: str = "success",
               detail: Mapping[str, Any] | None = None) -> None:
        self._queue.put(make_event(actor, action, resource, outcome, detail))
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="audit", daemon=True)
                self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Wait until what was recorded is in the spool; sending it may be left to the service's next start."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout)

    def _work(self) -> None:
        self.spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            waiting = bool(self._files())
            try:
                event = self._queue.get(timeout=RETRY if waiting else None)
            except queue.Empty:
                self._send()
                continue
            if event is None:
                return
            try:
                self._keep([event, *self._more()])
            except OSError:
                log.exception("an audit event could not be written to the spool")
            self._send()

    def _more(self) -> Iterator[dict[str, Any]]:
        while True:
            try:
                event = self._queue.get_nowait()
            except queue.Empty:
                return
            if event is None:
                self._queue.put(None)
                return
            yield event

    def _files(self) -> list[Path]:
        """Oldest first: those that killed processes left, and our own."""
        return sorted(self.spool.glob("*.jsonl"))

    def _keep(self, events: list[dict[str, Any]]) -> None:
        with locked(self.spool / self._own, create=True) as file:
            file.seek(0, os.SEEK_END)
            file.write(b"".join(json.dumps(event).encode() + b"\n" for event in events))
            file.flush()
            os.fsync(file.fileno())

    def _send(self) -> None:
        """Everything in the spool, in order, until the service does not take one."""
        try:
            headers = {"Authorization": f"Bearer {self._token}"}
            with httpx.Client(trust_env=False, verify=trusted(), timeout=10, headers=headers) as client:
                for path in self._files():
                    with contextlib.suppress(FileNotFoundError), locked(path) as file:  # the service may be faster
                        for event in events_in(file):
                            answer = client.post(self._url, json=event)
                            if answer.status_code == 422:
                                log.error("the service does not understand the audit event %s", event.get("event_id"))
                                continue
                            answer.raise_for_status()
                        path.unlink(missing_ok=True)
        except httpx.HTTPError as error:
            log.debug("audit events wait in the spool: %s", type(error).__name__)


def events_in(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The whole lines of a spool file; a line that a kill cut short was never promised to anyone."""
    file.seek(0)
    for line in file:
        if line.endswith(b"\n"):
            with contextlib.suppress(ValueError):
                yield json.loads(line)


@contextlib.contextmanager
def locked(path: Path, create: bool = False) -> Iterator[IO[bytes]]:
    """The file under an exclusive lock, and still under its name: who takes a spool file in locks it too, then removes it."""
    while True:
        flags = os.O_RDWR | os.O_APPEND | (os.O_CREAT if create else 0)
        with os.fdopen(os.open(path, flags, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                yield file
                return
