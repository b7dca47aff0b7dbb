"""For how long no kernel has kept a cluster, counted only while one could have been heard.

A kernel speaks through the API, which asks the hub who speaks. An outage of either, of the database or of this worker, and a
machine that slept, end no cluster of a living kernel: after each of them the count begins at nothing. It goes by the monotonic
clock of this process; what the wall clock does is no matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import httpx

Answers = Callable[[], bool]
ASK = 5.0  # seconds between two questions to the API
GAP = 10.0  # seconds between two looks, after which nothing is known of the time between


class Listening:
    def __init__(self, answers: Answers, clock: Callable[[], float] = time.monotonic) -> None:
        self._answers, self._clock = answers, clock
        self._asked, self._answered = -ASK, False
        self.forget()

    def forget(self) -> None:
        """As after a restart."""
        self._since: float | None = None  # without a break until now, kernels could be heard
        self._looked = self._clock()
        self._heard: dict[str, tuple[datetime, float]] = {}

    def look(self, hub_answers: bool) -> None:
        """To be called often, while there is a cluster that a kernel keeps."""
        now = self._clock()
        if now - self._asked >= ASK:
            self._answered, self._asked = self._answers(), now
        if not (self._answered and hub_answers):
            self._since = None
        elif self._since is None or now - self._looked > GAP:
            self._since = now
        self._looked = now

    def silence(self, cluster_id: str, kept_at: datetime) -> float:
        """Seconds. `kept_at` is a mark that changes with each time that it is kept."""
        now = self._clock()
        known, heard = self._heard.get(cluster_id, (None, now))
        if known != kept_at:
            heard = now
            self._heard[cluster_id] = (kept_at, now)
        return 0.0 if self._since is None else max(0.0, now - max(heard, self._since))

    def drop(self, cluster_id: str) -> None:
        self._heard.pop(cluster_id, None)


def api_answers(service_url: str) -> Answers:
    """Asks the address that kernels are given."""
    http = httpx.Client(timeout=httpx.Timeout(2, connect=1), trust_env=False)

    def answers() -> bool:
        try:
            return http.get(f"{service_url}/api/v1/health").is_success
        except httpx.HTTPError:
            return False

    return answers
