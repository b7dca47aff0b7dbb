"""A fast look for burned-in text in one frame, and the renderings in which a frame is read.

Letters are strokes a few pixels thin, sharp on both sides, and many of them have exactly one value; tissue has neither.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .boxes import Box

Image = npt.NDArray[Any]
REACH = 7  # pixels: strokes thinner than this stand out
BAND = 48  # rows
STEP = 0.2  # of the frame's range, on both sides of a stroke
BLOCK = 16  # pixels; counted over three blocks in a row
SUSPICIOUS = 24  # stroke pixels of one value in 16 x 48 pixels: tuned on ../shared/data


def suspicious(frame: Image) -> bool:
    """`frame`: rows x columns (x samples), stored values. True when it may hold text: rather too often than once too seldom."""
    planes = [frame] if frame.ndim == 2 else [frame[..., sample] for sample in range(frame.shape[2])]
    return any(_suspicious(plane) for plane in planes)


def _suspicious(plane: Image) -> bool:
    if min(plane.shape) < BLOCK:
        return bool(plane.size) and plane.min() != plane.max()
    plane = _narrow(plane)
    limit = max(STEP * _range(plane), 1)
    return any(_dense(plane, stroke, limit) for stroke in strokes(plane))


def _narrow(plane: Image) -> Image:
    """The same frame as int16 (values shifted or halved when they do not fit), which is four times as fast."""
    if plane.dtype.kind == "f":
        low, high = float(np.nanmin(plane)), float(np.nanmax(plane))
        return ((np.nan_to_num(plane) - low) * (32000.0 / max(high - low, 1e-30))).astype(np.int16)
    lowest, highest = int(plane.min()), int(plane.max())
    if plane.dtype.itemsize == 1:
        return plane.astype(np.int16)
    if highest - lowest < 32768:
        return plane if plane.dtype == np.int16 else (plane - plane.dtype.type(lowest)).astype(np.int16)
    wide: Image = plane.astype(np.int64) - lowest
    return (wide >> max((highest - lowest).bit_length() - 15, 0)).astype(np.int16)


def _range(plane: Image) -> float:
    """Of the middle 98 % of a sixteenth of the values."""
    some = plane[::4, ::4].ravel()
    low, high = len(some) // 100, len(some) - 1 - len(some) // 100
    ends = np.partition(some, (low, high))
    return float(ends[high]) - float(ends[low])


def strokes(plane: Image) -> tuple[Image, Image]:
    """(how far each pixel stands out as part of a bright stroke, of a dark one): top-hat transforms along rows and columns.

    In bands of rows, whose arrays stay in the processor's cache.
    """
    bright, dark = np.empty_like(plane), np.empty_like(plane)
    rows, margin = plane.shape[0], REACH - 1
    for top in range(0, rows, BAND):
        first, end = max(top - margin, 0), min(top + BAND, rows)
        found = _strokes(plane[first : min(end + margin, rows)])
        bright[top:end], dark[top:end] = (each[top - first : end - first] for each in found)
    return bright, dark


def _strokes(plane: Image) -> tuple[Image, Image]:
    bright = dark = np.zeros((), plane.dtype)
    for axis in (1, 0):
        wide = _edged(plane, axis)
        opened = _over(_edged(_over(wide, axis, np.minimum), axis), axis, np.maximum)
        closed = _over(_edged(_over(wide, axis, np.maximum), axis), axis, np.minimum)
        bright = np.maximum(bright, np.subtract(plane, opened, out=opened))
        dark = np.maximum(dark, np.subtract(closed, plane, out=closed))
    return bright, dark


def _edged(plane: Image, axis: int) -> Image:
    """Three more rows or columns at both ends, as the outermost are."""
    half = REACH // 2
    rows, columns = plane.shape
    if axis == 1:
        wide = np.empty((rows, columns + 2 * half), plane.dtype)
        wide[:, half:-half], wide[:, :half], wide[:, -half:] = plane, plane[:, :1], plane[:, -1:]
    else:
        wide = np.empty((rows + 2 * half, columns), plane.dtype)
        wide[half:-half], wide[:half], wide[-half:] = plane, plane[:1], plane[-1:]
    return wide


def _over(wide: Image, axis: int, which: Any) -> Image:
    """`which` over REACH pixels along an axis: over 2, over 4, and two of those that overlap."""
    if axis == 1:
        two = which(wide[:, :-1], wide[:, 1:])
        four = which(two[:, :-2], two[:, 2:])
        return which(four[:, :-3], four[:, 3:])  # type: ignore[no-any-return]
    two = which(wide[:-1], wide[1:])
    four = which(two[:-2], two[2:])
    return which(four[:-3], four[3:])  # type: ignore[no-any-return]


def _dense(plane: Image, heights: Image, limit: float) -> bool:
    stroke = heights >= limit
    values = plane[stroke]
    if values.size < SUSPICIOUS:
        return False
    lowest = int(values.min())
    counts = np.bincount(values.astype(np.int64) - lowest)
    often = np.flatnonzero(counts >= SUSPICIOUS)
    common = [int(each) + lowest for each in often[np.argsort(counts[often], kind="stable")[-3:]]]
    bottom, top = int(plane.min()), int(plane.max())
    near = (top - bottom) // NEAR
    high = heights >= max((top - bottom) * HIGH, limit)
    extremes = (high & (plane >= top - near), high & (plane <= bottom + near))
    return any(_crowded(each) for each in extremes) or any(_crowded(stroke & (plane == value)) for value in common)


HIGH = 0.45  # of the whole range: how far smoothed letters stand out
NEAR = 10  # smoothed letters have many values; within this part of the range from its end they count as one


def _crowded(at: npt.NDArray[np.bool_]) -> bool:
    if np.count_nonzero(at) < SUSPICIOUS:
        return False
    rows, columns = (size // BLOCK * BLOCK for size in at.shape)
    counted = at[:rows, :columns].view(np.uint8).reshape(rows // BLOCK, BLOCK, columns).sum(1, dtype=np.uint8)
    blocks = counted.reshape(rows // BLOCK, columns // BLOCK, BLOCK).sum(2, dtype=np.int32)
    if blocks.shape[1] > 2:
        blocks = blocks[:, :-2] + blocks[:, 1:-1] + blocks[:, 2:]
    return int(blocks.max()) >= SUSPICIOUS


def renderings(frame: Image, window: tuple[float, float] | None = None) -> list[Image]:
    """uint8 pictures that together show what a viewer would: all values; the middle 99 %; `window` (lowest, highest)."""
    low, high = float(frame.min()), float(frame.max())
    if low == high:
        return []
    if frame.ndim == 3 and bool((frame.max(axis=2) != frame.min(axis=2)).any()):
        # A detector sees little of letters in one colour; the brightest and the darkest sample show them.
        return [view for each in (frame, frame.max(axis=2), frame.min(axis=2)) for view in _grey(each, window)]
    return _grey(frame, window)


def _grey(frame: Image, window: tuple[float, float] | None) -> list[Image]:
    low, high = float(frame.min()), float(frame.max())
    if low == high:
        return []
    ranges = [(low, high), tuple(float(each) for each in np.percentile(frame[::2, ::2], (0.5, 99.5)))]
    if window is not None:
        ranges.append((max(window[0], low), min(window[1], high)))
    views: list[Image] = []
    for bottom, top in ranges:
        if top <= bottom:
            continue
        view = (np.clip((frame.astype(np.float32) - bottom) / (top - bottom), 0, 1) * 255).astype(np.uint8)
        if all(float(np.abs(view[::4, ::4].astype(np.int16) - other[::4, ::4]).mean()) > ALIKE for other in views):
            views.append(view)
    return views


ALIKE = 6.0  # mean difference of grey values below which two renderings count as one


LINES, FEW, MANY = 2, 6, 0.3  # lines each way; stroke pixels a line; share of stroke pixels in mere noise


def lengthened(box: Box, shown: Image) -> Box:
    """A box of text and up to LINES lines over and under it that a detector missed: as long as strokes go on there."""
    plane = shown if shown.ndim == 2 else shown[..., 1]
    high, rows, columns = box.height, plane.shape[0], plane.shape[1]
    if high > box.right - box.left or min(plane.shape) < BLOCK:
        return box
    top, bottom = max(box.top - LINES * high, 0), min(box.bottom + LINES * high, rows)
    left, right = max(box.left, 0), min(box.right, columns)
    around = _narrow(plane[top:bottom, left:right])
    if min(around.shape) < REACH:
        return box
    limit = max(STEP * _range(_narrow(plane)), 1)
    stroke = np.logical_or(*(each >= limit for each in strokes(around)))
    if float(stroke.mean()) > MANY:
        return box
    upper, lower = box.top, box.bottom
    while upper > top and np.count_nonzero(stroke[max(upper - high, top) - top : upper - top]) >= FEW:
        upper -= high
    while lower < bottom and np.count_nonzero(stroke[lower - top : min(lower + high, bottom) - top]) >= FEW:
        lower += high
    return Box(box.left, upper, box.right, lower)
