"""What the processes of one cluster used, by profile: counters that only grow, also over processes that have ended."""

from __future__ import annotations

from collections.abc import Iterable

from .processes import Process

Counters = dict[str, dict[str, float]]
NAMES = ("seconds", "core_seconds", "gpu_seconds", "used_cpu_seconds", "peak_memory")


class Accounts:
    def __init__(self) -> None:
        self._ended: Counters = {}

    def end(self, process: Process) -> None:
        """Its counters stand still from now on."""
        add(self._ended, process)

    def total(self, living: Iterable[Process]) -> Counters:
        """Of those that have ended and of those that live."""
        sums = {profile: dict(counters) for profile, counters in self._ended.items()}
        for process in living:
            process.confinement.measure()
            add(sums, process)
        return {profile: {name: round(value, 3) for name, value in counters.items()} for profile, counters in sums.items()}


def add(sums: Counters, process: Process) -> None:
    """Seconds by the monotonic clock; cores and GPUs as they were given, CPU seconds and peak memory as they were used."""
    counters = sums.setdefault(process.size.profile, dict.fromkeys(NAMES, 0.0))
    seconds, usage = process.seconds, process.confinement.usage
    counters["seconds"] += seconds
    counters["core_seconds"] += seconds * process.size.cpu
    counters["gpu_seconds"] += seconds * process.size.gpus
    counters["used_cpu_seconds"] += usage.cpu_seconds
    counters["peak_memory"] = max(counters["peak_memory"], usage.peak_memory)
