"""What a plan costs, takes and shows, in rational arithmetic: every reported plan goes through here.

A number is read as it is written (40.26 is 4026/100, not the nearest binary fraction), so a plan that lies exactly on its
deadline is seen to meet it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from .model import Limits, Node, Workload
from .views import largest_share, worst_pair

Assignment = Sequence[Sequence[str | None]]
HOUR = 3600


@lru_cache(maxsize=65536)
def number(value: float) -> Fraction:
    return Fraction(repr(value))


def through(node: Node, egress_mbps: float | None) -> Node:
    """The node behind the trusted zone's own line: its link is no faster than that."""
    if node.trusted or egress_mbps is None or node.uplink_mbps <= egress_mbps:
        return node
    return replace(node, uplink_mbps=egress_mbps)


@lru_cache(maxsize=65536)
def seconds_per_patch(node: Node, kb_per_patch: float) -> Fraction:
    link = Fraction(0) if math.isinf(node.uplink_mbps) else number(kb_per_patch) * 8 / 1000 / number(node.uplink_mbps)
    return link + 1 / number(node.throughput_patches_per_s)


def cost_usd(node: Node, seconds: Fraction) -> Fraction:
    billed = seconds
    if node.billing_s:
        period = number(node.billing_s)
        billed = math.ceil(seconds / period) * period
    charged = billed * number(node.price_usd_per_hour) / HOUR
    return max(charged, number(node.minimum_charge_usd)) if seconds else charged


@dataclass(frozen=True)
class Figures:
    nodes: int
    cost_usd: Fraction
    makespan_s: Fraction


def figures(nodes: Mapping[str, Node], workload: Workload, assignment: Assignment, egress_mbps: float | None = None) -> Figures:
    """`nodes` by id. A node's time is the sum over its fragments of set-up + patches × seconds per patch."""
    patches: dict[str, int] = {}
    jobs: dict[str, int] = {}
    for slide, places in zip(workload.slides, assignment, strict=True):
        for size, name in zip(slide.fragments, places, strict=True):
            if name is not None and size:
                patches[name] = patches.get(name, 0) + size
                jobs[name] = jobs.get(name, 0) + 1
    cost, makespan, sent = Fraction(0), Fraction(0), 0
    for name, count in patches.items():
        node = through(nodes[name], egress_mbps)
        seconds = jobs[name] * number(node.setup_s) + count * seconds_per_patch(node, workload.kb_per_patch)
        cost += cost_usd(node, seconds)
        makespan = max(makespan, seconds)
        sent += 0 if node.trusted else count
    if egress_mbps is not None:
        makespan = max(makespan, egress_seconds(sent, workload.kb_per_patch, egress_mbps))
    return Figures(sum(not nodes[name].trusted for name in patches), cost, makespan)


def egress_seconds(patches: int, kb_per_patch: float, egress_mbps: float) -> Fraction:
    return patches * number(kb_per_patch) * 8 / 1000 / number(egress_mbps)


def violations(
    nodes: Mapping[str, Node], workload: Workload, assignment: Assignment, limits: Limits, own_node_per_fragment: bool,
    found: Figures | None = None,
) -> list[str]:
    """The names of what the plan breaks: limits, and `assignment`, `own_node_per_fragment`, `regions`. `found`: its figures."""
    found = figures(nodes, workload, assignment, limits.egress_mbps) if found is None else found
    broken = []
    for slide, places in zip(workload.slides, assignment, strict=True):
        used = [name for name in places if name is not None]
        if any((name is None) != (size == 0) for size, name in zip(slide.fragments, places, strict=True)):
            broken.append("assignment")
        if own_node_per_fragment and len(set(used)) < len(used):
            broken.append("own_node_per_fragment")
        for allowed in (limits.regions, slide.regions or None):
            if allowed is not None and any(nodes[name].region not in allowed for name in used):
                broken.append("regions")
        parties = [None if name is None or nodes[name].trusted else nodes[name].trust_domain for name in places]
        if limits.max_share is not None and largest_share(slide, parties) > number(limits.max_share):
            broken.append("max_share")
        if limits.max_pair_leak is not None and worst_pair(slide, parties) > number(limits.max_pair_leak):
            broken.append("max_pair_leak")
    values: dict[str, Fraction | int] = {"max_nodes": found.nodes, "budget_usd": found.cost_usd, "deadline_s": found.makespan_s}
    for name, value in values.items():
        limit = getattr(limits, name)
        if limit is not None and value > number(float(limit)):
            broken.append(name)
    return list(dict.fromkeys(broken))
