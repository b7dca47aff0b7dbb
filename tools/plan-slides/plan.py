"""Plans for whole-slide images on priced nodes: `plan.py [options] --output FOLDER --slides PATH… [--prices FILE]`.

Writes study.json, which the planner's views read, and plans.csv, a row for each plan. The work is voxelhub_planner's, of which
the set-up copies what ships into this tool's environment.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

from voxelhub_planner import Limits, PlannerError, Request, example_prices, read_price_list, study_of_slides
from voxelhub_planner.splitting import STRATEGIES

STAGED = re.compile(r"^\d+-")  # a number that keeps inputs of one name apart


def main() -> int:
    wanted = arguments()
    try:
        if not wanted.slides:
            raise PlannerError("No slide is given. Select at least one whole-slide image.")
        slides = [(title_of(path), path) for path in wanted.slides]
        study = study_of_slides(slides, prices_of(wanted), request_of(wanted), tell)
    except PlannerError as reason:
        say(f"error {reason}")
        return 1
    wanted.output.joinpath("study.json").write_text(
        json.dumps(study, ensure_ascii=False, allow_nan=False, separators=(",", ":")), "utf-8")
    table(wanted.output / "plans.csv", study)
    say(f"progress 1 {summary(study)}")
    return 0


def arguments() -> argparse.Namespace:
    """A limit that is left out comes as its option alone, without a value."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--strategy", choices=[name for name in STRATEGIES if name != "quota"], default="lattice5")
    parser.add_argument("--patch_size", type=int, default=224)
    parser.add_argument("--tissue", type=float, default=0.5)
    parser.add_argument("--level", type=int, default=0)
    parser.add_argument("--kb_per_patch", type=float, default=100.0)
    parser.add_argument("--share_nodes", choices=("true", "false"), default="false")
    parser.add_argument("--max_nodes", type=int, nargs="?")
    for name in ("budget", "deadline", "max_share", "max_pair_leak", "egress"):
        parser.add_argument(f"--{name}", type=float, nargs="?")
    parser.add_argument("--time", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--slides", type=Path, nargs="*", default=[])
    parser.add_argument("--prices", type=Path, nargs="*", default=[])
    return parser.parse_args()


def title_of(path: Path) -> str:
    return STAGED.sub("", path.name) or path.name


def prices_of(wanted: argparse.Namespace) -> Any:
    if not wanted.prices:
        return example_prices()
    try:
        return read_price_list(wanted.prices[0])
    except PlannerError as error:
        sentence = str(error).replace(wanted.prices[0].name, title_of(wanted.prices[0]))
        raise PlannerError(f"The price list cannot be used. {sentence}") from error


def request_of(wanted: argparse.Namespace) -> Request:
    limits = Limits(wanted.max_nodes, wanted.budget, wanted.deadline, wanted.max_share, wanted.max_pair_leak, wanted.egress)
    return Request(
        limits, wanted.strategy, size=wanted.patch_size, overlap=wanted.tissue, level=wanted.level,
        kb_per_patch=wanted.kb_per_patch, own_node_per_fragment=wanted.share_nodes == "false", time_limit_s=wanted.time,
        seed=wanted.seed)


def table(path: Path, study: dict[str, Any]) -> None:
    """Where each fragment runs is in one column for each slide: patches → node, fragment by fragment."""
    slides = study["slides"]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["plan", "untrusted_nodes", "cost_usd", "makespan_s", "dearer_than_needed_at_most", "largest_share",
                       "worst_pair", *(f"fragments of {slide['title']}" for slide in slides)])
        for number, plan in enumerate(study["front"]["plans"], 1):
            seen = plan["leakage"]
            rows.writerow([
                number, plan["nodes"], plan["cost_usd"], plan["makespan_s"], plan["gap"], plan["largest_share"],
                "" if seen is None else seen["worst_pair"],
                *("; ".join(f"{size} → {node}" for size, node in zip(slide["fragments"], places, strict=True) if node)
                  for slide, places in zip(slides, plan["assignment"], strict=True))])


def summary(study: dict[str, Any]) -> str:
    count = len(study["front"]["plans"])
    if count:
        return f"{count} plan{'s' * (count > 1)} to choose from"
    return study["front"]["infeasible_reason"] or "no plan was found in the time given; none is proven impossible"


def tell(done: float, doing: str) -> None:
    say(f"progress {0.99 * done:.3f} {doing}")


def say(text: str) -> None:
    print(f"::{' '.join(text.split())}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
