"""Nodes, slides and limits as the planner takes them; every value is checked at the door.

Model: a_j = (kB per patch · 8 / 1000) / Mbit per second + 1 / (patches per second of node j), in seconds per patch; transfer is
billed. A fragment of s patches on node j takes o_j + s·a_j seconds and costs that times p_j / 3600 USD. Source: arXiv
2401.12597, equations 13–16.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

from .errors import PlannerError
from .leakage import Leakage

INF = math.inf


@dataclass(frozen=True)
class Node:
    """One server. `trust_domain` is who could look: a provider or an institution, not a machine."""

    id: str
    trust_domain: str
    throughput_patches_per_s: float
    trusted: bool = False
    price_usd_per_hour: float = 0.0
    uplink_mbps: float = INF
    setup_s: float = 0.0
    billing_s: float = 0.0  # 0: continuous; 60: each begun minute
    gpu: str = ""
    location: str = ""
    minimum_charge_usd: float = 0.0  # for a node that is used at all
    region: str = ""  # where its data lies, in the words of `Limits.regions`: "eu", "us", …

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) and name for name in (self.id, self.trust_domain)):
            raise PlannerError("A node needs an id and a trust domain, both texts.")
        if not isinstance(self.trusted, bool):
            raise PlannerError(f"Node {self.id}: `trusted` is true or false; this is {self.trusted!r}.")
        _positive(self, "throughput_patches_per_s", finite=True)
        _positive(self, "uplink_mbps", finite=False)
        for name in ("price_usd_per_hour", "setup_s", "billing_s", "minimum_charge_usd"):
            _not_negative(self, name)

    def seconds_per_patch(self, kb_per_patch: float) -> float:
        return kb_per_patch * 8 / 1000 / self.uplink_mbps + 1 / self.throughput_patches_per_s

    def time_s(self, patches: int, kb_per_patch: float) -> float:
        """Seconds for a fragment; nothing for an empty one."""
        return self.setup_s + patches * self.seconds_per_patch(kb_per_patch) if patches else 0.0

    def cost_usd(self, time_s: float) -> float:
        """Of `time_s` seconds in all, rounded up to whole billing periods; at least the minimum charge."""
        billed = math.ceil(time_s / self.billing_s) * self.billing_s if self.billing_s else time_s
        return max(billed * self.price_usd_per_hour / 3600, self.minimum_charge_usd if time_s else 0.0)


Counts = tuple[tuple[int, ...], ...]  # fragments × fragments


@dataclass(frozen=True)
class Slide:
    """Patches per fragment; an empty fragment needs no node.

    `touching4`, `touching8`: pairs of touching patches by the fragments at their ends, upper triangle with the diagonal
    (`touching_of`); needed for what parties see together. `regions`: where this slide may go; none: everywhere.
    """

    id: str
    fragments: tuple[int, ...]
    touching4: Counts = ()
    touching8: Counts = ()
    regions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise PlannerError("A slide needs an id, a text.")
        for name in ("touching4", "touching8"):
            if (counts := getattr(self, name)) and not _is_square(counts, len(self.fragments)):
                raise PlannerError(f"Slide {self.id}: `{name}` must be fragments × fragments of whole numbers, 0 or more.")
        if not len(self.fragments) or not all(_is_count(n) for n in self.fragments):
            raise PlannerError(f"Slide {self.id}: `fragments` are whole numbers of patches, none of them negative.")
        object.__setattr__(self, "fragments", tuple(int(n) for n in self.fragments))
        if not any(self.fragments):
            raise PlannerError(f"Slide {self.id} is empty: no fragment has a patch.")


@dataclass(frozen=True)
class Workload:
    slides: tuple[Slide, ...]
    kb_per_patch: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "slides", tuple(self.slides))
        if not self.slides or not all(isinstance(slide, Slide) for slide in self.slides):
            raise PlannerError("A workload needs a slide.")
        unique((slide.id for slide in self.slides), "slide")
        _positive(self, "kb_per_patch", finite=True)


@dataclass(frozen=True)
class Limits:
    """None: no limit. Shares and leaks are fractions of 1."""

    max_nodes: int | None = None  # untrusted ones
    budget_usd: float | None = None
    deadline_s: float | None = None
    max_share: float | None = None
    max_pair_leak: float | None = None
    egress_mbps: float | None = None  # of the trusted zone, shared by all that is sent to untrusted nodes
    regions: tuple[str, ...] | None = None  # only nodes there

    def __post_init__(self) -> None:
        for name in ("max_nodes", "budget_usd", "deadline_s", "max_share", "max_pair_leak", "egress_mbps"):
            if getattr(self, name) is not None:
                _not_negative(self, name)
        for name in ("max_share", "max_pair_leak"):
            if (value := getattr(self, name)) is not None and value > 1:
                raise PlannerError(f"`{name}` is a fraction, at most 1; this is {value}.")
        if self.max_nodes is not None and not _is_count(self.max_nodes):
            raise PlannerError(f"`max_nodes` is a whole number; this is {self.max_nodes!r}.")
        if self.egress_mbps == 0:
            raise PlannerError("`egress_mbps` must be above 0; this is 0.")
        if self.regions is not None:
            object.__setattr__(self, "regions", tuple(self.regions))


@dataclass(frozen=True)
class Plan:
    """Where each fragment of each slide runs, with what it costs and what is proven about it."""

    assignment: tuple[tuple[str | None, ...], ...]  # per slide, per fragment: node id; None for an empty fragment
    nodes: int  # untrusted ones that are used
    cost_usd: float
    makespan_s: float
    lower_bound_usd: float = 0.0  # no plan with as many nodes within this makespan is cheaper
    gap: float = 0.0  # (cost − bound) / cost
    leakage: Leakage | None = None  # of the slide that fares worst, figure by figure; None where no slide knows what touches
    largest_share: float = 0.0  # of one slide, what one untrusted domain holds


@dataclass(frozen=True)
class Relaxation:
    """One limit, changed alone: with `value` there is a plan; below `proven` (nodes, USD, s, fractions) there is none."""

    limit: str
    value: float
    proven: float


@dataclass(frozen=True)
class Front:
    """Plans of which none is better than another in nodes, cost and makespan at once, fewest nodes first."""

    plans: tuple[Plan, ...]
    certified_hypervolume: float  # proven: at least this share of what any set of plans could dominate; 1: the whole front
    infeasible_reason: str | None = None  # why there is no plan, with what to relax; proven
    relaxations: tuple[Relaxation, ...] = ()
    max_nodes: int = 0  # plans with up to so many untrusted nodes were looked for


def unique(ids: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise PlannerError(f"Two {what}s are called {one!r}.")
        seen.add(one)


def _is_square(counts: Counts, side: int) -> bool:
    return len(counts) == side and all(
        len(row) == side and all(_is_count(n) for n in row) for row in counts)


def _is_count(value: object) -> bool:
    """A whole number, 0 or more; numpy's, too."""
    if isinstance(value, bool) or not isinstance(value, Integral | float):
        return False
    number = float(value)
    return math.isfinite(number) and number == int(number) and number >= 0


def _positive(owner: object, name: str, *, finite: bool) -> None:
    value = getattr(owner, name)
    if not _is_number(value) or value <= 0 or (finite and value == INF):
        raise PlannerError(f"`{name}` must be above 0{' and finite' if finite else ''}; this is {value!r}.")


def _not_negative(owner: object, name: str) -> None:
    value = getattr(owner, name)
    if not _is_number(value) or value < 0 or value == INF:
        raise PlannerError(f"`{name}` must be 0 or more, and finite; this is {value!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
