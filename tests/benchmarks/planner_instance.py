"""The published instance: 29 servers, ten slides of 213,270 patches in all, four presets, and what the paper answers.

Published are the sum of the patches and the limits (arXiv 2401.12597, Table III); the ten sizes are ours. Servers come from the
folder of shared test inputs, which is not part of the product.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from voxelhub_planner import Limits, Node, Slide, Workload, slide_of, split

NODES = Path(os.environ.get("VOXELHUB_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data/planner/nodes29.json"
SIZES = (8_457, 12_043, 15_310, 17_895, 19_872, 21_560, 23_984, 26_411, 30_276, 37_462)
KB_PER_PATCH = 100.0
T4_PATCHES_PER_S = 200.0
PRESETS = {
    "Normal": Limits(8, 0.1, 800), "Very few nodes": Limits(5, 0.2, 1200), "Tight budget": Limits(8, 0.01, 1200),
    "Short deadline": Limits(8, 0.2, 560),
}
WIDEST = Limits(8, 0.2, 1200)  # holds all four presets
# (nodes, USD, s) with the even split and with the paper's own; None: the paper has no answer.
Row = tuple[int, float, float] | None
PAPER: dict[str, tuple[Row, Row]] = {
    "Normal": ((7, 0.084264, 797.981), (6, 0.033261, 743.688)),
    "Very few nodes": ((5, 0.049659, 1060.841), (5, 0.007348, 1029.702)),
    "Tight budget": (None, (6, 0.008859, 1004.384)),
    "Short deadline": ((7, 0.118831, 535.345), None),
}


def nodes() -> list[Node]:
    """Each a trust domain of its own, as the paper has it."""
    listed = json.loads(NODES.read_text())["nodes"]
    return [Node(one["id"], one["id"], round(T4_PATCHES_PER_S * one["speed_rel_t4"]["value"], 6), gpu=one["gpu"],
                 price_usd_per_hour=one["price_usd_per_hour"]["value"], uplink_mbps=one["uplink_mbps"]["value"],
                 location=one["location"]) for one in listed]


def tissue(patches: int, seed: int) -> np.ndarray:
    """Cells of a synthetic slide of exactly so many patches: overlapping blobs with rough borders."""
    random = np.random.default_rng(seed)
    side = int(np.sqrt(patches) * 1.9) + 8
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    blobs = random.uniform((0.2 * side, 0.2 * side, side / 9), (0.8 * side, 0.8 * side, side / 4.5), (6, 3))
    field = sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * r**2)) for cx, cy, r in blobs)
    noisy = (np.asarray(field) + random.normal(0, 0.02, (side, side))).T
    return np.argwhere(noisy >= np.sort(noisy.ravel())[-patches])[:patches]


def workload(strategy: str) -> Workload:
    """Ten slides, split."""
    slides: list[Slide] = []
    for w, patches in enumerate(SIZES):
        cells = tissue(patches, w)
        slides.append(slide_of(f"slide-{w + 1}", cells, split(cells, strategy, seed=w)))
    return Workload(tuple(slides), KB_PER_PATCH)


def many(nodes_count: int, slides_count: int, seed: int = 1) -> tuple[list[Node], Workload]:
    """Large and random: nodes of 50–600 patches/s at 0.1–3 USD/h; slides of 8,000–40,000 patches in five unequal fragments."""
    random = np.random.default_rng(seed)

    def drawn(low: float, high: float, digits: int) -> float:
        return float(round(random.uniform(low, high), digits))

    listed = [Node(f"n{j}", f"d{j}", drawn(50, 600, 2), price_usd_per_hour=drawn(0.1, 3, 2), uplink_mbps=drawn(20, 900, 1))
              for j in range(nodes_count)]
    slides = []
    for w in range(slides_count):
        shares = random.dirichlet([4, 4, 2, 1, 0.3]) * int(random.integers(8_000, 40_000))
        slides.append(Slide(f"slide-{w + 1}", tuple(int(n) + 1 for n in shares)))
    return listed, Workload(tuple(slides), KB_PER_PATCH)
