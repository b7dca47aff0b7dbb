"""What fits the pilot (18 CPUs, 32 GiB, 500 GiB; values-pilot.yaml): by what is reserved, and by what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from benchmarks.kube_memory import Memory
from benchmarks.measure import median, table
from support.helm import EVALUATION, PILOT, Manifest, of_kind, pods, render
from support.quantities import GIB, amount, requested
from voxelhub_spawner.kube_chart import Chart, read_chart


@dataclass(frozen=True)
class Room:
    """CPUs and bytes of memory."""

    cpu: float
    memory: float

    def holds(self, one: Room) -> int:
        return int(min(self.cpu // one.cpu, self.memory // one.memory))


CPUS, MEMORY, DISK = 18, 32 * GIB, 500 * GIB


def parts(manifests: Sequence[Manifest]) -> Room:
    """What the release itself reserves."""
    return Room(*(sum(requested(pod, resource) for pod in pods(manifests).values()) for resource in ("cpu", "memory")))


def homes(manifests: Sequence[Manifest], chart: Chart) -> int:
    """How many fit beside the release's own volumes."""
    claims = of_kind(manifests, "PersistentVolumeClaim").values()
    used = sum(amount(claim["spec"]["resources"]["requests"]["storage"]) for claim in claims)
    return int((DISK - used) // amount(chart.storage.capacity))


def rows(chart: Chart, left: Room) -> list[list[str]]:
    found = []
    for profile in chart.profiles:
        asked = Room(profile.cpu * chart.guaranteed_cpu, profile.memory * chart.guaranteed_memory)
        found.append([f"{profile.title}: {profile.cpu:g} CPU, {profile.memory / GIB:g} GiB", f"{asked.cpu:g} CPU, "
                      f"{asked.memory / GIB:g} GiB", str(left.holds(asked)), str(left.holds(Room(profile.cpu, profile.memory)))])
    return found


def report(seen: Memory | None) -> str:
    manifests = render({"publicUrl": "https://vre.example.org"}, files=[EVALUATION, PILOT])
    document: Mapping[str, Any] = yaml.safe_load(of_kind(manifests, "ConfigMap")["hub"]["data"]["chart.yaml"])
    chart, own = read_chart(document), parts(manifests)
    left = Room(CPUS - own.cpu, MEMORY - own.memory)
    head = ["profile", "reserved for each", "people at the same time", "each with all of it"]
    lines = [
        f"18 CPUs, 32 GiB, 500 GiB with `values-pilot.yaml`. The release reserves {own.cpu:g} CPUs and "
        f"{own.memory / GIB:.1f} GiB; {left.cpu:g} CPUs and {left.memory / GIB:.1f} GiB are left for people. The disk holds "
        f"{homes(manifests, chart)} homes of {chart.storage.capacity}.", table(head, rows(chart, left))]
    if seen and seen.servers:
        one, parts_now = median(seen.servers), sum(seen.parts.values())
        lines.append(
            f"By the memory measured with {len(seen.servers)} people: the parts hold {parts_now / GIB:.1f} GiB and a server with "
            f"one kernel {one / GIB:.2f} GiB. 32 GiB would hold {int((MEMORY - parts_now) // one)} servers in which nothing is "
            "computed: what is reserved for people's work is the limit, not what VoxelHub takes itself.")
    return "\n\n".join(lines)
