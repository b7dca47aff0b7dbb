"""GET /events: what changed, as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..database import NoAnswer, away
from ..errors import Problem
from ..identity.actor import Actor
from ..identity.tokens import Credential, Identity
from ..policy.authorize import require
from ..wire import EventOut
from .deps import CallerDep, CredentialDep
from .feed import POLL, Feed

router = APIRouter(tags=["service"])
HEARTBEAT = 15.0  # seconds without a message after which a comment is sent
RECHECK = 15.0  # seconds after which the caller's token is asked again
RETRY = 2000  # milliseconds until a browser connects again
# OpenAPI 3.1 has no word for a stream; its schema describes one event, as tools that know text/event-stream read it.
STREAM = {"text/event-stream": {"schema": {"type": "object", "properties": {
    "id": {"type": "string"}, "retry": {"type": "integer"},
    "data": {
        "type": "string", "contentMediaType": "application/json", "contentSchema": {"$ref": "#/components/schemas/EventOut"}},
}}}}


class EventStream(StreamingResponse):
    """Holds one of the user's places while it lasts; it ends at a stop and when the token no longer stands for the user."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, identity: Identity, credential: Credential, actor: Actor, cursor: int | None) -> None:
        super().__init__(self._messages(cursor), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._feed, self._identity, self._credential, self._actor = feed, identity, credential, actor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._feed.stream(self._actor.name):
            await super().__call__(scope, receive, send)

    async def _messages(self, cursor: int | None) -> AsyncIterator[str]:
        """Ends, as at a stop, when the database does not answer: the client comes back where it was."""
        try:
            async for message in self._watch(cursor):
                yield message
        except NoAnswer as error:
            if not away(error):
                raise

    async def _watch(self, cursor: int | None) -> AsyncIterator[str]:
        yield f"retry: {RETRY}\n\n"
        if cursor is None or not await self._feed.continues(cursor):
            topic, cursor = "ready" if cursor is None else "reset", await self._feed.newest()
            yield _message(cursor, EventOut(topic=topic))  # type: ignore[arg-type]
        said = checked = time.monotonic()
        while not self._feed.closed:
            if await self._feed.latest() > cursor:
                cursor, events = await self._feed.after(self._actor, cursor)
                for numbered in events:
                    yield _message(numbered.id, numbered.event)
                    said = time.monotonic()
            if time.monotonic() - checked >= RECHECK:
                if not await self._still_here():
                    return
                checked = time.monotonic()
            if time.monotonic() - said >= HEARTBEAT:
                yield ": here\n\n"
                said = time.monotonic()
            await asyncio.sleep(POLL)

    async def _still_here(self) -> bool:
        try:
            actor = await self._identity.actor_of(self._credential, fresh=True)
        except Problem:
            return False
        if not actor.allowed or actor.name != self._actor.name:
            return False
        self._actor = actor  # with the groups of now
        return True


def _message(number: int, event: EventOut) -> str:
    return f"id: {number}\ndata: {event.model_dump_json()}\n\n"


@router.get("/events", status_code=200, response_class=EventStream,
            responses={200: {"content": STREAM, "description": "An endless stream."}})
async def watch(
    request: Request, actor: CallerDep, credential: CredentialDep, last_event_id: Annotated[str | None, Header()] = None,
) -> EventStream:
    """Hints of what to read again. Goes on after `Last-Event-ID`; ends when the token does."""
    require(actor, "events.read")
    known = re.fullmatch(r"[0-9]{1,18}", last_event_id or "")
    state = request.app.state
    return EventStream(state.feed, state.identity, credential, actor, int(known[0]) if known else None)
