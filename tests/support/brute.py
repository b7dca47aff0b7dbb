"""The planner's oracle: every assignment of a small request, in rational arithmetic, with nothing of the planner's own search."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction

from voxelhub_planner import Limits, Node, Workload


@dataclass(frozen=True)
class Outcome:
    nodes: int
    cost: Fraction
    makespan: Fraction


def written(value: float) -> Fraction:
    return Fraction(str(value))


def seconds_per_patch(node: Node, kb: float) -> Fraction:
    link = Fraction(0) if math.isinf(node.uplink_mbps) else written(kb) * 8 / 1000 / written(node.uplink_mbps)
    return link + 1 / written(node.throughput_patches_per_s)


def outcome(nodes: list[Node], workload: Workload, chosen: dict[tuple[int, int], int]) -> Outcome:
    """`chosen`: (slide, fragment) → index of the node."""
    seconds: dict[int, Fraction] = {}
    for (w, i), j in chosen.items():
        time = written(nodes[j].setup_s) + workload.slides[w].fragments[i] * seconds_per_patch(nodes[j], workload.kb_per_patch)
        seconds[j] = seconds.get(j, Fraction(0)) + time
    cost = Fraction(0)
    for j, time in seconds.items():
        node = nodes[j]
        billed = time if not node.billing_s else math.ceil(time / written(node.billing_s)) * written(node.billing_s)
        cost += max(billed * written(node.price_usd_per_hour) / 3600, written(node.minimum_charge_usd))
    return Outcome(sum(not nodes[j].trusted for j in seconds), cost, max(seconds.values()))


def everything(nodes: list[Node], workload: Workload, own: bool = True) -> list[Outcome]:
    """Every assignment of all slides."""
    per_slide = []
    for w, slide in enumerate(workload.slides):
        real = [i for i, size in enumerate(slide.fragments) if size]
        every = range(len(nodes))
        ways = itertools.permutations(every, len(real)) if own else itertools.product(every, repeat=len(real))
        per_slide.append([{(w, i): j for i, j in zip(real, way, strict=True)} for way in ways])
    found = set()
    for combination in itertools.product(*per_slide):
        chosen: dict[tuple[int, int], int] = {}
        for one in combination:
            chosen |= one
        found.add(outcome(nodes, workload, chosen))
    return list(found)


def within(outcomes: list[Outcome], limits: Limits) -> list[Outcome]:
    def fits(value: Fraction | int, limit: float | None) -> bool:
        return limit is None or value <= written(limit)

    return [one for one in outcomes
            if fits(one.nodes, limits.max_nodes) and fits(one.cost, limits.budget_usd) and fits(one.makespan, limits.deadline_s)]


def front(outcomes: list[Outcome]) -> set[Outcome]:
    def beaten(one: Outcome, other: Outcome) -> bool:
        return other != one and other.nodes <= one.nodes and other.cost <= one.cost and other.makespan <= one.makespan

    return {one for one in outcomes if not any(beaten(one, other) for other in outcomes)}
