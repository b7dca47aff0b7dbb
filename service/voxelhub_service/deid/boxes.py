"""Rectangles of text: joined to lines and blocks, as a mask over an image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Box(NamedTuple):
    """Pixels [left, right) x [top, bottom)."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def area(self) -> int:
        return max(self.right - self.left, 0) * max(self.bottom - self.top, 0)


def grown(box: Box) -> Box:
    """A detector's box fits tightly: a letter's height at the ends, a quarter above and below, 2 pixels at least."""
    thin = min(box.height, box.right - box.left)
    aside = max(thin, 2)
    return Box(box.left - aside, box.top - max(thin // 4, 2), box.right + aside, box.bottom + max(thin // 4, 2))


def joined(boxes: Iterable[Box]) -> list[Box]:
    """Boxes that touch become their bounding rectangle, again and again: lines, then blocks of lines.

    Lines of one text whose words lie over bright and dark tissue are found in part only; the rectangle holds the rest.
    """
    rest = list(boxes)
    blocks: list[Box] = []
    while rest:
        block = rest.pop()
        while touching := [each for each in rest if _touch(block, each)]:
            rest = [each for each in rest if each not in touching]
            for each in touching:
                block = Box(min(block.left, each.left), min(block.top, each.top),
                            max(block.right, each.right), max(block.bottom, each.bottom))  # fmt: skip
        blocks.append(block)
    return blocks


def _touch(one: Box, other: Box) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom


def mask(boxes: Iterable[Box], rows: int, columns: int) -> npt.NDArray[np.bool_]:
    covered: npt.NDArray[Any] = np.zeros((rows, columns), bool)
    for box in boxes:
        covered[max(box.top, 0) : max(box.bottom, 0), max(box.left, 0) : max(box.right, 0)] = True
    return covered
