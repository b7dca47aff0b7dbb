"""What a plan promises when bandwidths and throughputs are only known as intervals.

Two statements, kept apart. Certain: with every value inside its interval, no makespan and no cost lies outside [best, worst],
because both fall as bandwidth and throughput rise. Under a model: values drawn independently and evenly from their intervals,
once for each node; then the quantile of the makespan is sampled with a seed, and its upper limit is an order statistic that
holds with the stated confidence whatever the distribution of the makespan.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binom

from .errors import PlannerError
from .exact import figures, through
from .model import Limits, Node, Plan, Workload, unique
from .planning import Undecided, cheapest
from .problem import problem_of
from .solving import Found, Solver

CONFIDENCE = 0.999
DRAWS = 20_000


@dataclass(frozen=True)
class Spreading:
    """How one node's link (Mbit/s) and speed (patches/s) may turn out; None: as the node says."""

    node: str
    uplink_mbps: tuple[float, float] | None = None
    throughput_patches_per_s: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in ("uplink_mbps", "throughput_patches_per_s"):
            interval = getattr(self, name)
            if interval is not None and not (len(interval) == 2 and 0 < interval[0] <= interval[1] < math.inf):
                raise PlannerError(f"Node {self.node}: `{name}` must be an interval (low, high) above 0; this is {interval!r}.")


@dataclass(frozen=True)
class Robustness:
    """Seconds and USD. `promise` says in words what is certain and what rests on the model."""

    best_s: float
    worst_s: float
    median_s: float
    quantile: float
    quantile_s: float
    quantile_limit_s: float  # the true quantile is not above this, with the confidence
    confidence: float
    worst_usd: float
    mean_usd: float
    promise: str


def robustness(
    nodes: Iterable[Node], workload: Workload, plan: Plan, spreads: Iterable[Spreading], *, quantile: float = 0.9, seed: int = 0,
    draws: int = DRAWS, egress_mbps: float | None = None,
) -> Robustness:
    """Of a plan made for `nodes`."""
    if not 0 < quantile < 1 or draws < 1000:
        raise PlannerError("`quantile` lies between 0 and 1, and `draws` is at least 1000.")
    by_id, by_node = _known(nodes, spreads)
    ends = [figures({n: _at(node, by_node.get(n), slow) for n, node in by_id.items()}, workload, plan.assignment, egress_mbps)
            for slow in (False, True)]
    seconds, usd = _sampled(by_id, workload, plan, by_node, np.random.default_rng(seed), draws, egress_mbps)
    ordered = np.sort(seconds)
    place = int(binom.ppf(CONFIDENCE, draws, quantile))
    limit = float(ordered[place]) if place < draws else float(ends[1].makespan_s)
    value = float(ordered[min(math.ceil(quantile * draws) - 1, draws - 1)])
    worst = float(ends[1].makespan_s)
    promise = (f"Certain: not later than {worst:.6g} s and not dearer than {float(ends[1].cost_usd):.6g} USD while every value "
               f"stays in its interval. With values drawn independently and evenly from them: {100 * quantile:g} of 100 runs end "
               f"by {min(limit, worst):.6g} s (confidence {CONFIDENCE:g}, {draws} draws).")
    return Robustness(float(ends[0].makespan_s), worst, float(np.median(seconds)), quantile, value, min(limit, worst), CONFIDENCE,
                      float(ends[1].cost_usd), float(usd.mean()), promise)


def cheapest_robust(
    nodes: Iterable[Node], workload: Workload, spreads: Iterable[Spreading], *, max_nodes: int, deadline_s: float,
    quantile: float = 0.9, own_node_per_fragment: bool = True, limits: Limits | None = None, seed: int = 0,
) -> tuple[Plan, Robustness] | None:
    """A plan whose makespan's quantile meets the deadline, with what it promises; None: none was found.

    Every node is planned with slower values than it says; how much slower is halved in, until the quantile's upper limit meets
    the deadline. The plan's figures and bound are those of the nodes as they say they are. Not proven to be the cheapest.
    """
    known, spread = list(nodes), list(spreads)
    by_id, by_node = _known(known, spread)
    egress = limits.egress_mbps if limits is not None else None
    low, high = 0.0, 1.0
    best: tuple[Plan, Robustness] | None = None
    for step in range(9):
        level = (low + high) / 2 if step else 1.0
        slower = [_between(node, by_node.get(node.id), level) for node in known]
        try:
            plan = cheapest(slower, workload, max_nodes=max_nodes, deadline_s=deadline_s, seed=seed, limits=limits,
                            own_node_per_fragment=own_node_per_fragment)
        except Undecided:
            plan = None
        found = None
        if plan is not None:
            found = robustness(known, workload, plan, spread, quantile=quantile, seed=seed, egress_mbps=egress)
        if plan is not None and found is not None and found.quantile_limit_s <= deadline_s:
            if best is None or found.mean_usd <= best[1].mean_usd:
                best = (plan, found)
            high = level
        elif plan is None:
            high = level  # too slow to plan with: what is planned with may still keep the quantile
        else:
            low = level
        if high - low < 0.01:
            break
    if best is None:
        return None
    plan, promised = best
    solver = Solver(problem_of(known, workload, limits, own_node_per_fragment), seed)
    said = Found(plan.assignment, figures(by_id, workload, plan.assignment, egress))
    return solver.plan(said, solver.lower(said.nodes, said.makespan * (1 + 1e-12))), promised


def _known(nodes: Iterable[Node], spreads: Iterable[Spreading]) -> tuple[dict[str, Node], dict[str, Spreading]]:
    listed, spread = list(nodes), list(spreads)
    unique((node.id for node in listed), "node")
    unique((one.node for one in spread), "interval")
    by_id = {node.id: node for node in listed}
    for one in spread:
        if one.node not in by_id:
            raise PlannerError(f"There is no node {one.node!r} for the interval.")
    return by_id, {one.node: one for one in spread}


def _at(node: Node, spread: Spreading | None, slow: bool) -> Node:
    return _between(node, spread, 1.0 if slow else 0.0)


def _between(node: Node, spread: Spreading | None, level: float) -> Node:
    """`level`: 0 the fast end, 1 the slow one."""
    if spread is None:
        return node
    changes = {name: high + (low - high) * level for name, (low, high) in _intervals(spread).items()}
    return replace(node, **changes)  # type: ignore[arg-type]


def _intervals(spread: Spreading) -> dict[str, tuple[float, float]]:
    names = ("uplink_mbps", "throughput_patches_per_s")
    return {name: interval for name in names if (interval := getattr(spread, name)) is not None}


def _sampled(
    by_id: Mapping[str, Node], workload: Workload, plan: Plan, spreads: Mapping[str, Spreading], random: np.random.Generator,
    draws: int, egress_mbps: float | None,
) -> tuple[np.ndarray, np.ndarray]:
    patches: dict[str, int] = {}
    jobs: dict[str, int] = {}
    for slide, places in zip(workload.slides, plan.assignment, strict=True):
        for size, name in zip(slide.fragments, places, strict=True):
            if name is not None:
                patches[name], jobs[name] = patches.get(name, 0) + size, jobs.get(name, 0) + 1
    seconds, usd, sent = np.zeros(draws), np.zeros(draws), 0
    for name in sorted(patches):
        node = through(by_id[name], egress_mbps)
        intervals = _intervals(spreads.get(name, Spreading(name)))
        drawn = {key: random.uniform(low, high, draws) for key, (low, high) in intervals.items()}
        line = np.inf if node.trusted or egress_mbps is None else egress_mbps
        link = np.minimum(drawn.get("uplink_mbps", np.full(draws, node.uplink_mbps)), line)
        speed = drawn.get("throughput_patches_per_s", np.full(draws, node.throughput_patches_per_s))
        mine = jobs[name] * node.setup_s + patches[name] * (workload.kb_per_patch * 8 / 1000 / link + 1 / speed)
        billed = np.ceil(mine / node.billing_s) * node.billing_s if node.billing_s else mine
        usd += np.maximum(billed * node.price_usd_per_hour / 3600, node.minimum_charge_usd)
        seconds = np.maximum(seconds, mine)
        sent += 0 if node.trusted else patches[name]
    if egress_mbps is not None:
        seconds = np.maximum(seconds, sent * workload.kb_per_patch * 8 / 1000 / egress_mbps)
    return seconds, usd
