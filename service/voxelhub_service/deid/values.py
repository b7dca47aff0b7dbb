"""What a value of each VR may look like, and a valid dummy for it (DICOM PS3.5, 6.2). What breaks it may hide anything."""

from __future__ import annotations

import re
from datetime import date, timedelta

TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC"})
STRINGS = TEXT | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "PN", "TM", "UI", "UR"}
NUMBER_SIZES = {"FL": 4, "FD": 8, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8, "AT": 4}
BULK_SIZES = {"OF": 4, "OD": 8, "OL": 4, "OV": 8}
BULK = frozenset({"OB", "OW", *BULK_SIZES})

_GRAMMAR = {
    "AS": re.compile(r"\d{3}[DWMY]"),
    "DA": re.compile(r"\d{8}|\d{4}\.\d\d\.\d\d"),
    "DS": re.compile(r"\s*[+-]?(?:\d{1,20}(?:\.\d{0,24})?|\.\d{1,24})(?:[eE][+-]?\d{1,3})?\s*"),
    "DT": re.compile(r"\d{4}(?:\d\d){0,5}(?:\.\d{1,6})?(?:[+-]\d{4})?"),
    "IS": re.compile(r"\s*[+-]?\d{1,12}\s*"),
    "TM": re.compile(r"\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?|\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?"),
    "UI": re.compile(r"[0-9.]{1,64}"),
}
_DUMMIES = {
    "AE": "VOXELHUB",
    "AS": "000Y",
    "CS": "OTHER",
    "DA": "19000101",
    "DS": "0",
    "DT": "19000101000000",
    "IS": "0",
    "PN": "Anonymous",
    "TM": "000000",
    "UR": "urn:removed",
}


def dummy(vr: str) -> str:
    """A valid value that says nothing, for a VR of strings."""
    return _DUMMIES.get(vr, "REMOVED")


def fits(vr: str, text: str) -> bool:
    """Whether every value of `text` (backslashes between them) follows the grammar of its VR; True for VRs without one."""
    grammar = _GRAMMAR.get(vr)
    return grammar is None or all(not value or grammar.fullmatch(value) for value in _split(text))


def shifted(vr: str, text: str, days: int) -> str | None:
    """Dates (DA, DT) moved by `days`, precision kept, an offset from UTC dropped; None where one cannot be read."""
    moved = []
    for value in _split(text):
        try:
            moved.append(value and _moved(vr, value, days))
        except (ValueError, OverflowError):
            return None
    return "\\".join(moved)


def capped_age(text: str) -> str | None:
    """Ages over 89 years read 090Y; None where one cannot be read."""
    if not fits("AS", text):
        return None
    return "\\".join("090Y" if age.endswith("Y") and int(age[:3]) > 89 else age for age in _split(text))


def _moved(vr: str, value: str, days: int) -> str:
    grammar = _GRAMMAR[vr]
    if not grammar.fullmatch(value):
        raise ValueError("not a date")
    if vr == "DA":
        plain = value.replace(".", "")
        return _day(plain, days)
    plain = re.sub(r"[+-]\d{4}$", "", value)
    whole, _, fraction = plain.partition(".")
    head, rest = whole[:8], whole[8:]
    start = f"{head}0101"[:8] if len(head) == 4 else f"{head}01"[:8]
    return _day(start, days)[: len(head)] + rest + (f".{fraction}" if fraction else "")


def _day(value: str, days: int) -> str:
    moved = date(int(value[:4]), int(value[4:6]), int(value[6:])) + timedelta(days=days)
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"


def _split(text: str) -> list[str]:
    return [value.strip(" \0") for value in text.split("\\")]
