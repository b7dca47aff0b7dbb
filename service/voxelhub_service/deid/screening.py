"""A fast look for burned-in text in one frame, and the renderings in which a frame is read.

Letters are strokes a few pixels thin, sharp on both sides, and many of them have exactly one value; tissue has neither.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[Any]
REACH = 7  # pixels: strokes thinner than this stand out
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
    return any(_dense(plane, stroke >= limit) for stroke in strokes(plane))


def _narrow(plane: Image) -> Image:
    """The same frame as int16 (values shifted or halved when they do not fit), which is four times as fast."""
    if plane.dtype == np.int16 and int(plane.max()) - int(plane.min()) < 32768:
        return plane
    if plane.dtype.kind == "f":
        low, high = float(np.nanmin(plane)), float(np.nanmax(plane))
        return ((np.nan_to_num(plane) - low) * (32000.0 / max(high - low, 1e-30))).astype(np.int16)
    wide = plane.astype(np.int64) - int(plane.min())
    while int(wide.max()) > 32767:
        wide >>= 1
    return wide.astype(np.int16)


def _range(plane: Image) -> float:
    low, high = np.percentile(plane[::4, ::4], (1, 99))
    return float(high - low)


def strokes(plane: Image) -> tuple[Image, Image]:
    """(how far each pixel stands out as part of a bright stroke, of a dark one): top-hat transforms along rows and columns."""
    bright = np.maximum(plane - _most(_least(plane, 1), 1), plane - _most(_least(plane, 0), 0))
    dark = np.maximum(_least(_most(plane, 1), 1) - plane, _least(_most(plane, 0), 0) - plane)
    return bright, dark


def _least(plane: Image, axis: int) -> Image:
    return _over(plane, axis, np.minimum)


def _most(plane: Image, axis: int) -> Image:
    return _over(plane, axis, np.maximum)


def _over(plane: Image, axis: int, which: Any) -> Image:
    """`which` over REACH pixels along an axis: over 2, over 4, and two of those that overlap."""
    half = REACH // 2
    wide = np.pad(plane, [(half, half) if each == axis else (0, 0) for each in (0, 1)], mode="edge")
    if axis == 1:
        two = which(wide[:, :-1], wide[:, 1:])
        four = which(two[:, :-2], two[:, 2:])
        return which(four[:, :-3], four[:, 3:])  # type: ignore[no-any-return]
    two = which(wide[:-1], wide[1:])
    four = which(two[:-2], two[2:])
    return which(four[:-3], four[3:])  # type: ignore[no-any-return]


def _dense(plane: Image, stroke: npt.NDArray[np.bool_]) -> bool:
    values = plane[stroke]
    if values.size < SUSPICIOUS:
        return False
    lowest = int(values.min())
    counts = np.bincount(values.astype(np.int64) - lowest)
    for value in np.argsort(counts)[-3:]:
        if counts[value] < SUSPICIOUS:
            continue
        rows, columns = (size // BLOCK * BLOCK for size in plane.shape)
        at = stroke[:rows, :columns] & (plane[:rows, :columns] == value + lowest)
        blocks = at.reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).sum((1, 3))
        if blocks.shape[1] > 2:
            blocks = blocks[:, :-2] + blocks[:, 1:-1] + blocks[:, 2:]
        if int(blocks.max()) >= SUSPICIOUS:
            return True
    return False


def renderings(frame: Image, window: tuple[float, float] | None = None) -> list[Image]:
    """uint8 pictures that together show what a viewer would: all values; the middle 99 %; `window` (lowest, highest)."""
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
