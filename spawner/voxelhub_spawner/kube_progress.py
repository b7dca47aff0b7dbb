"""The steps of a start as they happen, in words for who waits. Pure: documents of the pod and its events in, messages out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .kube_objects import CONTAINER
from .kube_reasons import explain

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """Of a start. `percent` grows from each to the next."""

    name: str
    percent: int
    words: str


ASKED = Step("asked", 5, "Looking for a place for your server.")
PLACED = Step("placed", 20, "A place was found. Opening your home and your projects.")
MOUNTED = Step("mounted", 40, "Your home and your projects are there.")
PULLING = Step("pulling", 50, "Fetching the software. The first time on a machine this takes minutes, later none.")
PULLED = Step("pulled", 70, "The software is there.")
STARTED = Step("started", 80, "The server has started. JupyterLab is being loaded.")
HELD = 3  # looks, a second apart, at which the same thing is in the way before it is said: much heals by itself at once
ANSWERS = Step("answers", 95, "JupyterLab answers.")
STEPS = (ASKED, PLACED, MOUNTED, PULLING, PULLED, STARTED, ANSWERS)


def reached(pod: Document | None, events: Sequence[Document]) -> list[Step]:
    """The steps that were taken, in order. Fetching is one only where it was needed."""
    if pod is None:
        return [ASKED]
    status, seen = pod.get("status", {}), {event.get("reason") for event in events}
    containers = [c for c in status.get("containerStatuses") or [] if c.get("name") == CONTAINER]
    running = any((c.get("state") or {}).get("running") for c in containers)
    pulled = running or "Pulled" in seen or any(c.get("imageID") for c in containers)
    ready_to_run = any(c.get("type") == "PodReadyToStartContainers" and c.get("status") == "True"
                       for c in status.get("conditions") or [])
    taken = {
        ASKED: True, PLACED: bool(pod.get("spec", {}).get("nodeName")),
        MOUNTED: ready_to_run or pulled or "Pulling" in seen, PULLING: "Pulling" in seen, PULLED: pulled, STARTED: running,
    }
    return [step for step in STEPS if taken.get(step)]


class Teller:
    """Says each step once, and what holds a start up once for as long as it does."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._percent = 0
        self._held, self._looks = "", 0

    def tell(self, pod: Document | None, events: Sequence[Document]) -> Iterator[dict[str, Any]]:
        yield from self.say(reached(pod, events))
        held = explain(pod, events)
        sentence = held.sentence if held else ""
        self._looks = self._looks + 1 if sentence == self._held else 1
        self._held = sentence
        if sentence and self._looks == HELD:
            yield {"progress": self._percent, "message": f"Still waiting: {sentence}"}

    def say(self, steps: Sequence[Step]) -> Iterator[dict[str, Any]]:
        """Those not told yet. A step that came late, because its event did, does not move the bar back."""
        for step in steps:
            if step.name not in self._told:
                self._told.add(step.name)
                self._percent = max(self._percent, step.percent)
                yield {"progress": self._percent, "message": step.words}
