"""What others would do with the same work, nodes and limits: an even split, and the published method.

The published method (arXiv 2401.12597) knows no set-up, billing period, trusted node or limit on what is shown. So it plans
without them, and its plans are then judged as ours are: with all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .baselines import greedy_assignments
from .exploring import undominated
from .grid import Cells
from .model import Front, Limits, Node, Slide, Workload
from .planning import plan_front
from .problem import deadline_of, most_nodes, problem_of
from .quota import quotas
from .solving import Solver
from .splitting import split
from .views import slide_of

# Random-sequential colouring over 4 neighbours leaves about these shares of a slide's patches (the paper's five sub-datasets);
# used where only the number of patches is known.
PUBLISHED_SHARES = (0.37, 0.37, 0.19, 0.066, 0.004)
EVEN_CLASSES = 5


def even_workload(work: Workload, cells: Sequence[Cells | None], classes: int, seed: int) -> Workload:
    """The same slides in `classes` fragments of equal size; `cells`: of each slide, None where they are not known."""
    slides = []
    for slide, places in zip(work.slides, cells, strict=True):
        count = sum(slide.fragments)
        slides.append(
            Slide(slide.id, tuple(count // classes + (i < count % classes) for i in range(classes)), regions=slide.regions)
            if places is None else slide_of(slide.id, places, split(places, "even", classes=classes, seed=seed), slide.regions))
    return Workload(tuple(slides), work.kb_per_patch)


def published_workload(work: Workload, cells: Sequence[Cells | None], seed: int) -> Workload:
    """The same slides, split as the paper does (`rs4`)."""
    total = sum(PUBLISHED_SHARES)
    slides = []
    for slide, places in zip(work.slides, cells, strict=True):
        slides.append(
            Slide(slide.id, tuple(quotas(sum(slide.fragments), [one / total for one in PUBLISHED_SHARES])), regions=slide.regions)
            if places is None else slide_of(slide.id, places, split(places, "rs4", seed=seed), slide.regions))
    return Workload(tuple(slides), work.kb_per_patch)


def even_front(nodes: Sequence[Node], work: Workload, limits: Limits, *, own: bool, time_limit_s: float, seed: int) -> Front:
    """Planned by us: only the split differs."""
    return plan_front(nodes, work, limits, own_node_per_fragment=own, time_limit_s=time_limit_s, seed=seed)


def published_front(nodes: Sequence[Node], work: Workload, limits: Limits, *, time_limit_s: float) -> Front:
    """The published method's plans, with true figures. Nothing is proven about them: bounds are 0, gaps 1."""
    plain = [replace(node, setup_s=0.0, billing_s=0.0, minimum_charge_usd=0.0, trusted=False) for node in nodes]
    try:
        members = greedy_assignments(plain, work, Limits(egress_mbps=None, regions=limits.regions), time_limit_s=time_limit_s)
    except TimeoutError:
        return Front((), 0.0, "The published method had not finished when its time was over.")
    problem = problem_of(nodes, work, limits, True)
    solver, most, deadline = Solver(problem), most_nodes(problem), deadline_of(problem)
    judged = [solver.checked(member, most, deadline) for member in members]
    kept = undominated([one for one in judged if one is not None and solver.within_budget(one)])
    if not kept:
        reason = "None of its plans keeps to the limits." if members else "It needs more nodes than there are."
        return Front((), 0.0, f"The published method has no answer. {reason}", max_nodes=most)
    return Front(tuple(solver.plan(one, 0.0) for one in kept), 0.0, max_nodes=most)
