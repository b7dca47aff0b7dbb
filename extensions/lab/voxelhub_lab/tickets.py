"""Tickets to the dashboards of one's clusters: words that nobody guesses, each good for one cluster, and for a while.

A dashboard is a page that a Dask scheduler made, and a scheduler runs its user's code, with all the packages of it. Shown
as a page of this server it could do everything that the signed-in user can. So it is shown as a document without an origin
(CSP `sandbox allow-scripts`, without `allow-same-origin`), and such a document has no cookies, not even for its own scripts
and its WebSocket, and the browser calls its origin `null`. The ticket in its address is what lets these through. It is the
only authority that the page has, and it opens nothing but the page itself.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

IDLE = 600.0  # seconds without use after which a ticket is void; a page that is open uses it all the time
LIFE = 24 * 3600.0  # seconds
MOST = 100  # the one that was unused for longest gives way


@dataclass
class Ticket:
    cluster: str
    made: float
    used: float


class Tickets:
    """Of one notebook server, in its memory only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, Ticket] = {}

    def issue(self, cluster: str) -> str:
        now = self._clock()
        self._known = {word: ticket for word, ticket in self._known.items() if self._good(ticket, now)}
        while len(self._known) >= MOST:
            del self._known[min(self._known, key=lambda word: self._known[word].used)]
        word = secrets.token_urlsafe(32)
        self._known[word] = Ticket(cluster, now, now)
        return word

    def use(self, word: str, cluster: str) -> bool:
        """Whether it opens the dashboard of this cluster now."""
        ticket, now = self._known.get(word), self._clock()
        if ticket is None or ticket.cluster != cluster or not self._good(ticket, now):
            return False
        ticket.used = now
        return True

    @staticmethod
    def _good(ticket: Ticket, now: float) -> bool:
        return now - ticket.used < IDLE and now - ticket.made < LIFE
