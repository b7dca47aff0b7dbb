"""make planner-table: the paper's Table III beside its method rebuilt and ours, and other solvers. To docs/measured/planner.md.

    .envs/planner-bench/bin/python tests/benchmarks/planner_table.py [--quick] [--no-write]
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from benchmarks import planner_instance as instance
from voxelhub_planner import Limits, Plan, PlannerError, Workload, cheapest, leakage, plan_front, split
from voxelhub_planner.baselines import Point, generic_milp, genetic, greedy
from voxelhub_planner.codesign import codesign
from voxelhub_planner.fluid import latest_needed
from voxelhub_planner.hypervolume import Reference, hypervolume
from voxelhub_planner.problem import problem_of
from voxelhub_planner.solving import Solver
from voxelhub_planner.sweep import sweep_front

PAGE = Path(__file__).resolve().parents[2] / "docs/measured/planner.md"
SPLITS = {"even": "even split", "rs4": "random sequential"}
AIMS = {"even": (0.985, 0.99), "rs4": (0.995, 0.998)}
REFERENCE = Reference(8, 0.2, 1200.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the effort, to see that it runs")
    parser.add_argument("--no-write", action="store_true", help="print only")
    wanted = parser.parse_args()
    if not instance.NODES.exists():
        print(f"planner-table needs the list of servers {instance.NODES.name} below the folder that VOXELHUB_SHARED names.",
              file=sys.stderr)
        return 1
    before = os.getloadavg()[0]
    parts = [section(wanted.quick) for section in (presets, solvers, exactly, scale)]
    after = os.getloadavg()[0]
    page = "\n".join([_head(before, after), *parts])
    print(page)
    if not wanted.no_write:
        PAGE.write_text(page)
        print(f"written: {PAGE}", file=sys.stderr)
    return 0


def _head(before: float, after: float) -> str:
    busy = max(before, after) > (os.cpu_count() or 1)
    warning = "\n\n**The machine was busy with other work: measure again on an idle one before quoting times.**" if busy else ""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, one thread"
    return (f"""# Measured: make planner-table

{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine}; load average {before:.1f} before, {after:.1f} at the end.{warning}

The instance is the paper's (arXiv 2401.12597): 29 servers, ten slides of 213,270 patches in all, 200 patches/s on a T4, 100 kB a
patch. The ten sizes are ours; only their sum is published. Fragments of the random-sequential split are those of
`split(…, "rs4")` on synthetic tissue. What is proven and what is not: [planner.md](../planner.md).
""")


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return call(), time.perf_counter() - start


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(' --- ' if i == 0 else ' ---: ' for i in range(len(head)))}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _said(row: Point | instance.Row, gap: float | None = None) -> str:
    if row is None:
        return "none"
    text = f"{row[0]}, {row[1]:.6f}, {row[2]:.1f}"
    if gap is None:
        return text
    return f"{text} (the least)" if gap < 1e-8 else f"{text} (≤ {100 * gap:.2g} %)"


# -- Table III


def presets(quick: bool) -> str:
    nodes = instance.nodes()
    works = {name: instance.workload(name) for name in (*SPLITS, "lattice5")}
    fronts = {name: greedy(nodes, works[name], instance.WIDEST) for name in SPLITS}
    rows = []
    for name, limits in instance.PRESETS.items():
        row = [f"**{name}** ≤ {limits.max_nodes}, {limits.budget_usd:g} USD, {limits.deadline_s:g} s"]
        row += [_said(one) for one in instance.PAPER[name]]
        row += [_said(min(_within(fronts[kind], limits), key=lambda p: p[1], default=None)) for kind in SPLITS]
        row += [_answer(nodes, works[kind], limits) for kind in works]
        design = codesign(nodes, instance.SIZES, instance.KB_PER_PATCH, limits)
        row.append("none, proven" if design is None else _said(_point(design.plan), design.plan.gap))
        rows.append(row)
    head = ["preset", "paper, even", "paper, own split", "its greedy rebuilt, even", "its greedy, random seq.", "ours, even",
            "ours, random seq.", "ours, lattice", "ours, co-design"]
    seen = [[kind, *(f"{value:.3f}" for value in _shown(kind))] for kind in ("even", "rs4", "rs8", "lattice5", "quota")]
    return f"""## Table III, side by side

Untrusted nodes, USD, seconds; the cheapest plan within the limits. In brackets: no plan with as many nodes within its makespan is
cheaper by more than that; "the least": none at all. "None, proven": no plan exists. Where the paper has no answer it says none.

{table(head, rows)}

{_verdict(nodes)}

What a split shows of one synthetic slide (fractions of touching pairs, 8 neighbours; co-design's with its shares for Normal):

{table(["split", "one party sees", "worst two parties see", "largest share"], seen)}
"""


def _within(points: list[Point], limits: Limits) -> list[Point]:
    bounds = (limits.max_nodes, limits.budget_usd, limits.deadline_s)
    return [one for one in points if all(bound is None or value <= bound for value, bound in zip(one, bounds, strict=True))]


def _point(plan: Plan) -> Point:
    return plan.nodes, plan.cost_usd, plan.makespan_s


def _answer(nodes: list[Any], work: Workload, limits: Limits) -> str:
    try:
        plan = cheapest(nodes, work, max_nodes=limits.max_nodes or 0, deadline_s=limits.deadline_s or 0.0,
                        limits=Limits(budget_usd=limits.budget_usd))
    except PlannerError:
        return "not decided"
    if plan is None:
        front = plan_front(nodes, work, limits)
        need = "; ".join(f"{one.limit} {one.value:.4g}" for one in front.relaxations)
        return f"none, proven; would do: {need}"
    return _said(_point(plan), plan.gap)


def _verdict(nodes: list[Any]) -> str:
    """Against the paper's own rows: does one plan of ours beat each of its answers in all three figures?"""
    design = codesign(nodes, instance.SIZES, instance.KB_PER_PATCH, instance.PRESETS["Normal"])
    if design is None:
        return ""
    ours = _point(design.plan)
    answers = {name: row for name, (_, row) in instance.PAPER.items() if row is not None}
    beaten = [name for name, row in answers.items() if all(a <= b for a, b in zip(ours, row, strict=True))]
    return (f"Co-design's plan ({_said(ours)}) is at least as good in all three figures as the paper's own answers to: "
            f"{', '.join(beaten)}.\nIts price is in the last line of the next table.")


def _shown(kind: str) -> tuple[float, float, float]:
    cells = instance.tissue(20_000, 3)
    shares = None
    if kind == "quota":
        design = codesign(instance.nodes(), instance.SIZES, instance.KB_PER_PATCH, instance.PRESETS["Normal"])
        shares = None if design is None else design.shares
    found = leakage(cells, split(cells, kind, shares=shares))
    return found.colocated8, found.worst_pair, found.largest_share


# -- solvers


def solvers(quick: bool) -> str:
    body = "\n\n".join(f"### {called.capitalize()}\n\n{_compared(kind, quick)}" for kind, called in SPLITS.items())
    return f"""## Hypervolume and time

Reference: 8 nodes, 0.2 USD, 1,200 s, the limits that hold all four presets. One run each, one after the other.

{body}
"""


def _compared(kind: str, quick: bool) -> str:
    nodes, work, within = instance.nodes(), instance.workload(kind), instance.WIDEST
    rows: list[tuple[str, float, float, str]] = []
    certified = 0.0
    for limit in (1.0,) if quick else (2.0, 10.0):
        front, took = timed(partial(plan_front, nodes, work, within, time_limit_s=limit))
        certified = front.certified_hypervolume
        rows.append((f"**ours**, {limit:g} s", _volume([_point(plan) for plan in front.plans]), took,
                     f"{len(front.plans)} plans; at least {certified:.4f} of the maximum, proven"))
    best = rows[-1][1]
    points, took = timed(partial(greedy, nodes, work, within))
    rows.append(("the paper's greedy, rebuilt", _volume(points), took, f"{len(points)} plans"))
    evaluations = 5_000 if quick else 50_000
    for method, title in (("nsga2", "NSGA-II"), ("nsga3", "NSGA-III")):
        points, took = timed(partial(genetic, nodes, work, within, method=method, evaluations=evaluations))
        rows.append((f"{title}, {evaluations:,} evaluations", _volume(points), took, f"{len(points)} plans"))
    limit = 2.0 if quick else 15.0
    asked = partial(generic_milp, nodes, work, within, deadlines=(560.0, 800.0, 1000.0), node_counts=(6, 8),
                    seconds_per_point=limit)
    (points, each), took = timed(asked)
    rows.append(("generic MILP (HiGHS), six points", _volume(points), took,
                 f"{min(each):.2g}–{max(each):.2g} s a point, ended after {limit:g} s"))
    aim, goal = AIMS[kind]
    said = {"ours ahead of each": all(row[1] < best for row in rows if "ours" not in row[0]),
            f"at least {aim} proven in 10 s": certified >= aim, f"the aim {goal}": certified >= goal}
    listed = [[name, f"{volume / best:.3f}", f"{took:.2f} s", note] for name, volume, took, note in rows]
    verdict = "; ".join(f"{text}: {'met' if met else 'NOT met'}" for text, met in said.items())
    return f"{table(['solver', 'hypervolume, of ours', 'time', ''], listed)}\n\n{verdict}."


def _volume(points: list[Point]) -> float:
    return hypervolume(points, REFERENCE)


# -- one slide


def exactly(quick: bool) -> str:
    nodes = instance.nodes()
    rows = []
    for count in (5, 8):
        cells = instance.tissue(20_000, 5)
        labels = split(cells, "rs4" if count == 5 else "rs8", seed=2)
        sizes = np.bincount(labels).tolist()
        problem = problem_of(nodes, Workload((instance.slide_of("s", cells, labels),), 100.0), None, True)
        seconds, usd = problem.seconds.tolist(), (problem.seconds * problem.usd_per_s).tolist()
        front = sweep_front(sizes, seconds, usd)
        sweep = _least(partial(sweep_front, sizes, seconds, usd), 200)
        whole = _least(partial(plan_front, nodes, problem.workload), 20)
        one = _least(partial(cheapest, nodes, problem.workload, max_nodes=9, deadline_s=60.0), 50)
        rows.append([f"{len(sizes)} fragments, 29 nodes", str(len(front)), *(f"{1000 * t:.3f} ms" for t in (sweep, one, whole))])
    met = "met" if all(float(row[2].split()[0]) < 1 for row in rows) else "NOT met"
    return f"""## One slide, exactly

The least of many runs. The sweep is the whole front; `cheapest` and `plan_front` check their input and judge every plan in
rational arithmetic besides. One slide exact in under 1 ms: {met}.

{table(["", "plans", "sweep", "`cheapest`", "`plan_front`"], rows)}
"""


def _least(call: Callable[[], Any], times: int) -> float:
    return min(timed(call)[1] for _ in range(times))


# -- scale


def scale(quick: bool) -> str:
    count = 100 if quick else 1000
    nodes, work = instance.many(count, count)
    problem = problem_of(nodes, work, None, True)
    solver = Solver(problem)
    rows = []
    for k in (5, 8):
        earliest, _ = latest_needed(problem, k)
        curve, took = timed(partial(Solver(problem).curve, k, np.linspace(1.01 * earliest, 4 * earliest, 200)))
        plan, once = timed(partial(solver.look, k, float(curve.deadlines[100]), curve, 100))
        gap = float("nan") if plan is None else 1 - curve.lower_usd[100] / plan.cost
        rows.append([f"at most {k} nodes", f"{took:.2f} s", f"{1000 * once:.0f} ms", f"{100 * gap:.4f} %"])
    patches = 100_000 if quick else 1_000_000
    cells = np.argwhere(np.ones((1000, patches // 1000)))
    blob = instance.tissue(patches, 9)
    speeds = []
    for name, where in (("square", cells), ("tissue", blob)):
        for strategy in ("rs4", "rs8", "lattice5"):
            times = [timed(partial(split, where, strategy))[1] for _ in range(5)]
            cpu = min(_cpu(partial(split, where, strategy)) for _ in range(3))
            speeds.append([f"{strategy}, {name}", f"{min(times):.3f} s", f"{statistics.median(times):.3f} s", f"{cpu:.3f} s"])
    grown = "" if quick else _ten_million()
    return f"""## Scale

{count:,} nodes × {count:,} slides: 200 proven bounds at 1.01 to 4 times the earliest deadline, and one plan with its proven gap.

{table(["", "200 bounds", "a plan", "gap"], rows)}

{patches:,} patches split, without numba; five runs. CPU time is the process's own, whatever else the machine did.

{table(["", "least", "median", "CPU"], speeds)}
{grown}"""


def _cpu(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _ten_million() -> str:
    cells = np.argwhere(np.ones((4000, 2500), bool))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, took = timed(lambda: split(cells, "rs4"))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return (f"\n10,000,000 patches, rs4: {took:.1f} s, and at most {grown:.0f} MiB more than the {cells.nbytes / 2**20:.0f} MiB "
            "of the cells themselves and what the runs before had taken.\n")


if __name__ == "__main__":
    sys.exit(main())
