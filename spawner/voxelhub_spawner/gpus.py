"""Local GPUs and who has them: each is leased to at most one server, and only leased device files are bound in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .shared import Shared


@dataclass(frozen=True)
class Gpu:
    """`kind` is the model in lower case with hyphens, as nvidia-h100-80gb-hbm3."""

    kind: str
    device: str


class GpuPool(Shared):
    """Leases by server name. Nothing is written here: a spawner keeps its lease in its own state and claims it again."""

    def __init__(self, gpus: Sequence[Gpu]) -> None:
        self.gpus = tuple(gpus)
        self._holder: dict[str, str] = {}

    def free(self, kind: str = "") -> list[Gpu]:
        return [g for g in self.gpus if g.device not in self._holder and g.kind.startswith(kind)]

    def lease(self, holder: str, kind: str, count: int) -> list[Gpu] | None:
        """All or none; None when not enough are free. Asking again gives up the earlier lease first."""
        self.release(holder)
        chosen = self.free(kind)[:count]
        if len(chosen) < count:
            return None
        self.claim(holder, [g.device for g in chosen])
        return chosen

    def claim(self, holder: str, devices: Iterable[str]) -> None:
        """Note a lease that outlived the hub."""
        self._holder.update(dict.fromkeys(devices, holder))

    def release(self, holder: str) -> None:
        self._holder = {device: name for device, name in self._holder.items() if name != holder}

    def held_by(self, holder: str) -> list[str]:
        return sorted(device for device, name in self._holder.items() if name == holder)

    def kinds(self) -> dict[str, int]:
        """How many of each kind exist, leased or not."""
        return {kind: sum(g.kind == kind for g in self.gpus) for kind in {g.kind for g in self.gpus}}


def detect_gpus(proc: Path = Path("/proc/driver/nvidia/gpus")) -> list[Gpu]:
    """NVIDIA cards that the driver names; an empty list where there is no driver."""
    found = []
    for information in sorted(proc.glob("*/information")):
        text = information.read_text()
        model = re.search(r"^Model:\s*(.+)$", text, re.MULTILINE)
        minor = re.search(r"^Device Minor:\s*(\d+)$", text, re.MULTILINE)
        if model and minor:
            found.append(Gpu(re.sub(r"[^a-z0-9]+", "-", model[1].lower()).strip("-"), f"/dev/nvidia{minor[1]}"))
    return found


def shared_devices(dev: Path = Path("/dev")) -> list[str]:
    """The driver's control files, which every holder of a card needs beside the card."""
    return [str(dev / name) for name in ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools") if (dev / name).exists()]
