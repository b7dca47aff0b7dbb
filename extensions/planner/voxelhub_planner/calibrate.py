"""How fast a node really is: time some fragments of two sizes and draw the line through them.

seconds = set-up + patches / throughput. The least of several repetitions counts for each size: whatever else a machine does only
makes it slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .errors import PlannerError
from .prices import CALIBRATION


@dataclass(frozen=True)
class Calibration:
    node: str
    throughput_patches_per_s: float
    setup_s: float
    spread: float  # of the slower size: (largest − least) / least
    patches: tuple[int, ...]
    seconds: tuple[float, ...]  # the least of each size


def calibrate(
    node: str, process: Callable[[int], object], *, sizes: Sequence[int] = (200, 1000), repetitions: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> Calibration:
    """`process(n)` must do a node's whole work on n patches. Raises where more patches take no longer: that measures nothing."""
    if len(sizes) != 2 or not 0 < sizes[0] < sizes[1] or repetitions < 1:
        raise PlannerError("Calibration takes two sizes, the smaller first, and at least one repetition.")
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(repetitions):
        for size in sizes:
            start = clock()
            process(size)
            taken[size].append(clock() - start)
    least = {size: min(seconds) for size, seconds in taken.items()}
    small, large = sizes
    slope = (least[large] - least[small]) / (large - small)
    if slope <= 0:
        raise PlannerError(f"Node {node}: {large} patches took no longer than {small}. Give larger sizes.")
    setup = max(least[small] - slope * small, 0.0)
    slowest = taken[large]
    return Calibration(node, 1 / slope, setup, (max(slowest) - min(slowest)) / min(slowest), tuple(sizes), tuple(least.values()))


def calibration_file(found: Sequence[Calibration]) -> dict[str, Any]:
    """What `with_calibration` reads."""
    nodes = [{"id": one.node, "throughput_patches_per_s": one.throughput_patches_per_s, "setup_s": round(one.setup_s, 6),
              "spread": round(one.spread, 4), "patches": list(one.patches), "seconds": [round(s, 6) for s in one.seconds]}
             for one in found]
    return {"format": CALIBRATION, "date": f"{datetime.now(UTC):%Y-%m-%d}", "nodes": nodes}
