"""How many GPUs of a kind there are and are free, from documents of nodes and pods. Pure, and one thin look at the cluster.

Only the pods of our own namespace are looked at, because a pod's document holds its secrets: where other namespaces use the same
cards, fewer are free than is said. A start then waits, and says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voxelhub_sandbox.profiles import Profile

from .form import Note, slice_of
from .kube_chart import Chart
from .kube_plan import GPU_PRODUCT
from .shared import Shared

Document = Mapping[str, Any]
FRESH = 5.0  # seconds for which a count is taken as it was
PATIENCE = 2.0  # seconds that the page waits for the cluster


@dataclass(frozen=True)
class Count:
    """Of one resource on the nodes that a profile may use. `largest`: most that are free on one node."""

    total: int
    free: int
    largest: int
    nodes: int


def count(nodes: Iterable[Document], pods: Iterable[Document], resource: str, selector: Mapping[str, str]) -> Count:
    """What may be had: nodes that are ready, take new pods and fit the selector. A pod that still has no node will take its
    part somewhere, so it is counted where all fit together, and not where it cannot go."""
    fitting = {name_of(node): node for node in nodes if usable(node) and fits(node, selector)}
    living = [pod for pod in pods if not finished(pod)]
    left = {name: int(allocatable(node).get(resource, 0)) for name, node in fitting.items()}
    total, with_cards = sum(left.values()), sum(number > 0 for number in left.values())
    for pod in living:
        if (place := pod.get("spec", {}).get("nodeName")) in left:
            left[place] -= asked(pod, resource)
    left = {name: max(0, number) for name, number in left.items()}
    homeless = [pod.get("spec", {}) for pod in living if not pod.get("spec", {}).get("nodeName")]
    waiting = sum(asked({"spec": spec}, resource) for spec in homeless
                  if any(fits(node, spec.get("nodeSelector") or {}) for node in fitting.values()))
    free = max(0, sum(left.values()) - waiting)
    return Count(total, free, min(free, max(left.values(), default=0)), with_cards)


def held(pods: Iterable[Document], label: str, value: str, resources: Iterable[str]) -> int:
    """GPUs of all kinds that living pods with this label hold or wait for."""
    kinds = set(resources)
    return sum(asked(pod, kind) for pod in pods if not finished(pod) for kind in kinds
               if (pod["metadata"].get("labels") or {}).get(label) == value)


def note(profile: Profile, found: Count | None, waits: int) -> Note:
    """What a card says of its GPUs; nothing where the cluster did not answer."""
    if not profile.gpu_count or found is None:
        return Note()
    free, kind = f"{found.free} of {found.total}", f"{profile.gpu_kind} GPU{slice_of(profile.gpu_resource)}".strip()
    patience = f"A start waits up to {minutes(waits)} for one"
    if not found.total:
        return Note(free, f"No machine with a {kind} is in the cluster now. {patience}.")
    if found.free < profile.gpu_count:
        return Note(free, f"Cannot start at once: {in_use(found, kind)}. {patience} to become free.")
    if found.largest < profile.gpu_count:
        return Note(free, f"Cannot start at once: {profile.gpu_count} are needed on one machine, "
                          f"and no machine has more than {found.largest} free. {patience.removesuffix(' for one')} for them.")
    return Note(free)


def in_use(found: Count, kind: str) -> str:
    if found.free:
        return f"only {found.free} {kind} is free" if found.free == 1 else f"only {found.free} of {found.total} {kind} are free"
    return f"the only {kind} is in use" if found.total == 1 else f"all {found.total} {kind} are in use"


def minutes(seconds: int) -> str:
    return f"{round(seconds / 60)} minutes" if seconds >= 90 else f"{seconds} seconds"


def usable(node: Document) -> bool:
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in node.get("status", {}).get("conditions") or [])
    return ready and not node.get("spec", {}).get("unschedulable")


def fits(node: Document, selector: Mapping[str, str]) -> bool:
    labels = node["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in selector.items())


def finished(pod: Document) -> bool:
    """Its cards are free again. A pod that is being deleted still holds them."""
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def asked(pod: Document, resource: str) -> int:
    """As the scheduler reckons: what its containers ask together, or one of its init containers alone."""
    spec = pod.get("spec", {})
    each = [[int((c.get("resources", {}).get("limits") or {}).get(resource, 0)) for c in spec.get(kind) or []]
            for kind in ("containers", "initContainers")]
    return max(sum(each[0]), max(each[1], default=0))


def allocatable(node: Document) -> Mapping[str, str]:
    return node.get("status", {}).get("allocatable") or {}


def name_of(document: Document) -> str:
    return str(document["metadata"]["name"])


def selector_of(chart: Chart, profile: Profile) -> dict[str, str]:
    kind = {GPU_PRODUCT: profile.gpu_kind} if profile.gpu_kind else {}
    return {**chart.node_selector, **kind, **profile.node_selector}


Look = Callable[[], Awaitable[tuple[Sequence[Document], Sequence[Document]]]]


class GpuView(Shared):
    """Nodes and pods as they were a moment ago. One look at a time, however many pages are open."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: tuple[Sequence[Document], Sequence[Document]] | None = None
        self._at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def see(self, look: Look) -> tuple[Sequence[Document], Sequence[Document]] | None:
        """None where the cluster does not answer in time, or does not let us look."""
        if self._clock() - self._at >= FRESH:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look(look))
            await asyncio.wait([self._looking], timeout=PATIENCE)
            if not self._looking.done():
                return None
        return self._seen

    async def _look(self, look: Look) -> None:
        try:
            self._seen = await look()
        except Exception:  # whatever the client raises: the page is shown without counts
            self._seen = None
        self._at = self._clock()
