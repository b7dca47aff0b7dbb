"""The event table as a stream: read once per interval for all streams together, filtered by what each caller may see."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from ..database import reading
from ..errors import Problem
from ..identity.actor import Actor
from ..models import Event, Project
from ..policy.authorize import decide
from ..wire import EventOut

POLL = 0.3  # seconds
STREAMS_PER_USER = 12
BATCH = 500
ACTIONS = {"run": "run.read", "batch": "run.read", "upload": "dataset.read", "dataset": "dataset.read", "project": "project.read",
           "quarantine": "quarantine.read", "cluster": "cluster.read", "spend": "project.read"}


@dataclass(frozen=True)
class Numbered:
    id: int
    event: EventOut


class Feed:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._latest, self._read_at = 0, float("-inf")
        self._streams: Counter[str] = Counter()
        self.closed = False  # set at a stop: every stream ends at its next look

    @contextmanager
    def stream(self, user: str) -> Iterator[None]:
        """Counts the user's streams; Problem 429 above the limit."""
        if self._streams[user] >= STREAMS_PER_USER:
            raise Problem(429, "too_many_streams", "You have too many event streams open.", "Close a tab: each needs only one.")
        self._streams[user] += 1
        try:
            yield
        finally:
            self._streams[user] -= 1
            if not self._streams[user]:
                del self._streams[user]

    async def latest(self) -> int:
        """Id of the newest event, at most POLL seconds old."""
        if time.monotonic() - self._read_at >= POLL:
            self._read_at = time.monotonic()
            self._latest = await asyncio.to_thread(self._read_latest)
        return self._latest

    async def newest(self) -> int:
        """Id of the newest event, read now."""
        return await asyncio.to_thread(self._read_latest)

    def _read_latest(self) -> int:
        with reading(self._engine) as session:
            return session.scalar(select(func.max(Event.id))) or 0

    async def after(self, actor: Actor, cursor: int) -> tuple[int, list[Numbered]]:
        """The new cursor, and what the actor may see behind the old one; at most BATCH rows are looked at."""
        return await asyncio.to_thread(self._after, actor, cursor)

    def _after(self, actor: Actor, cursor: int) -> tuple[int, list[Numbered]]:
        query = select(Event, Project).outerjoin(Project, Project.id == Event.project_id)
        with reading(self._engine) as session:
            rows = session.execute(query.where(Event.id > cursor).order_by(Event.id).limit(BATCH)).all()
            seen = [Numbered(event.id, _out(event, project)) for event, project in rows if _visible(actor, event, project)]
        return (rows[-1][0].id if rows else cursor), seen

    async def continues(self, cursor: int) -> bool:
        """Whether nothing behind the cursor was dropped since (events are kept for an hour)."""
        return await asyncio.to_thread(self._continues, cursor)

    def _continues(self, cursor: int) -> bool:
        with reading(self._engine) as session:
            oldest, newest = session.execute(select(func.min(Event.id), func.max(Event.id))).one()
        return cursor == 0 if newest is None else oldest - 1 <= cursor <= newest


def _visible(actor: Actor, event: Event, project: Project | None) -> bool:
    """An event for a user is theirs alone; one of a project needs the right to read there; one of neither is
    nobody's, but that of a submitted tool is for who reviews it."""
    if event.user is not None and event.user != actor.name:
        return False
    if event.project_id is None:
        return event.user is not None or (event.topic == "tool" and decide(actor, "tool.review").allowed)
    action = ACTIONS.get(event.topic)
    if event.topic == "quarantine" and event.user is None:  # the one for who brought it in goes to them by name
        action = "quarantine.read_others"
    return action is not None and project is not None and decide(actor, action, project).allowed


def _out(event: Event, project: Project | None) -> EventOut:
    name = project.name if project else ""
    return EventOut(topic=event.topic, subject=event.subject, project=name, payload=event.payload)  # type: ignore[arg-type]
