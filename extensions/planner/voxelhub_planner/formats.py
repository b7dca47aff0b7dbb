"""Requests and answers of the planner as JSON: a workload in, limits in, a front out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from .errors import PlannerError
from .grid import Cells, Labels, as_cells
from .model import Front, Limits, Plan, Slide, Workload
from .splitting import split
from .views import slide_of

WORKLOAD = "voxelhub-workload/1"
FRONT = "voxelhub-plans/1"
SLIDE_KEYS = ("id", "fragments", "touching4", "touching8", "regions", "cells", "split", "seed", "classes", "shares", "patches")
PRESETS = {
    "normal": Limits(8, 0.1, 800.0), "few-nodes": Limits(5, 0.2, 1200.0), "tight-budget": Limits(8, 0.01, 1200.0),
    "short-deadline": Limits(8, 0.2, 560.0),
}


def workload_of(content: Any, name: str = "The workload") -> Workload:
    """Slides come as `fragments` (patches each), as `patches` split evenly into `classes`, or as `cells` with a `split`."""
    found = _keys(content, ("format", "kb_per_patch", "slides"), name, ("format", "kb_per_patch", "slides"))
    if found["format"] != WORKLOAD:
        raise PlannerError(f"{name}: `format` must be {WORKLOAD!r}; this is {found['format']!r}.")
    if not isinstance(found["slides"], list):
        raise PlannerError(f"{name}: `slides` must be a list.")
    slides = tuple(_slide(one, f"{name}, slide {n + 1}") for n, one in enumerate(found["slides"]))
    return Workload(slides, found["kb_per_patch"])


def _slide(content: Any, where: str) -> Slide:
    found = _keys(content, SLIDE_KEYS, where, ("id",))
    given = [key for key in ("fragments", "patches", "cells") if key in found]
    if len(given) != 1:
        raise PlannerError(f"{where} needs one of `fragments`, `patches` and `cells`.")
    regions = tuple(_texts(found.get("regions", []), f"{where}, `regions`"))
    if given == ["fragments"]:
        counts = {key: tuple(tuple(row) for row in found[key]) for key in ("touching4", "touching8") if key in found}
        if not isinstance(found["fragments"], list) or not all(_whole(n) for n in found["fragments"]):
            raise PlannerError(f"{where}: `fragments` is a list of whole numbers, none below 0.")
        return Slide(found["id"], tuple(found["fragments"]), regions=regions, **counts)
    if given == ["patches"]:
        patches, classes = found["patches"], found.get("classes", 5)
        if not _whole(patches) or not _whole(classes) or not classes:
            raise PlannerError(f"{where}: `patches` and `classes` are whole numbers, `classes` at least 1.")
        return Slide(found["id"], tuple(patches // classes + (i < patches % classes) for i in range(classes)), regions=regions)
    cells, labels = placed(found)
    return slide_of(found["id"], cells, labels, regions)


def placed(slide: Mapping[str, Any]) -> tuple[Cells, Labels]:
    """Cells and fragments of a slide that comes with `cells`."""
    cells = as_cells(slide["cells"] if slide["cells"] else np.zeros((0, 2), int))
    return cells, split(cells, slide.get("split", "lattice5"), shares=slide.get("shares"), classes=slide.get("classes", 5),
                        seed=slide.get("seed", 0))


def limits_of(content: Any, name: str = "The limits") -> Limits:
    known = tuple(field.name for field in fields(Limits))
    found = _keys(content, known, name, ())
    if found.get("regions") is not None:
        found["regions"] = tuple(_texts(found["regions"], f"{name}, `regions`"))
    for key, value in found.items():
        if key != "regions" and value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise PlannerError(f"{name}: `{key}` must be a number; this is {value!r}.")
    return Limits(**found)


def _keys(content: Any, known: tuple[str, ...], where: str, needed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise PlannerError(f"{where} must be an object.")
    if unknown := sorted(set(content) - set(known)):
        raise PlannerError(f"{where} has an unknown key, {unknown[0]!r}. Known are: {', '.join(known)}.")
    for key in needed:
        if key not in content:
            raise PlannerError(f"{where} lacks `{key}`.")
    return dict(content)


def _texts(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise PlannerError(f"{where} must be a list of texts.")
    return value


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def plan_json(plan: Plan) -> dict[str, Any]:
    found = asdict(plan)
    found["assignment"] = [list(row) for row in plan.assignment]
    return found


def front_json(front: Front, workload: Workload, limits: Limits) -> dict[str, Any]:
    return {
        "format": FRONT, "limits": {key: value for key, value in asdict(limits).items() if value is not None},
        "slides": [slide.id for slide in workload.slides], "max_nodes": front.max_nodes,
        "certified_hypervolume": front.certified_hypervolume, "infeasible_reason": front.infeasible_reason,
        "relaxations": [asdict(one) for one in front.relaxations], "plans": [plan_json(plan) for plan in front.plans],
    }
