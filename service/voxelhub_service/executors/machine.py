"""What this machine has for tool runs: the settings' numbers, or what is measured."""

from __future__ import annotations

import os

import psutil
from voxelhub_sandbox.cgroups import limits_around

from ..settings import Settings

MEMORY_SHARE = 0.75  # of what there is; the rest is for the service, the hub and notebook servers


def cores(settings: Settings) -> float:
    """Cores that tool runs share: those this process may use, within the limits of the cgroups around it."""
    if settings.run_cpus:
        return float(settings.run_cpus)
    limit = limits_around().cpus
    usable = float(len(os.sched_getaffinity(0)))
    return usable if limit is None else max(0.1, min(usable, limit))


def memory(settings: Settings) -> int:
    """Bytes that tool runs share: a part of the machine's memory, or of the limit of the cgroups around us where that is less."""
    if settings.run_memory:
        return settings.run_memory
    limit = limits_around().memory
    total = psutil.virtual_memory().total
    return int(MEMORY_SHARE * (total if limit is None else min(total, limit)))
