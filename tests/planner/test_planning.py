"""Plans against brute force: exact for one slide, bounded from below for several; no limit broken, no claim refuted."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.brute import everything, front, outcome, within, written
from voxelhub_planner import Limits, Node, Plan, PlannerError, Slide, Undecided, Workload, cheapest, plan_front
from voxelhub_planner.problem import problem_of
from voxelhub_planner.solving import Solver

ROUND = [0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 8.0]


def nodes_of(most: int, *, plain: bool) -> st.SearchStrategy[list[Node]]:
    extra = {} if plain else {
        "setup_s": st.sampled_from([0.0, 0.0, 1.0, 3.5]), "billing_s": st.sampled_from([0.0, 0.0, 2.0, 10.0]),
        "minimum_charge_usd": st.sampled_from([0.0, 0.0, 0.01])}
    one = st.fixed_dictionaries({
        "throughput_patches_per_s": st.sampled_from(ROUND), "uplink_mbps": st.sampled_from([math.inf, 0.8, 1.6, 4.0]),
        "price_usd_per_hour": st.sampled_from([0.0, 0.0, 1.0, 3.6, 7.2, 18.0]),
        "trusted": st.sampled_from([False, False, False, True]), **extra})
    return st.lists(one, min_size=1, max_size=most).map(
        lambda found: [Node(f"n{j}", f"d{j}", **values) for j, values in enumerate(found)])


def work_of(slides: int, fragments: int) -> st.SearchStrategy[Workload]:
    sizes = st.lists(st.integers(0, 12), min_size=1, max_size=fragments).filter(any)
    return st.lists(sizes, min_size=1, max_size=slides).map(
        lambda found: Workload(tuple(Slide(f"s{w}", tuple(one)) for w, one in enumerate(found)), 100.0))


LIMITS = st.builds(Limits, max_nodes=st.none() | st.integers(0, 4),
                   budget_usd=st.none() | st.sampled_from([0.0, 0.005, 0.02, 0.1]),
                   deadline_s=st.none() | st.sampled_from([1.0, 3.0, 6.0, 12.0, 30.0]))


def recomputed(nodes: list[Node], workload: Workload, plan: Plan, own: bool) -> None:
    """The plan is what it says, and gives each fragment a node of its own where it must."""
    index = {node.id: j for j, node in enumerate(nodes)}
    chosen = {}
    for w, (slide, places) in enumerate(zip(workload.slides, plan.assignment, strict=True)):
        assert [name is not None for name in places] == [size > 0 for size in slide.fragments]
        used = [name for name in places if name is not None]
        assert not own or len(set(used)) == len(used)
        chosen |= {(w, i): index[name] for i, name in enumerate(places) if name is not None}
    found = outcome(nodes, workload, chosen)
    assert (plan.nodes, plan.cost_usd, plan.makespan_s) == (found.nodes, float(found.cost), float(found.makespan))
    assert 0 <= plan.lower_bound_usd <= plan.cost_usd
    assert plan.gap == pytest.approx(1 - plan.lower_bound_usd / plan.cost_usd if plan.cost_usd else 0.0)


@settings(deadline=None, max_examples=150)
@given(nodes_of(5, plain=False), work_of(1, 4), LIMITS, st.booleans())
def test_one_slides_front_is_every_undominated_plan(nodes: list[Node], workload: Workload, limits: Limits, own: bool) -> None:
    expected = front(within(everything(nodes, workload, own), limits))
    found = plan_front(nodes, workload, limits, own_node_per_fragment=own)
    for plan in found.plans:
        recomputed(nodes, workload, plan, own)
    points = {(p.nodes, p.cost_usd, p.makespan_s) for p in found.plans}
    assert points == {(one.nodes, float(one.cost), float(one.makespan)) for one in expected}
    assert (found.infeasible_reason is None) == bool(expected)
    assert found.certified_hypervolume == 1.0


@settings(deadline=None, max_examples=30)
@given(nodes_of(4, plain=False), work_of(3, 3), LIMITS, st.booleans())
def test_several_slides_keep_every_promise(nodes: list[Node], workload: Workload, limits: Limits, own: bool) -> None:
    assume(sum(size > 0 for slide in workload.slides for size in slide.fragments) <= (7 if own else 6))
    outcomes = within(everything(nodes, workload, own), limits)
    found = plan_front(nodes, workload, limits, own_node_per_fragment=own)
    points = [(Fraction(p.nodes), written(p.cost_usd), written(p.makespan_s)) for p in found.plans]
    for plan in found.plans:
        recomputed(nodes, workload, plan, own)
        for name, value in (("max_nodes", plan.nodes), ("budget_usd", plan.cost_usd), ("deadline_s", plan.makespan_s)):
            assert getattr(limits, name) is None or value <= getattr(limits, name)
        late = written(plan.makespan_s) * (1 + Fraction(1, 10**12))
        rivals = [one.cost for one in outcomes if one.nodes <= plan.nodes and one.makespan <= late]
        assert plan.lower_bound_usd <= float(min(rivals)) * (1 + 1e-12)  # what is called a bound is one
    for one in points:  # none is dominated by another
        assert not any(other != one and all(a <= b for a, b in zip(other, one, strict=True)) for other in points)
    if found.infeasible_reason is not None:  # what is called impossible is
        assert outcomes == []
    elif not found.plans:
        assert found.certified_hypervolume == 0.0


@settings(deadline=None, max_examples=60)
@given(nodes_of(5, plain=False), work_of(3, 3), st.integers(0, 4), st.sampled_from([2.0, 5.0, 9.0, 20.0, math.inf]))
def test_cheapest_is_bounded_by_the_truth(nodes: list[Node], workload: Workload, k: int, deadline: float) -> None:
    assume(sum(size > 0 for slide in workload.slides for size in slide.fragments) <= 6)
    outcomes = within(everything(nodes, workload), Limits(max_nodes=k, deadline_s=None if math.isinf(deadline) else deadline))
    try:
        plan = cheapest(nodes, workload, max_nodes=k, deadline_s=deadline)
    except Undecided:
        raise AssertionError("a small request must be decided") from None
    if plan is None:
        assert outcomes == []
        return
    recomputed(nodes, workload, plan, True)
    best = min(one.cost for one in outcomes)
    finite = Limits(max_nodes=k, deadline_s=None if math.isinf(deadline) else deadline)
    assert Solver(problem_of(nodes, workload, finite, True)).lower(k, deadline) <= float(best) * (1 + 1e-9)
    assert plan.lower_bound_usd <= float(best) <= plan.cost_usd
    assert plan.cost_usd == float(best)


@settings(deadline=None, max_examples=25)
@given(nodes_of(5, plain=True), work_of(3, 3), st.integers(1, 4), st.sampled_from([4.0, 8.0]), st.sampled_from([1.0, 1.5, 3.0]))
def test_looser_limits_never_cost_more(
    nodes: list[Node], workload: Workload, k: int, deadline: float, more: float,
) -> None:
    """Proven bounds fall with looser limits, and exact plans (one slide) too."""
    tight = plan_front(nodes, workload, Limits(max_nodes=k, deadline_s=deadline))
    loose = plan_front(nodes, workload, Limits(max_nodes=k + 1, deadline_s=deadline * more))
    if not tight.plans:
        return
    assert loose.plans or loose.infeasible_reason is None
    if len(workload.slides) == 1:
        assert min(p.cost_usd for p in loose.plans) <= min(p.cost_usd for p in tight.plans)
    assert min(p.lower_bound_usd for p in loose.plans) <= min(p.cost_usd for p in tight.plans) * (1 + 1e-9)


@settings(deadline=None, max_examples=40)
@given(nodes_of(4, plain=True), work_of(1, 3), LIMITS)
def test_what_to_relax_is_what_enumeration_says(nodes: list[Node], workload: Workload, limits: Limits) -> None:
    found = plan_front(nodes, workload, limits)
    if found.infeasible_reason is None:
        return
    outcomes = everything(nodes, workload)
    values = {"max_nodes": "nodes", "budget_usd": "cost", "deadline_s": "makespan"}
    claimed = {one.limit: one for one in found.relaxations}
    for name, field in values.items():
        if getattr(limits, name) is None:
            assert name not in claimed
            continue
        others = Limits(**{other: None if other == name else getattr(limits, other) for other in values})
        able = [float(getattr(one, field)) for one in within(outcomes, others)]
        assert (name in claimed) == bool(able)
        if able:
            assert claimed[name].proven <= min(able) * (1 + 1e-9)
            assert claimed[name].value == pytest.approx(min(able), rel=2e-4)
    assert not claimed or "alone" in found.infeasible_reason


def test_a_plan_that_lies_exactly_on_the_deadline_is_found() -> None:
    """0.1 + 0.2 s a patch: in binary fractions this is a hair late."""
    nodes = [Node(f"n{j}", f"d{j}", 5.0, price_usd_per_hour=1.0, uplink_mbps=8.0) for j in range(2)]
    plan = cheapest(nodes, Workload((Slide("s", (3, 3)), Slide("t", (3, 3))), 100.0), max_nodes=2, deadline_s=1.8)
    assert plan is not None
    assert plan.makespan_s == 1.8


@pytest.mark.parametrize(("nodes", "workload", "limits", "word"), [
    ([], Workload((Slide("s", (1,)),), 1.0), None, "no node"),
    ([Node("n", "d", 1.0), Node("n", "e", 1.0)], Workload((Slide("s", (1,)),), 1.0), None, "Two nodes"),
    ([Node("n", "d", 1.0)], Workload((Slide("s", (1,)),), 1.0), Limits(max_pair_leak=0.5), "slide_of"),
    (["n"], Workload((Slide("s", (1,)),), 1.0), None, "Node"),
])
def test_bad_requests_are_refused_with_a_sentence(
    nodes: list[Node], workload: Workload, limits: Limits | None, word: str,
) -> None:
    with pytest.raises(PlannerError, match=word):
        plan_front(nodes, workload, limits)


@pytest.mark.parametrize("arguments", [{"deadline_s": math.nan}, {"deadline_s": -1}, {"time_limit_s": 0}, {"max_nodes": 1.5}])
def test_bad_numbers_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(PlannerError):
        cheapest([Node("n", "d", 1.0)], Workload((Slide("s", (1,)),), 1.0), **({"max_nodes": 1, "deadline_s": 9} | arguments))  # type: ignore[arg-type]
