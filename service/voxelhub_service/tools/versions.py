"""Which of two versions of a tool is newer: Semantic Versioning 2.0.0, section 11, with a fourth number allowed."""

from __future__ import annotations

import re

_PARTS = re.compile(r"(?P<numbers>\d+(?:\.\d+)*)(?:\.(?P<more>[0-9A-Za-z.]+))?(?:-(?P<before>[^+]*))?(?:\+.*)?")
Part = tuple[int, int, str]


def order(version: str) -> tuple[object, ...]:
    """A key for sorting, oldest first: 1.9 < 1.10-rc.1 < 1.10 = 1.10.0; what stands behind + does not count."""
    match = _PARTS.fullmatch(version)
    if match is None:
        return ((), (), False, (), version)
    numbers = [int(part) for part in match["numbers"].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    before = match["before"]
    return tuple(numbers), _identifiers(match["more"] or ""), before is None, _identifiers(before or ""), version


def newest_first(versions: list[str]) -> list[str]:
    return sorted(versions, key=order, reverse=True)


def _identifiers(text: str) -> tuple[Part, ...]:
    """Numbers compare as numbers and come before words."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in text.split(".") if text)
