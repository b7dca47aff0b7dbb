"""What a cluster may be made of here: environments, kinds of workers, and the room that the machine has for them all."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import psutil
from voxelhub_sandbox import bubblewrap
from voxelhub_sandbox.cgroups import limits_around

from ..context import Context
from ..ledger.prices import PriceList, WorkerKind
from ..settings import Settings
from ..wire_clusters import ClusterChoices, ClusterEnvironment
from ..wire_clusters import WorkerKind as KindOut
from .processes import KERNELS
from .sharing import Room

ENVIRONMENTS = ("imaging", "imaging-torch")  # those of notebook kernels; the first one is the default
NO_CLUSTERS = "On Kubernetes there are no Dask clusters yet: they need the operator of Dask, which comes with the next version."
MEMORY_SHARE = 0.5  # of the machine's
CPU_SHARE = 2.0  # workers wait for data and for each other


def environments(settings: Settings) -> list[ClusterEnvironment]:
    """Those that are installed here and have Dask."""
    found = []
    for name in ENVIRONMENTS:
        version = dask_version(settings.envs_dir / name)
        if version:
            found.append(ClusterEnvironment(name=name, title=_title(name), dask=version, default=name == ENVIRONMENTS[0]))
    return found


def dask_version(environment: Path) -> str:
    """Of its `distributed`; "" where it has none."""
    found = sorted(environment.glob("lib/python3*/site-packages/distributed-*.dist-info"))
    return found[0].name.removesuffix(".dist-info").partition("-")[2] if found else ""


def python_version(environment: Path) -> str:
    found = sorted(environment.glob("lib/python3*"))
    return found[0].name.removeprefix("python") if found else ""


def broken(settings: Settings, name: str) -> str:
    """Why no process could be started in an environment that was there when it was chosen, or ""."""
    folder = settings.envs_dir / name
    missing = "Python" if not (folder / "bin" / "python").exists() else "" if dask_version(folder) else "Dask"
    return missing and (f"Its environment {name} has no {missing} on this machine. An administrator installs it again with "
                        f"`python3 hub_config/bootstrap.py {name}`.")


def room(settings: Settings) -> Room:
    """Cores and bytes that the workers of all clusters share."""
    machine = _machine()
    return Room(float(settings.cluster_cpus) or CPU_SHARE * machine.cpus,
                settings.cluster_memory or int(MEMORY_SHARE * machine.memory))


@functools.cache
def _machine() -> Room:
    """What this process may use; asked once, as it is looked at several times a second."""
    limits = limits_around()
    usable = float(len(os.sched_getaffinity(0)))
    total = psutil.virtual_memory().total
    return Room(usable if limits.cpus is None else max(0.1, min(usable, limits.cpus)),
                total if limits.memory is None else min(total, limits.memory))


def kinds(settings: Settings, prices: PriceList) -> list[WorkerKind]:
    """Those of which at least one fits. This machine gives no GPUs to clusters."""
    here = room(settings)
    return [kind for kind in prices.kinds if not kind.gpus and kind.cpu <= here.cpus and kind.memory <= here.memory]


def default_kind(settings: Settings, prices: PriceList) -> WorkerKind | None:
    fitting = kinds(settings, prices)
    return prices.default_kind if prices.default_kind in fitting else fitting[0] if fitting else None


def unavailable(settings: Settings, prices: PriceList) -> str:
    """Why no cluster can be made here, or ""."""
    if settings.on_kubernetes:
        return NO_CLUSTERS
    if not environments(settings):
        command = f"python3 hub_config/bootstrap.py {ENVIRONMENTS[0]}"
        return f"No environment with Dask is installed here. An administrator installs one with `{command}`."
    if settings.isolation and (reason := bubblewrap.unavailable()):
        return reason
    if not kinds(settings, prices):
        return "This machine is too small for every kind of worker in the price list."
    return ""


def choices(context: Context, prices: PriceList) -> ClusterChoices:
    settings = context.settings
    default = default_kind(settings, prices)
    return ClusterChoices(
        environments=environments(settings),
        kinds=[KindOut(name=one.name, title=one.title, cpu=one.cpu, memory=one.memory, gpus=one.gpus,
                       price_per_hour=prices.of_worker(one.name).per_hour, default=one == default)
               for one in kinds(settings, prices)],
        currency=prices.currency, price_date=prices.date, scheduler_price_per_hour=prices.of_worker("scheduler").per_hour,
        ceiling=settings.cluster_workers, clusters=settings.cluster_max, idle_seconds=settings.cluster_idle,
        unavailable=unavailable(settings, prices))


def _title(name: str) -> str:
    try:
        title = json.loads((KERNELS / "specs" / name / "kernel.json").read_text())["display_name"]
    except (OSError, ValueError, KeyError):
        return name
    return str(title)
