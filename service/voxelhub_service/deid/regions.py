"""Which look an image gets, by rules that are data (`regions.json`), and the regions that a device keeps free of text."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydicom.dataset import Dataset

from .boxes import Box

Look = Literal["none", "slide", "regions", "video", "screen", "read"]
WHOLE_SHARE = 0.95  # regions that cover more than this of an image say nothing about where text is


@dataclass(frozen=True)
class Plan:
    look: Look
    keep: tuple[Box, ...] = ()  # of look "regions": all else is masked


@functools.cache
def rules() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("regions.json").read_text())
    return found


def plan_of(dataset: Dataset, devices: list[dict[str, Any]] | None = None) -> Plan:
    """`devices`: rules {manufacturer, model, rows, columns, keep: [[left, top, right, bottom]]} instead of the file's."""
    look = _look(dataset)
    if look != "regions":
        return Plan(look)
    keep = _by_device(dataset, rules()["devices"] if devices is None else devices) or _by_dataset(dataset)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    inside = tuple(
        box for each in keep
        if (box := Box(max(each.left, 0), max(each.top, 0), min(each.right, columns), min(each.bottom, rows))).area > 0
    )  # fmt: skip
    if sum(box.area for box in inside) > WHOLE_SHARE * rows * columns:
        inside = ()
    return Plan(look, inside)


def _look(dataset: Dataset) -> Look:
    known, class_uid, modality = rules(), str(dataset.get("SOPClassUID", "")), str(dataset.get("Modality", ""))
    by_class = [look for look, uids in known["classes"].items() if class_uid in uids]
    by_modality = [look for look, names in known["modalities"].items() if modality in names]
    found: Look = [*by_class, *by_modality, "read"][0]
    types = {str(each).strip().upper() for each in _values(dataset.get("ImageType"))}
    if found == "screen" and types & set(known["image_types_read"]):
        return "read"
    return found


def slide_held(dataset: Dataset) -> bool:
    """Whether a slide's image is, or shows, its label."""
    types = {str(each).strip().upper() for each in _values(dataset.get("ImageType"))}
    return bool(types & set(rules()["slide_types_held"])) or str(dataset.get("SpecimenLabelInImage", "")).upper() == "YES"


def _values(value: Any) -> list[Any]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _by_device(dataset: Dataset, devices: list[dict[str, Any]]) -> list[Box]:
    maker, model = (str(dataset.get(name, "")).strip().lower() for name in ("Manufacturer", "ManufacturerModelName"))
    for rule in devices:
        same_device = (rule["manufacturer"].lower(), rule["model"].lower()) == (maker, model)
        if same_device and (rule["rows"], rule["columns"]) == (int(dataset.Rows), int(dataset.Columns)):
            return [Box(*each) for each in rule["keep"]]
    return []


def _by_dataset(dataset: Dataset) -> list[Box]:
    """PS3.3 C.8.5.5: the corners of each region are pixels that belong to it. One that cannot be read: no rule at all."""
    boxes = []
    for region in dataset.get("SequenceOfUltrasoundRegions") or []:
        try:
            left, top = int(region.RegionLocationMinX0), int(region.RegionLocationMinY0)
            right, bottom = int(region.RegionLocationMaxX1), int(region.RegionLocationMaxY1)
        except (AttributeError, TypeError, ValueError):
            return []
        boxes.append(Box(left, top, right + 1, bottom + 1))
    return boxes
