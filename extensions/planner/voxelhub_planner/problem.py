"""One request, made ready for the solvers: the usable nodes as arrays, the fragments as rows that need distinct nodes.

Where every fragment has a node of its own, a row is a slide. Where fragments may share a node, each fragment is a row by itself:
the same problem, in which the rule of distinct nodes says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .errors import PlannerError
from .exact import through
from .model import Limits, Node, Plan, Slide, Workload, unique
from .views import worst_pair

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """Fragments that need distinct nodes, largest first."""

    slide: int
    fragments: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    nodes: tuple[Node, ...]  # those in an allowed region, their links no faster than the shared one
    workload: Workload
    limits: Limits
    own: bool
    given: tuple[Node, ...] = ()  # the same with their own links

    @property
    def slides(self) -> tuple[Slide, ...]:
        return self.workload.slides

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        found = []
        for w, slide in enumerate(self.slides):
            order = sorted((i for i, size in enumerate(slide.fragments) if size), key=lambda i: -slide.fragments[i])
            groups = [tuple(order)] if self.own else [(i,) for i in order]
            found += [Row(w, group, tuple(slide.fragments[i] for i in group)) for group in groups]
        return tuple(found)

    @cached_property
    def by_rank(self) -> Floats:
        """Entry m: patches of the m largest fragments of every row, summed over rows; entry 0 is 0."""
        ranks = max(len(row.sizes) for row in self.rows)
        total = np.zeros(ranks + 1)
        for row in self.rows:
            total[1:len(row.sizes) + 1] += row.sizes
        return np.cumsum(total)

    @property
    def ranks(self) -> int:
        return len(self.by_rank) - 1

    @property
    def patches(self) -> int:
        return sum(sum(row.sizes) for row in self.rows)

    @cached_property
    def trusted(self) -> NDArray[np.bool_]:
        return np.array([node.trusted for node in self.nodes], bool)

    @cached_property
    def untrusted_count(self) -> int:
        return int((~self.trusted).sum())

    @cached_property
    def seconds(self) -> Floats:
        """a: per patch."""
        return np.array([node.seconds_per_patch(self.workload.kb_per_patch) for node in self.nodes])

    @cached_property
    def usd_per_s(self) -> Floats:
        return np.array([node.price_usd_per_hour / 3600 for node in self.nodes])

    @cached_property
    def setup(self) -> Floats:
        return np.array([node.setup_s for node in self.nodes])

    @cached_property
    def billing(self) -> Floats:
        return np.array([node.billing_s for node in self.nodes])

    @cached_property
    def minimum(self) -> Floats:
        return np.array([node.minimum_charge_usd for node in self.nodes])

    @cached_property
    def linear(self) -> bool:
        """Time and cost are proportional to patches."""
        return not (self.setup.any() or self.billing.any() or self.minimum.any())

    @cached_property
    def unequal(self) -> bool:
        """Whether what one slide may do depends on more than distinct nodes."""
        limits, untrusted = self.limits, [node for node in self.nodes if not node.trusted]
        shared = not self.own or len({node.trust_domain for node in untrusted}) < len(untrusted)
        privacy = limits.max_share is not None or limits.max_pair_leak is not None
        return (privacy and (shared or bool(self.trusted.any()))) or any(slide.regions for slide in self.slides)

    @cached_property
    def shared_line_s(self) -> float:
        """Seconds that the trusted zone's own line needs for one patch; 0 without a limit."""
        egress = self.limits.egress_mbps
        return 0.0 if egress is None else self.workload.kb_per_patch * 8 / 1000 / egress

    @cached_property
    def relaxed(self) -> tuple[Floats, Floats]:
        """Seconds and USD per patch that no fragment on the node can undercut, set-up, rounding and minimum charge included.

        The set-up's price is left out where `setup_usd` has it.
        """
        largest = max(row.sizes[0] for row in self.rows)
        most = float(self.by_rank[1])  # patches one node can get
        seconds = self.seconds + self.setup / largest
        floor = np.maximum(self.minimum, self.billing * self.usd_per_s)
        priced = self.seconds if self.setup_usd else seconds
        return seconds, np.maximum(priced * self.usd_per_s, floor / most)

    @cached_property
    def setup_usd(self) -> float:
        """What the set-ups of all fragments cost at least: each row's on its cheapest distinct nodes.

        0 where a node has a least charge: that may already pay for them.
        """
        if self.minimum.any() or (self.billing * self.usd_per_s).any():
            return 0.0
        least = np.append(0.0, np.cumsum(np.sort(self.setup * self.usd_per_s)))
        return float(sum(least[min(len(row.sizes), len(self.nodes))] for row in self.rows))

    def bill(self, columns: NDArray[np.intp] | int, seconds: Floats) -> Floats:
        """USD for nodes used for so long in all."""
        if self.linear:
            return seconds * self.usd_per_s[columns]
        period = self.billing[columns]
        rounded = np.ceil(seconds / np.where(period > 0, period, 1) - 1e-9) * period
        charged = np.where(period > 0, rounded, seconds) * self.usd_per_s[columns]
        return np.where(seconds > 0, np.maximum(charged, self.minimum[columns]), 0.0)


def problem_of(nodes: Iterable[Node], workload: Workload, limits: Limits | None, own: bool) -> Problem:
    """Checked, and without the nodes that the regions forbid."""
    known, limits = tuple(nodes), limits or Limits()
    if not known:
        raise PlannerError("There is no node to plan for.")
    if not isinstance(workload, Workload) or not all(isinstance(node, Node) for node in known):
        raise PlannerError("Give `Node`s and a `Workload`.")
    unique((node.id for node in known), "node")
    if limits.max_pair_leak is not None:
        for slide in workload.slides:
            worst_pair(slide, [None] * len(slide.fragments))  # says which slide does not know what touches
    allowed = limits.regions
    given = tuple(node for node in known if allowed is None or node.region in allowed)
    return Problem(tuple(through(node, limits.egress_mbps) for node in given), workload, limits, own, given)


def most_nodes(problem: Problem) -> int:
    """The largest number of untrusted nodes that a request may use."""
    wanted = problem.limits.max_nodes
    useful = min(problem.untrusted_count, sum(len(row.sizes) for row in problem.rows))
    return useful if wanted is None else min(int(wanted), useful)


def names(problem: Problem, places: list[dict[int, int]]) -> tuple[tuple[str | None, ...], ...]:
    """Node ids per slide and fragment, from each row's fragment → column."""
    found: list[list[str | None]] = [[None] * len(slide.fragments) for slide in problem.slides]
    for row, chosen in zip(problem.rows, places, strict=True):
        for fragment, column in chosen.items():
            found[row.slide][fragment] = problem.nodes[column].id
    return tuple(map(tuple, found))


def deadline_of(problem: Problem) -> float:
    return math.inf if problem.limits.deadline_s is None else float(problem.limits.deadline_s)


__all__ = ["Plan", "Problem", "Row", "deadline_of", "most_nodes", "names", "problem_of"]
