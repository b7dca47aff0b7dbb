"""Limits on what is shown, on where data may go and on the shared line: against enumeration of every assignment."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.brute import outcome, written
from voxelhub_planner import Limits, Node, Slide, Undecided, Workload, cheapest, leakage, plan_front, slide_of, split
from voxelhub_planner.problem import problem_of
from voxelhub_planner.solving import Solver

CELLS = np.argwhere(np.ones((6, 5)))
SLIDES = {name: slide_of(name, CELLS, split(CELLS, name, classes=3)) for name in ("lattice4", "rs4", "even")}


def parties(nodes: list[Node], chosen: dict[int, int], fragments: int) -> list[str | None]:
    seen = [None if i not in chosen or nodes[chosen[i]].trusted else nodes[chosen[i]].trust_domain for i in range(fragments)]
    return list(seen)


def shown(slide: Slide, seen: list[str | None]) -> tuple[Fraction, Fraction]:
    """(largest share, what the worst two domains see together), counted pair by pair."""
    names = sorted({one for one in seen if one})
    shares = [sum(n for n, one in zip(slide.fragments, seen, strict=True) if one == name) for name in names]
    total = max(sum(map(sum, slide.touching8)), 1)
    together = [Fraction(0)]
    for group in itertools.combinations(names, min(2, len(names))) if names else []:
        theirs = [i for i, one in enumerate(seen) if one in group]
        count = sum(slide.touching8[i][j] for i in theirs for j in theirs)
        together.append(Fraction(count, total))
    return Fraction(max(shares, default=0), sum(slide.fragments)), max(together)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(SLIDES)),
    st.lists(st.tuples(st.sampled_from([1.0, 2.0, 4.0]), st.sampled_from([0.0, 1.0, 3.0]), st.sampled_from("abc"),
                       st.sampled_from([False, False, True])), min_size=2, max_size=4),
    st.none() | st.sampled_from([0.25, 0.4, 0.6]), st.none() | st.sampled_from([0.1, 0.3, 0.5, 0.8]), st.booleans(),
    st.sampled_from([8.0, 15.0, 40.0, math.inf]), st.none() | st.sampled_from([0.4, 1.0, 4.0]),
)
def test_one_slide_within_limits_on_what_is_shown(
    name: str, values: list[tuple[float, float, str, bool]], share: float | None, leak: float | None, own: bool, deadline: float,
    egress: float | None,
) -> None:
    slide = SLIDES[name]
    nodes = [Node(f"n{j}", domain, speed, trusted, price) for j, (speed, price, domain, trusted) in enumerate(values)]
    able = []
    real = [i for i, n in enumerate(slide.fragments) if n]
    slower = [node if node.trusted or egress is None else Node(node.id, node.trust_domain, node.throughput_patches_per_s,
              uplink_mbps=egress, price_usd_per_hour=node.price_usd_per_hour) for node in nodes]
    workload = Workload((slide,), 100.0)
    every = range(len(nodes))
    for way in itertools.permutations(every, len(real)) if own else itertools.product(every, repeat=len(real)):
        chosen = dict(zip(real, way, strict=True))
        found = outcome(slower, workload, {(0, i): j for i, j in chosen.items()})
        sent = sum(slide.fragments[i] for i, j in chosen.items() if not nodes[j].trusted)
        makespan = found.makespan if egress is None else max(found.makespan, sent * Fraction(8, 10) / written(egress))
        one, two = shown(slide, parties(nodes, chosen, len(slide.fragments)))
        if (share is None or one <= written(share)) and (leak is None or two <= written(leak)) and makespan <= deadline:
            able.append(found.cost)
    limits = Limits(max_share=share, max_pair_leak=leak, egress_mbps=egress)
    plan = cheapest(nodes, workload, max_nodes=9, deadline_s=deadline, own_node_per_fragment=own, limits=limits)
    assert (plan is None) == (not able)
    if plan is not None:
        assert plan.cost_usd == float(min(able))
        domains = {node.id: node for node in nodes}
        seen = [None if name is None or domains[name].trusted else domains[name].trust_domain for name in plan.assignment[0]]
        one, two = shown(slide, seen)
        assert plan.leakage is not None
        assert (plan.largest_share, plan.leakage.worst_pair) == (float(one), float(two))


def test_the_figures_of_a_plan_are_those_of_the_grid() -> None:
    """Fragments on nodes of two domains: what the plan reports is what `leakage` measures on cells and labels."""
    cells = np.argwhere(np.ones((40, 30)))
    labels = split(cells, "lattice5")
    nodes = [Node(f"n{j}", f"d{j % 2}", 5.0 + j) for j in range(5)]
    plan = plan_front(nodes, Workload((slide_of("s", cells, labels),), 10.0)).plans[0]
    domains = [{node.id: node.trust_domain for node in nodes}[name] for name in plan.assignment[0] if name]
    assert plan.leakage == leakage(cells, labels, domains)


NODES = st.lists(st.tuples(st.sampled_from([1.0, 2.0, 4.0]), st.sampled_from([0.0, 1.0, 3.0]), st.sampled_from("abc"),
                           st.sampled_from([False, False, True])), min_size=3, max_size=5)
SIZES = st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=3), min_size=2, max_size=2)


@settings(deadline=None, max_examples=40)
@given(NODES, SIZES, st.sampled_from([0.34, 0.5, 0.67]), st.booleans(), st.sampled_from([4.0, 8.0, 40.0]), st.integers(1, 4))
def test_bounds_that_know_of_domains_are_bounds(
    values: list[tuple[float, float, str, bool]], sizes: list[list[int]], share: float, own: bool, deadline: float, k: int,
) -> None:
    """Two slides, domains of several nodes: against every assignment."""
    nodes = [Node(f"n{j}", domain, speed, trusted, price) for j, (speed, price, domain, trusted) in enumerate(values)]
    work = Workload(tuple(Slide(f"s{w}", tuple(one)) for w, one in enumerate(sizes)), 1e-9)
    every = range(len(nodes))
    ways = []
    for slide in work.slides:
        count = len(slide.fragments)
        able = itertools.permutations(every, count) if own else itertools.product(every, repeat=count)
        ways.append([way for way in able if _largest(nodes, slide, way) <= written(share)])
    costs = []
    for one, other in itertools.product(*ways):
        found = outcome(nodes, work, {(w, i): j for w, way in enumerate((one, other)) for i, j in enumerate(way)})
        if found.nodes <= k and found.makespan <= deadline:
            costs.append(found.cost)
    problem = problem_of(nodes, work, Limits(max_share=share), own)
    lower = Solver(problem).lower(k, deadline)
    assert lower <= float(min(costs, default=math.inf)) * (1 + 1e-9)
    plan = cheapest(nodes, work, max_nodes=k, deadline_s=deadline, own_node_per_fragment=own, limits=Limits(max_share=share))
    assert (plan is None) == (not costs)
    if plan is not None:
        assert plan.largest_share <= share
        assert float(min(costs)) == plan.cost_usd


def _largest(nodes: list[Node], slide: Slide, way: tuple[int, ...]) -> Fraction:
    held: dict[str, int] = {}
    for size, j in zip(slide.fragments, way, strict=True):
        if not nodes[j].trusted:
            held[nodes[j].trust_domain] = held.get(nodes[j].trust_domain, 0) + size
    return Fraction(max(held.values(), default=0), sum(slide.fragments))


def test_several_slides_keep_limits_on_what_is_shown() -> None:
    """Eight nodes of four domains and slides in lattices of five: the two fragments of one domain are too much for the limit."""
    cells = np.argwhere(np.ones((30, 20)))
    slides = tuple(slide_of(f"s{w}", cells, split(cells, "lattice5", seed=w)) for w in range(4))
    nodes = [Node(f"n{j}", f"d{j % 4}", 3.0 + j, price_usd_per_hour=1.0 + j % 3) for j in range(8)]
    workload = Workload(slides, 10.0)
    free = cheapest(nodes, workload, max_nodes=8, deadline_s=math.inf)
    assert free is not None
    assert free.largest_share == pytest.approx(0.4, abs=0.01)
    none = plan_front(nodes, workload, Limits(max_share=0.3))
    assert none.plans == ()
    assert none.infeasible_reason is not None
    assert "0.4" in none.infeasible_reason
    assert [one.limit for one in none.relaxations] == ["max_share"]
    six = [*nodes, Node("n8", "d8", 4.0, price_usd_per_hour=9.0)]
    plan = cheapest(six, workload, max_nodes=8, deadline_s=math.inf, limits=Limits(max_share=0.3))
    assert plan is not None
    assert plan.largest_share <= 0.3
    assert plan.leakage is not None
    assert plan.leakage.colocated8 == 0


@pytest.mark.parametrize("own", [True, False])
def test_data_stays_in_its_region(own: bool) -> None:
    nodes = [Node(f"n{j}", f"d{j}", 2.0, price_usd_per_hour=float(j), region="eu" if j > 2 else "us") for j in range(7)]
    slides = (Slide("a", (4, 4, 3), regions=("eu",)), Slide("b", (5, 2, 2)))
    plan = cheapest(nodes, Workload(slides, 10.0), max_nodes=6, deadline_s=50.0, own_node_per_fragment=own)
    assert plan is not None
    assert all(name is not None and int(name[1]) > 2 for name in plan.assignment[0])
    assert set(plan.assignment[1]) & {"n0", "n1", "n2"}
    europe = plan_front(nodes, Workload((Slide("a", (4, 4, 3)),), 10.0), Limits(regions=("eu",)))
    assert all(name is not None and int(name[1]) > 2 for plan in europe.plans for name in plan.assignment[0])
    nowhere = plan_front(nodes, Workload((Slide("a", (4, 4, 3)),), 10.0), Limits(regions=("mars",)))
    assert nowhere.plans == ()
    assert "region" in (nowhere.infeasible_reason or "")


def test_the_shared_line_is_a_limit_that_trusted_nodes_relieve() -> None:
    """1,000 patches of 1 Mbit over 10 Mbit/s take 100 s, however fast the nodes are; a trusted node needs no line."""
    work = Workload((Slide("a", (500, 500)),), 125.0)
    fast = [Node(f"n{j}", f"d{j}", 1e6) for j in range(2)]
    assert cheapest(fast, work, max_nodes=2, deadline_s=99.9, limits=Limits(egress_mbps=10)) is None
    plan = cheapest(fast, work, max_nodes=2, deadline_s=101, limits=Limits(egress_mbps=10))
    assert plan is not None
    assert plan.makespan_s == 100.0
    three = [*fast, Node("home", "us", 10.0, trusted=True)]
    at_home = cheapest(three, work, max_nodes=2, deadline_s=60, limits=Limits(egress_mbps=10))
    assert at_home is not None
    assert at_home.nodes == 1
    front = plan_front(fast, work, Limits(egress_mbps=10, deadline_s=50))
    assert {one.limit: one.value for one in front.relaxations}["egress_mbps"] == pytest.approx(20, rel=0.01)


def test_a_small_request_is_decided_where_the_bound_is_not_enough() -> None:
    """Three slides of 2 on nodes that take 3 each: the fluid plan fits, no whole one does."""
    nodes = [Node(f"n{j}", f"d{j}", 1.0) for j in range(2)]
    work = Workload((Slide("a", (2,)), Slide("b", (2,)), Slide("c", (2,))), 1e-9)
    assert Solver(problem_of(nodes, work, None, True)).lower(2, 3.5) == 0
    assert cheapest(nodes, work, max_nodes=2, deadline_s=3.5) is None
    assert cheapest(nodes, work, max_nodes=2, deadline_s=4.5) is not None
    front = plan_front(nodes, work, Limits(deadline_s=3.5))
    assert front.plans == ()
    assert front.infeasible_reason is not None
    assert front.relaxations[0].value == pytest.approx(4, rel=1e-3)


def test_undecided_is_not_called_impossible() -> None:
    """The same with thirty-one slides: too many to go through."""
    nodes = [Node(f"n{j}", f"d{j}", 1.0) for j in range(2)]
    work = Workload(tuple(Slide(f"s{w}", (2,)) for w in range(31)), 1e-9)
    with pytest.raises(Undecided, match="none is proven"):
        cheapest(nodes, work, max_nodes=2, deadline_s=31.5, time_limit_s=2)
    front = plan_front(nodes, work, Limits(deadline_s=31.5), time_limit_s=1)
    assert front.plans == ()
    assert front.infeasible_reason is None
    assert front.certified_hypervolume == 0
