"""Notebook servers in the ledger: each has a record that its launcher keeps, by a clock that nobody sets.

    servers/<id>.json    who, which profile, the launcher's process, what it used so far; when it ended, once it has

So neither a hub nor a service that was away loses a second. A launcher that was killed leaves a record without an end: what it
counted last, at most a second before, is what is charged. A record goes when its end is in the ledger.

On Kubernetes a server is a pod without a launcher: the hub tells us, and `told_at` stands in the place of the process. A pod
outlives its hub, so a record is taken for ended by itself only when nobody has told of it for a day.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from ..context import Context
from ..executors.folder import alive, read_json, write_json
from ..identity.actor import personal_project
from ..models import Project
from ..projects.store import ensure_project
from ..wire_spend import ServerUse
from .metering import Counters, Meter, meter
from .prices import PriceList

log = logging.getLogger(__name__)
FORGOTTEN = 86400.0  # seconds after which a pod of which nobody tells has ended


@dataclass(frozen=True)
class ServerRecord:
    """What a launcher wrote. `cpu` in cores; `seconds` by its monotonic clock."""

    path: Path
    user: str
    server: str
    profile: str
    cpu: float
    gpus: int
    started_at: datetime
    used: Counters
    running: bool

    @property
    def subject(self) -> str:
        return f"{self.user}/{self.server}@{self.started_at.isoformat(timespec='milliseconds')}"

    @property
    def counters(self) -> Counters:
        seconds = self.used.seconds
        return Counters(seconds, seconds * self.cpu, seconds * self.gpus, self.used.used_cpu_seconds, self.used.peak_memory)


def records(folder: Path) -> Iterator[ServerRecord]:
    """All that can be read. A launcher that is gone is looked for before its record is: it may have written its end just then."""
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        living = _lives(read_json(path))
        if (found := parse(path, read_json(path), living)) is not None:
            yield found
        else:
            log.warning("the record %s of a notebook server cannot be read", path.name)


def keep_told(folder: Path, told: Iterable[ServerUse]) -> None:
    """The records of pods, as the hub sees them now. What has ended stays ended."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for one in told:
        path = folder / f"{one.id}.json"
        if read_json(path).get("ended_at") is None:
            facts = json.loads(one.model_dump_json(exclude={"id", "seconds"}))
            usage = {"seconds": one.seconds, "used_cpu_seconds": 0.0, "peak_memory": 0}
            write_json(path, facts | {"told_at": time.time(), "usage": usage}, durable=one.ended_at is not None)


def _lives(document: dict[str, Any]) -> bool:
    told = document.get("told_at")
    return time.time() - told < FORGOTTEN if isinstance(told, int | float) else alive(document.get("process", {}))


def parse(path: Path, document: dict[str, Any], living: bool) -> ServerRecord | None:
    try:
        return ServerRecord(
            path, str(document["user"]), str(document["server"]), str(document["profile"]), float(document["cpu"]),
            int(document["gpus"]), datetime.fromisoformat(document["started_at"]), Counters.of(document["usage"]),
            living and document.get("ended_at") is None)
    except (KeyError, TypeError, ValueError):
        return None


def meter_server(context: Context, session: Session, record: ServerRecord, prices: PriceList) -> None:
    """Charged to its person, and to their personal project."""
    project = _project(context, session, record.user)
    title = f"Notebook server {record.server}".strip()
    meter(session, Meter(
        "server", record.subject, title, record.user, project.id, record.profile, record.counters,
        prices.of_server(record.profile), record.running, since=record.started_at))


def _project(context: Context, session: Session, user: str) -> Project:
    return ensure_project(
        session, personal_project(user), title="My files", quota_bytes=context.settings.project_quota, owner=user)
