"""Remembers who a token stands for, briefly, and asks once when many requests show the same token at once."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from .actor import Actor

Ask = Callable[[str], Awaitable[Actor]]


class Remembered:
    """`seconds` bounds how long a revoked token passes, `limit` how much memory strangers can take."""

    def __init__(self, ask: Ask, seconds: float = 5.0, limit: int = 2000) -> None:
        self._ask, self._seconds, self._limit = ask, seconds, limit
        self._known: OrderedDict[bytes, tuple[float, Actor]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[Actor]] = {}

    async def get(self, token: str, *, fresh: bool = False) -> Actor:
        """Only answers are remembered, never refusals."""
        key = hashlib.sha256(token.encode()).digest()
        known = self._known.get(key)
        if known and not fresh and time.monotonic() < known[0]:
            return known[1]
        if fresh:
            return await self._remember(key, token)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._remember(key, token))
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)  # one caller that goes away does not end the question of the others

    def _done(self, key: bytes, task: asyncio.Task[Actor]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, also when every caller has gone

    async def _remember(self, key: bytes, token: str) -> Actor:
        self._known.pop(key, None)
        asked = time.monotonic()
        actor = await self._ask(token)
        self._known[key] = (asked + self._seconds, actor)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)
        return actor
