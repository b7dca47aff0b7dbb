"""What the hub asks the service before a server starts: what it costs, what is left, and whether it may.

The page that offers servers says nothing of budgets while the service is away. A start waits for its answer where there are
budgets, and is refused without one: what is not asked cannot be kept.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from voxelhub_service.trust import trusted
from voxelhub_spawner.shared import Shared

SHOWN_WITHIN = 2.0  # seconds that the page waits
PATIENCE = 15.0  # seconds that a start waits, as for a service that is started again
AWAY = "The budgets cannot be looked up now, so no server can start. Try again in a moment."


@dataclass(frozen=True)
class Answer:
    """Sentences about the budgets that bear on a server, and why none may start, or an empty text."""

    budgets: list[str] = field(default_factory=list)
    refused: str = ""


class SpendClient(Shared):
    """`enforced`: this installation has budgets."""

    def __init__(self, url: str, token: str, enforced: bool, patience: float = PATIENCE) -> None:
        self._url, self._token, self._enforced, self._patience = url, token, enforced, patience

    async def show(self, person: str) -> Answer | None:
        """For the page; None while the service is away, or where there are no budgets."""
        return await self._ask(person, SHOWN_WITHIN) if self._enforced else None

    async def refusal(self, person: str) -> str:
        """Why no server of this person may start now, or an empty text."""
        if not self._enforced:
            return ""
        deadline = time.monotonic() + self._patience
        while (answer := await self._ask(person, 5.0)) is None:
            if time.monotonic() > deadline:
                return AWAY
            await asyncio.sleep(0.5)
        return answer.refused

    async def _ask(self, person: str, seconds: float) -> Answer | None:
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            async with httpx.AsyncClient(trust_env=False, verify=trusted(), timeout=seconds, headers=headers) as client:
                answer = await client.post(self._url, json={"person": person})
                answer.raise_for_status()
                return _understood(answer.json())
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None


def _understood(document: Any) -> Answer:
    return Answer([str(one["sentence"]) for one in document["budgets"]], str(document["refused"]))
