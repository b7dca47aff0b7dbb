"""The study (`voxelhub-study/1`): everything that a person looks at before sending work away, in one JSON document.

Slides come as paths of whole-slide images or as a workload without pixels; prices as a list, or none for the invented example.
Out comes the front of plans, what each party would see, the same work by an even split and by the published method, and limits
to start from. Widgets and the Lab panel read it; nothing in it is a path, a key or a coordinate within a patient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import peers, sights
from .errors import PlannerError
from .formats import front_json, placed, workload_of
from .grid import Cells, Labels
from .model import Front, Limits, Node, Slide, Workload
from .pictures import LONGEST, thumbnail
from .planning import plan_front
from .presets import scaled_presets
from .prices import PriceList, example_prices
from .slides import Grid, SlidePatches, opened_slide, patch_grid
from .splitting import split
from .views import slide_of

FORMAT = "voxelhub-study/1"
VERSION = "0.1.0"
OLD_DAYS = 90  # prices older than that are named
LISTED, LISTED_IN_ALL = 20_000, 160_000  # cells in the document: of a slide, of all
THUMBNAILS = 8  # slides, up to which thumbnails have their full size
Progress = Callable[[float, str], None]  # part that is done, what is being done


@dataclass(frozen=True)
class Request:
    """How to cut, split and plan. `time_limit_s`: for our front; each of the two peers gets half of it more."""

    limits: Limits = field(default_factory=Limits)
    strategy: str = "lattice5"
    classes: int = 5  # of `even`
    shares: tuple[float, ...] | None = None  # of `quota`
    size: int = 224  # pixels of a patch's side
    overlap: float = 0.5
    level: int = 0
    kb_per_patch: float = 100.0
    own_node_per_fragment: bool = True
    time_limit_s: float = 10.0
    seed: int = 0


@dataclass(frozen=True)
class Placed:
    """A slide of the study; `path`, grid and thumbnail only where its pixels are there, cells only where places are known."""

    slide: Slide
    title: str
    cells: Cells | None = None
    labels: Labels | None = None
    path: Path | None = None
    grid: Grid | None = None
    thumbnail: str | None = None


def study_of_slides(
    slides: Sequence[tuple[str, Path]], prices: PriceList | None = None, request: Request | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`slides`: a title and a path each. Raises PlannerError, with the slide's title, for what cannot be read."""
    wanted, tell = request or Request(), _steps(progress or (lambda *_: None))
    if not slides:
        raise PlannerError("There is no slide to study. Choose at least one.")
    found = [_placed(f"slide-{n + 1}", title, path, len(slides), wanted,
                     _part(tell, 0.35 * n / len(slides), 0.35 / len(slides)))
             for n, (title, path) in enumerate(slides)]
    return _study(found, prices, wanted, wanted.kb_per_patch, wanted.strategy, tell)


def study_of_workload(
    content: Any, prices: PriceList | None = None, request: Request | None = None, progress: Progress | None = None,
    name: str = "The workload",
) -> dict[str, Any]:
    """`content`: a `voxelhub-workload/1`. Its slides say how they are split; the request says the rest."""
    wanted, work = request or Request(), workload_of(content, name)
    found = []
    for slide, given in zip(work.slides, content["slides"], strict=True):
        cells, labels = placed(given) if "cells" in given else (None, None)
        found.append(Placed(slide, slide.id, cells, labels))
    strategies = {given.get("split", "lattice5") if "cells" in given else "given" for given in content["slides"]}
    strategy = strategies.pop() if len(strategies) == 1 else "several"
    return _study(found, prices, wanted, work.kb_per_patch, strategy, _steps(progress or (lambda *_: None)))


def _placed(slide_id: str, title: str, path: Path, many: int, wanted: Request, tell: Progress) -> Placed:
    try:
        with opened_slide(path) as slide:
            grid = patch_grid(slide, wanted.size, wanted.overlap, wanted.level,
                              lambda done: tell(0.7 * done, f"looking for tissue in {title}"))
            picture = thumbnail(slide, grid, LONGEST if many <= THUMBNAILS else LONGEST // 2)
    except PlannerError as error:
        raise PlannerError(f"{title}: {error}") from error
    labels = split(grid.cells, wanted.strategy, shares=wanted.shares, classes=wanted.classes, seed=wanted.seed)
    tell(1.0, f"{title}: {len(labels)} patches of tissue in {int(labels.max()) + 1} fragments")
    return Placed(slide_of(slide_id, grid.cells, labels), title, grid.cells, labels, path, grid, picture)


def _study(
    slides: Sequence[Placed], prices: PriceList | None, wanted: Request, kb_per_patch: float, strategy: str, tell: Progress,
) -> dict[str, Any]:
    prices = prices or example_prices()
    work = Workload(tuple(one.slide for one in slides), kb_per_patch)
    planning = _part(tell, 0.35, 0.35)
    front = plan_front(prices.nodes, work, wanted.limits, own_node_per_fragment=wanted.own_node_per_fragment, seed=wanted.seed,
                       time_limit_s=wanted.time_limit_s, progress=lambda done: planning(done, "planning"))
    others = _peers(slides, work, prices.nodes, wanted, _part(tell, 0.7, 0.15))
    seen = _sights(slides, front, prices.nodes, _part(tell, 0.85, 0.15))
    tell(1.0, f"{len(front.plans)} plans")
    return {
        "format": FORMAT,
        "made": {"planner": VERSION, "seed": wanted.seed, "time_limit_s": wanted.time_limit_s,
                 "own_node_per_fragment": wanted.own_node_per_fragment},
        "prices": {"date": prices.date, "currency": prices.currency, "source": prices.source, "fictional": prices.fictional,
                   "age_days": prices.age_days(), "measured": list(prices.measured)},
        "nodes": [_node(node) for node in prices.nodes],
        "kb_per_patch": kb_per_patch,
        "split": {"strategy": strategy, "classes": max(len(one.slide.fragments) for one in slides), "seed": wanted.seed},
        "slides": [_slide(one, min(LISTED, LISTED_IN_ALL // len(slides)), wanted) for one in slides],
        "front": front_json(front, work, wanted.limits),
        "presets": scaled_presets(front.plans),
        "peers": others,
        "sights": seen,
        "warnings": _warnings(slides, front, prices, seen),
    }


def _peers(
    slides: Sequence[Placed], work: Workload, nodes: Sequence[Node], wanted: Request, tell: Progress,
) -> list[dict[str, Any]]:
    cells = [one.cells for one in slides]
    half = wanted.time_limit_s / 2
    tell(0.0, "comparing with an even split")
    even = peers.even_workload(work, cells, peers.EVEN_CLASSES, wanted.seed)
    even_front = peers.even_front(nodes, even, wanted.limits, own=wanted.own_node_per_fragment, time_limit_s=half,
                                  seed=wanted.seed)
    tell(0.5, "comparing with the published method")
    published = peers.published_workload(work, cells, wanted.seed)
    published_front = peers.published_front(nodes, published, wanted.limits, time_limit_s=half)
    return [{"id": "even", "title": "Even split", "front": front_json(even_front, even, wanted.limits)},
            {"id": "paper", "title": "The paper's method", "front": front_json(published_front, published, wanted.limits)}]


def _sights(slides: Sequence[Placed], front: Front, nodes: Sequence[Node], tell: Progress) -> list[dict[str, Any]]:
    """Slide by slide: each is opened once."""
    domains = {node.id: None if node.trusted else node.trust_domain for node in nodes}
    chosen = [one for one in sights.held_sets(front.plans, domains) if slides[one[0]].path is not None][:sights.MOST]
    looked = sorted({w for w, _ in chosen})
    found = {}
    for n, w in enumerate(looked):
        part = _part(tell, n / len(looked), 1 / len(looked))
        region = _region(slides[w], part)
        for one in (one for one in chosen if one[0] == w):
            found[one] = sights.sight(region, one[1])
    return [{"slide": slides[w].slide.id, "fragments": list(fragments),
             "patches": sum(slides[w].slide.fragments[i] for i in fragments), "looked_at": found[w, fragments][0].patches,
             "recall": found[w, fragments][0].recall, "precision": found[w, fragments][0].precision,
             "picture": found[w, fragments][1]} for w, fragments in chosen]


def _region(one: Placed, tell: Progress) -> sights.Region:
    if one.path is None or one.grid is None or one.labels is None:
        raise RuntimeError("A sight needs the slide's pixels.")
    with opened_slide(one.path) as slide:
        return sights.region_of(SlidePatches(slide, one.grid), one.grid.cells, one.labels,
                                progress=lambda done: tell(done, f"what others would see of {one.title}"))


def _node(node: Node) -> dict[str, Any]:
    names = ("id", "trust_domain", "trusted", "price_usd_per_hour", "uplink_mbps", "throughput_patches_per_s", "setup_s",
             "billing_s", "gpu", "location")
    found = {name: getattr(node, name) for name in names}
    return found | {"uplink_mbps": None if math.isinf(node.uplink_mbps) else node.uplink_mbps}


def _slide(one: Placed, listed: int, wanted: Request) -> dict[str, Any]:
    cells = np.zeros((0, 2), int) if one.cells is None else one.cells
    labels = np.zeros(0, int) if one.labels is None else one.labels
    columns, rows = (int(n) + 1 for n in cells.max(axis=0)) if len(cells) else (0, 0)
    if one.grid is not None:
        columns, rows = one.grid.columns, one.grid.rows
    sampled = len(cells) > listed
    if sampled:
        kept = np.sort(np.random.default_rng(wanted.seed).choice(len(cells), listed, replace=False))
        cells, labels = cells[kept], labels[kept]
    return {"id": one.slide.id, "title": one.title, "patches": sum(one.slide.fragments),
            "fragments": list(one.slide.fragments), "columns": columns, "rows": rows, "cells": cells.tolist(),
            "labels": labels.tolist(), "sampled": sampled, "size": wanted.size, "thumbnail": one.thumbnail,
            "touching8": [list(row) for row in one.slide.touching8]}


def _warnings(slides: Sequence[Placed], front: Front, prices: PriceList, seen: Sequence[Any]) -> list[str]:
    found = []
    if prices.fictional:
        found.append("The price list is invented: none of its providers exists. Give a list of your own before you decide.")
    elif (age := prices.age_days()) > OLD_DAYS:
        found.append(f"The prices are of {prices.date}, {age} days ago. Look again before you pay.")
    guessed = sum(node.id not in prices.measured for node in prices.nodes)
    if guessed:
        found.append(f"{guessed} of {len(prices.nodes)} nodes' speeds are the list's word, not measured (voxelhub calibrate).")
    if not front.plans and front.infeasible_reason is None:
        found.append("No plan was found, and none is proven impossible. Give it more time.")
    if any(one.path is None for one in slides):
        found.append("Slides came without pixels: what a provider could put together was not tried on them.")
    if seen:
        found.append("What a provider could put together is the least: matching borders alone, on a part of the slide.")
    return found


def _part(tell: Progress, start: float, length: float) -> Progress:
    return lambda done, doing: tell(start + length * done, doing)


def _steps(tell: Progress) -> Progress:
    """Only what is new: another whole per cent, or another thing that is done."""
    last = (-1, "")

    def told(done: float, doing: str) -> None:
        nonlocal last
        if (now := (int(100 * done), doing)) != last:
            last = now
            tell(done, doing)

    return told
