"""Private elements: removed, or kept where private.json names creator and element and the value is as it should be."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources

from pydicom import DataElement, Dataset
from pydicom.values import convert_value

from . import steps, values, vocabulary
from .elements import Element, text_of
from .steps import Run


def safe_elements(dataset: Dataset) -> dict[int, str]:
    """tag -> VR of the safe private elements of this data set (not of its sequences), their creators ("LO") with them."""
    safe: dict[int, str] = {}
    for tag in list(dataset.keys()):
        number = int(tag)
        if not number >> 16 & 1 or not 0x10 <= number & 0xFFFF <= 0xFF:
            continue
        known = _safe().get((text_of(dataset.get_item(tag)).strip(" \0"), number >> 16), {})
        for element, vr in known.items():
            inside = (number & 0xFFFF0000) | (number & 0xFF) << 8 | element
            if inside in dataset:
                safe[inside] = vr
                safe[number] = "LO"
    return safe


def clean(dataset: Dataset, element: Element, vr: str | None, run: Run) -> None:
    """`vr` is what private.json says of the element; None: not safe."""
    if vr is None or not _harmless(dataset, element, vr):
        run.actions["private X"] += 1
        del dataset[element.tag]
        return
    if element.tag & 0xFFFF > 0xFF:
        run.actions["private K"] += 1


def _harmless(dataset: Dataset, element: Element, vr: str) -> bool:
    if element.tag & 0xFFFF <= 0xFF:
        return True  # its text is the creator's name in private.json, letter for letter
    found = element.VR
    if found not in {vr, None, "UN"}:
        return False
    value = element.value
    if vr in values.NUMBER_SIZES:
        size = values.NUMBER_SIZES[vr]
        if isinstance(value, bytes) and (
            len(value) % size or len(value) > 1024 or (vr in {"FL", "FD"} and steps.blunted(value, size, True) != value)
        ):
            return False
    elif vr == "CS":
        if not all(vocabulary.coded(each) for each in text_of(element).split("\\")):
            return False
    elif vr in values.TEXT:
        text = text_of(element)
        if vocabulary.clean(text, technical=True) != text:
            return False
    elif not values.fits(vr, text_of(element)):
        return False
    if found == "UN" and isinstance(value, bytes):
        try:
            dataset[element.tag] = DataElement(
                element.tag, vr, convert_value(vr, element._replace(VR=vr)) if element.is_raw else value
            )
        except (ValueError, TypeError, AttributeError):
            return False
    return True


@lru_cache(1)
def _safe() -> dict[tuple[str, int], dict[int, str]]:
    read = json.loads(resources.files(__package__).joinpath("private.json").read_text(encoding="utf-8"))
    safe: dict[tuple[str, int], dict[int, str]] = {}
    for creator, group, element, vr, _meaning in read["elements"]:
        safe.setdefault((creator, int(group, 16)), {})[int(element, 16)] = vr
    return safe
