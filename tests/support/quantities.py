"""Kubernetes' quantities as numbers, and what the scheduler counts for a pod."""

from __future__ import annotations

import re

from .helm import Manifest

UNITS = {"": 1.0, "m": 0.001, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
GIB = UNITS["Gi"]


def amount(quantity: object) -> float:
    match = re.fullmatch(r"([0-9.]+)(m|[KMGT]i|)", str(quantity))
    assert match, quantity
    return float(match[1]) * UNITS[match[2]]


def requested(pod: Manifest, resource: str) -> float:
    """As the scheduler counts: the containers together, or the largest that runs before them."""
    def of(name: str) -> list[float]:
        return [amount(container["resources"]["requests"][resource]) for container in pod["spec"].get(name, [])]

    return max([sum(of("containers")), *of("initContainers")])
