"""`voxelhub plan` and `voxelhub calibrate`: JSON in and out, and a table to read. Also `python -m voxelhub_planner plan …`.

Exit code: 0 done; 1 refused, with a sentence; 2 wrong usage; 3 proven that there is no plan; 4 none found and nothing proven.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TextIO

from .calibrate import calibrate, calibration_file
from .codesign import codesign
from .errors import PlannerError
from .formats import PRESETS, front_json, limits_of, workload_of
from .model import Front, Limits, Plan, Workload
from .planning import plan_front
from .prices import PriceList, example_prices, read_json, read_price_list, with_calibration
from .splitting import STRATEGIES
from .study import OLD_DAYS, Request, study_of_slides, study_of_workload

SHOWN = 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Plan work on priced machines within limits, each plan with what is proven about it."""
    wanted = _plan_parser().parse_args(arguments)
    try:
        return _plan(wanted)
    except PlannerError as error:
        print(f"voxelhub plan: {error}", file=sys.stderr)
        return 1


def _plan_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="voxelhub plan", description="Plans for work on priced machines within limits, each with what is proven about it.")
    parser.add_argument("prices", help="the price list (JSON); `example` for an invented one, to try things with")
    parser.add_argument("work", type=Path, nargs="+",
                        help="the slides and their fragments (JSON); with --study also whole-slide images")
    parser.add_argument("--study", type=Path, metavar="FILE",
                        help="write everything that the planner's views show: plans, peers, and what each owner would see")
    parser.add_argument("--calibration", type=Path, action="append", default=[], help="measured throughput instead of the list's")
    parser.add_argument("--preset", choices=PRESETS, help="limits to start from")
    parser.add_argument("--limits", type=Path, help="limits (JSON)")
    parser.add_argument("--max-nodes", type=int, metavar="N", help="untrusted nodes at most")
    parser.add_argument("--budget", type=float, metavar="USD", dest="budget_usd")
    parser.add_argument("--deadline", type=float, metavar="S", dest="deadline_s")
    parser.add_argument("--max-share", type=float, metavar="F", help="of a slide, what one trust domain may hold")
    parser.add_argument("--max-pair-leak", type=float, metavar="F", help="of its touching pairs, what two domains may see")
    parser.add_argument("--egress", type=float, metavar="MBPS", dest="egress_mbps", help="of the trusted zone's own line")
    parser.add_argument("--region", action="append", dest="regions", metavar="NAME", help="only nodes there (may be repeated)")
    parser.add_argument("--shared", action="store_true", help="several fragments of a slide may share a node")
    parser.add_argument("--codesign", action="store_true", help="choose the fragments' sizes for the nodes, too")
    parser.add_argument("--time", type=float, default=10.0, metavar="S", help="to spend on refining (10)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the answer there; - prints it instead of the table")
    slides = parser.add_argument_group("of whole-slide images (with --study)")
    slides.add_argument("--strategy", choices=STRATEGIES, default="lattice5")
    slides.add_argument("--shares", type=float, nargs="+", metavar="F", help="of `quota`: fractions that sum to 1")
    slides.add_argument("--classes", type=int, default=5, help="fragments of `even` (5)")
    slides.add_argument("--size", type=int, default=224, help="pixels of a patch's side (224)")
    slides.add_argument("--overlap", type=float, default=0.5, help="fraction of a patch that must be tissue (0.5)")
    slides.add_argument("--level", type=int, default=0)
    slides.add_argument("--kb", type=float, default=100.0, help="of a patch as it is sent (100)")
    return parser


def _plan(wanted: argparse.Namespace) -> int:
    prices = example_prices() if wanted.prices == "example" else read_price_list(Path(wanted.prices))
    for path in wanted.calibration:
        prices = with_calibration(prices, read_json(path), path.name)
    limits = _limits(wanted)
    if wanted.study is not None:
        return _study(wanted, prices, limits)
    if len(wanted.work) > 1 or wanted.work[0].suffix.lower() != ".json":
        raise PlannerError("Whole-slide images, and more than one file of work, need --study FILE.")
    workload = workload_of(read_json(wanted.work[0]), wanted.work[0].name)
    if wanted.codesign:
        front, workload = _codesigned(prices, workload, limits)
    else:
        with _Bar(sys.stderr) as bar:
            front = plan_front(prices.nodes, workload, limits, own_node_per_fragment=not wanted.shared, seed=wanted.seed,
                               time_limit_s=wanted.time, progress=bar.show)
    answer = front_json(front, workload, limits)
    answer["prices"] = {name: getattr(prices, name) for name in ("date", "currency", "source", "measured")}
    if wanted.json is not None and str(wanted.json) != "-":
        write_json(wanted.json, answer)
    if str(wanted.json) == "-":
        print(json.dumps(answer, indent=1))
    else:
        print(readable(front, workload, prices))
    return 0 if front.plans else 3 if front.infeasible_reason else 4


def _study(wanted: argparse.Namespace, prices: PriceList, limits: Limits) -> int:
    if wanted.codesign or wanted.json is not None:
        raise PlannerError("--study goes neither with --codesign nor with --json: the study has the plans in it.")
    request = Request(
        limits, wanted.strategy, wanted.classes, None if wanted.shares is None else tuple(wanted.shares), wanted.size,
        wanted.overlap, wanted.level, wanted.kb, not wanted.shared, wanted.time, wanted.seed)
    with _Bar(sys.stderr) as bar:
        def show(done: float, doing: str) -> None:
            bar.show(done)

        if len(wanted.work) == 1 and wanted.work[0].suffix.lower() == ".json":
            study = study_of_workload(read_json(wanted.work[0]), prices, request, show, wanted.work[0].name)
        else:
            study = study_of_slides([(path.name, path) for path in wanted.work], prices, request, show)
    write_json(wanted.study, study, indent=None)
    found, reason = study["front"]["plans"], study["front"]["infeasible_reason"]
    print("\n".join([reason or f"{len(found)} plans; {wanted.study.name} has them, and what each owner would see.",
                     *study["warnings"]]))
    return 0 if found else 3 if reason else 4


def _limits(wanted: argparse.Namespace) -> Limits:
    limits = PRESETS[wanted.preset] if wanted.preset else Limits()
    if wanted.limits is not None:
        limits = limits_of(read_json(wanted.limits), wanted.limits.name)
    names = [field.name for field in fields(Limits)]
    given = {name: getattr(wanted, name) for name in names if getattr(wanted, name, None) is not None}
    if "regions" in given:
        given["regions"] = tuple(given["regions"])
    return replace(limits, **given)


def _codesigned(prices: PriceList, workload: Workload, limits: Limits) -> tuple[Front, Workload]:
    sizes = [sum(slide.fragments) for slide in workload.slides]
    design = codesign(prices.nodes, sizes, workload.kb_per_patch, limits, names=[slide.id for slide in workload.slides])
    if design is None:
        return Front((), 1.0, "No shares of the slides allow a plan within the limits."), workload
    return Front((design.plan,), 0.0, max_nodes=design.plan.nodes), design.workload


def readable(front: Front, workload: Workload, prices: PriceList) -> str:
    lines = []
    if prices.fictional:
        lines += ["The price list is invented: none of its providers exists.", ""]
    elif (age := prices.age_days()) > OLD_DAYS:
        lines += [f"The prices are of {prices.date}, {age} days ago. Look again before you pay.", ""]
    guessed = sum(node.id not in prices.measured for node in prices.nodes)
    if not front.plans:
        return "\n".join([*lines, front.infeasible_reason or "No plan was found, none is proven impossible. Give it more time."])
    lines.append(f"{'nodes':>5}  {'USD':>10}  {'seconds':>10}  {'dearer than needed by at most':>30}  {'largest share':>13}")
    lines += [_line(plan) for plan in _some(front.plans)]
    if len(front.plans) > SHOWN:
        lines.append(f"… {len(front.plans)} plans in all; --json FILE has every one.")
    first = min(front.plans, key=lambda plan: (plan.cost_usd, plan.makespan_s))
    lines += ["", f"The cheapest plan: {first.nodes} nodes, {first.cost_usd:.6g} USD, {first.makespan_s:.6g} s"]
    for slide, places in list(zip(workload.slides, first.assignment, strict=True))[:SHOWN]:
        pairs = zip(slide.fragments, places, strict=True)
        lines.append(f"  {slide.id}: " + ", ".join(f"{size} → {name}" for size, name in pairs if name))
    lines += ["", f"{guessed} of {len(prices.nodes)} nodes' speeds are the list's word, not measured (voxelhub calibrate). "
              "A node's owner can read the pixels of what it is sent."]
    return "\n".join(lines)


def _line(plan: Plan) -> str:
    gap = "nothing" if plan.gap < 1e-8 else f"{100 * plan.gap:.2g} %"
    return f"{plan.nodes:>5}  {plan.cost_usd:>10.6f}  {plan.makespan_s:>10.1f}  {gap:>30}  {plan.largest_share:>13.3f}"


def _some(plans: Sequence[Plan]) -> list[Plan]:
    if len(plans) <= SHOWN:
        return list(plans)
    return [plans[round(i * (len(plans) - 1) / (SHOWN - 1))] for i in range(SHOWN)]


def write_json(path: Path, content: Any, indent: int | None = 1) -> None:
    """All or nothing."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(content, indent=indent, allow_nan=False) + "\n", "utf-8")
        part.replace(path)
    except OSError as error:
        raise PlannerError(f"{path.name} cannot be written: {error.strerror or error}.") from error


class _Bar:
    """A bar on a terminal; nothing elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.drawn = stream, 0.0

    def __enter__(self) -> _Bar:
        return self

    def show(self, done: float) -> None:
        if self.stream.isatty() and (done >= 1 or time.monotonic() - self.drawn > 0.1):
            self.drawn = time.monotonic()
            self.stream.write(f"\rplanning [{'#' * int(30 * done):<30}] {100 * done:3.0f} %")
            self.stream.flush()

    def __exit__(self, *_: object) -> None:
        if self.drawn:
            self.stream.write("\r\033[K")


def main_calibrate(arguments: Sequence[str] | None = None) -> int:
    """Measure how fast a node really is."""
    parser = argparse.ArgumentParser(
        prog="voxelhub calibrate", usage="%(prog)s NODE OUTPUT [--patches FEW MANY] [--repetitions N] -- COMMAND … {patches} …",
        description="Times a command on two sizes of fragments; writes a node's throughput and set-up.")
    parser.add_argument("node", help="the node's id in the price list")
    parser.add_argument("output", type=Path, help="the calibration file to write (JSON)")
    parser.add_argument("--patches", type=int, nargs=2, default=(200, 1000), metavar=("FEW", "MANY"))
    parser.add_argument("--repetitions", type=int, default=3)
    given = list(sys.argv[1:] if arguments is None else arguments)
    place = given.index("--") if "--" in given else len(given)
    wanted, command = parser.parse_args(given[:place]), given[place + 1:]
    try:
        if not any("{patches}" in part for part in command):
            raise PlannerError("Give the command after --, with {patches} for the number of patches to process.")
        found = calibrate(wanted.node, _running(command), sizes=tuple(wanted.patches), repetitions=wanted.repetitions)
        write_json(wanted.output, calibration_file([found]))
    except PlannerError as error:
        print(f"voxelhub calibrate: {error}", file=sys.stderr)
        return 1
    print(f"{found.node}: {found.throughput_patches_per_s:.6g} patches/s, set-up {found.setup_s:.3g} s, "
          f"repetitions within {100 * found.spread:.1f} %")
    return 0


def _running(command: Sequence[str]) -> Callable[[int], None]:
    def process(patches: int) -> None:
        try:
            asked = [part.replace("{patches}", str(patches)) for part in command]
            done = subprocess.run(asked, stdout=subprocess.DEVNULL, check=False)
        except OSError as error:
            raise PlannerError(f"{command[0]} cannot be started: {error.strerror or error}.") from error
        if done.returncode:
            raise PlannerError(f"The command ended with code {done.returncode} for {patches} patches; its message is above.")

    return process
