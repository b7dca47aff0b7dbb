"""Whole-slide images to a grid of patches that show tissue, read one by one.

Readers: OpenSlide (Aperio, Hamamatsu, Leica, MIRAX, Philips, Ventana, DICOM WSI, …), or tiffslide where OpenSlide is not. Labels,
macro images and properties are never read. Tissue: saturation above Otsu's threshold, on an overview of a few pixels a patch.
Whatever the slide's size, memory holds the overview and one tile.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import PlannerError
from .grid import Cells

Mask = NDArray[np.bool_]
Overview = NDArray[np.uint8]  # saturation, 0–255
PER_PATCH = 8  # pixels of the overview along a patch's side
MOST_FILES = 50  # of a folder that are tried
TILE = 1024  # pixels of a side that are read at once
PALEST = 13  # saturation (of 255) that no background is above: below, there is no tissue to tell from it
READERS = (("openslide", "OpenSlide"), ("tiffslide", "TiffSlide"))


class Reader(Protocol):
    """What OpenSlide and tiffslide have in common; `location` is in pixels of level 0."""

    @property
    def level_dimensions(self) -> Any: ...  # per level: width, height
    @property
    def level_downsamples(self) -> Any: ...
    def read_region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> Any: ...  # RGBA


@contextmanager
def opened_slide(path: Path) -> Iterator[Reader]:
    """`path`: a file, or a folder that holds one slide, such as a DICOM series."""
    if not path.exists():
        raise PlannerError(f"The slide {path.name} is not there.")
    slide = _opened_folder(path) if path.is_dir() else _opened(path)
    try:
        yield slide
    finally:
        slide.close()


def _opened_folder(folder: Path) -> Any:
    """By the first of its files that a reader takes; label and overview images of a series are none that it does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise PlannerError(f"The folder {folder.name} is empty. Give a slide.")
    refusal = None
    for path in files[:MOST_FILES]:
        try:
            return _opened(path)
        except PlannerError as error:
            refusal = refusal or error
    raise PlannerError(f"The folder {folder.name} holds no slide that can be read. Of its first file: {refusal}")


def _opened(path: Path) -> Any:
    said = []
    for module, name in READERS:
        try:
            reader = getattr(importlib.import_module(module), name)
        except ImportError:
            continue
        try:
            return reader(str(path))
        except Exception as error:  # each reader has its own errors, tiffslide those of tifffile, too
            said.append(f"{module}: {str(error) or type(error).__name__}")
    if not said:
        raise PlannerError("Reading slides needs OpenSlide: pip install voxelhub[planner-slides].")
    text = "; ".join(said).replace(str(path), path.name)
    raise PlannerError(f"{path.name} is damaged or no whole-slide image ({text}). Copy it again from its source.")


def _pixels(slide: Reader, x: int, y: int, level: int, width: int, height: int) -> NDArray[np.uint8]:
    """height × width × 3 from a corner in pixels of the level; what the slide does not cover is white."""
    scale = float(slide.level_downsamples[level])
    try:
        found = np.asarray(slide.read_region((round(x * scale), round(y * scale)), level, (width, height)))
    except Exception as error:
        raise PlannerError(f"The slide cannot be read at ({x}, {y}) of level {level}: it is damaged. Copy it again.") from error
    if found.shape[2] < 4:
        return found
    seen = np.where(found[:, :, 3:] > 0, found[:, :, :3], np.uint8(255))
    return np.ascontiguousarray(seen)


@dataclass(frozen=True)
class Grid:
    """Patches of a slide that show tissue, row by row."""

    cells: Cells  # column and row
    tissue: NDArray[np.float64]  # of each cell, fraction that is tissue
    columns: int
    rows: int
    size: int  # pixels of a side, at `level`
    level: int
    threshold: int  # saturation, 0–255


def patch_grid(
    slide: Reader, size: int = 224, overlap: float = 0.5, level: int = 0, progress: Callable[[float], None] | None = None,
) -> Grid:
    """Cells of `size` × `size` pixels of `level` of which at least the fraction `overlap` is tissue. Whole cells alone."""
    width, height = _dimensions(slide, level)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise PlannerError(f"`size` is a whole number of pixels, at least 1; this is {size!r}.")
    if not 0 < overlap <= 1:
        raise PlannerError(f"`overlap` is a fraction above 0, at most 1; this is {overlap!r}.")
    columns, rows = width // size, height // size
    if not columns or not rows:
        raise PlannerError(f"Level {level} is {width} × {height} pixels: no patch of {size} fits. Choose a smaller one.")
    seen, scale = saturation(slide, size, level, progress)
    threshold = otsu(seen)
    share = _shares(seen > threshold, columns, rows, (size * scale[0], size * scale[1]))
    row, column = np.nonzero(share >= overlap)
    if not len(row):
        raise PlannerError(
            f"No patch is tissue to {overlap:.0%}: the slide is pale or empty there. Lower `overlap`, or look at the slide.")
    return Grid(np.stack([column, row], axis=1).astype(np.int64), share[row, column], columns, rows, size, level, threshold)


def saturation(
    slide: Reader, size: int, level: int, progress: Callable[[float], None] | None = None,
) -> tuple[Overview, tuple[float, float]]:
    """The overview: 255 · (max − min) / max of the colours, each pixel the mean of a block of what was read; and how many of its
    pixels go to one of `level`, across and down."""
    wanted = float(slide.level_downsamples[level]) * max(size / PER_PATCH, 1.0)
    source = max(i for i, scale in enumerate(slide.level_downsamples) if i == 0 or scale <= wanted * 1.001)
    width, height = _dimensions(slide, source)
    block = max(round(wanted / float(slide.level_downsamples[source])), 1)
    seen = np.zeros((-(-height // block), -(-width // block)), np.uint8)
    for row, column, means in reduced(slide, source, block, progress):
        seen[row:row + means.shape[0], column:column + means.shape[1]] = _saturation(means)
    across, down = _dimensions(slide, level)
    return seen, (width / block / across, height / block / down)


def reduced(
    slide: Reader, level: int, block: int, progress: Callable[[float], None] | None = None,
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """The level as means of blocks of `block` pixels' side, tile by tile: row and column of the tile's corner, and its means."""
    width, height = _dimensions(slide, level)
    step = max(TILE // block, 1) * block
    for y in range(0, height, step):
        for x in range(0, width, step):
            pixels = _pixels(slide, x, y, level, min(step, width - x), min(step, height - y))
            yield y // block, x // block, _means(pixels, block)
        if progress:
            progress(min(y + step, height) / height)


def _means(pixels: NDArray[np.uint8], block: int) -> NDArray[np.float32]:
    """Means of blocks; at the far edges, of what there is."""
    starts = [np.arange(0, length, block) for length in pixels.shape[:2]]
    sums = np.add.reduceat(np.add.reduceat(pixels, starts[0], axis=0, dtype=np.uint32), starts[1], axis=1)
    counts = [np.diff(np.append(start, length)) for start, length in zip(starts, pixels.shape[:2], strict=True)]
    found: NDArray[np.float32] = (sums / (counts[0][:, None] * counts[1])[:, :, None]).astype(np.float32)
    return found


def _saturation(colours: NDArray[np.float32]) -> Overview:
    high, low = colours.max(axis=2), colours.min(axis=2)
    found: Overview = np.rint(255 * (high - low) / np.maximum(high, 1)).astype(np.uint8)
    return found


def otsu(seen: Overview) -> int:
    """The threshold of the largest variance between what is above and what is not; at least PALEST, so that paper is no tissue.

    Source: N. Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62–66.
    """
    counts = np.bincount(seen.ravel(), minlength=256).astype(float)
    below = np.cumsum(counts)
    above = below[-1] - below
    moment = np.cumsum(counts * np.arange(256))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (moment / below - (moment[-1] - moment) / above) ** 2
    return max(int(np.nanargmax(np.where(np.isfinite(between), between, -1.0))), PALEST)


def _shares(mask: Mask, columns: int, rows: int, cell: tuple[float, float]) -> NDArray[np.float64]:
    """rows × columns: fraction of each cell that is tissue; `cell`: its width and height in (parts of) pixels of the mask."""
    total = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    total[1:, 1:] = np.cumsum(np.cumsum(mask, axis=0, dtype=np.float64), axis=1)
    down = _between(total, np.arange(rows + 1) * cell[1])
    both = _between(down.T, np.arange(columns + 1) * cell[0]).T
    found: NDArray[np.float64] = np.clip(np.diff(np.diff(both, axis=0), axis=1) / (cell[0] * cell[1]), 0, 1)
    return found


def _between(table: NDArray[np.float64], at: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Rows of a table at fractional places, linearly."""
    low = np.minimum(at.astype(int), len(table) - 2)
    part = (at - low)[:, None]
    found: NDArray[np.float64] = table[low] * (1 - part) + table[low + 1] * part
    return found


class SlidePatches:
    """The grid's patches, read when they are asked for: size × size × 3. Nothing is kept."""

    def __init__(self, slide: Reader, grid: Grid) -> None:
        self._slide, self._grid = slide, grid

    def __len__(self) -> int:
        return len(self._grid.cells)

    def __getitem__(self, index: int, /) -> NDArray[np.uint8]:
        x, y = (int(n) * self._grid.size for n in self._grid.cells[index])
        return _pixels(self._slide, x, y, self._grid.level, self._grid.size, self._grid.size)


def _dimensions(slide: Reader, level: int) -> tuple[int, int]:
    levels = len(slide.level_dimensions)
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level < levels:
        raise PlannerError(f"`level` is a whole number from 0 to {levels - 1} for this slide; this is {level!r}.")
    width, height = slide.level_dimensions[level]
    return int(width), int(height)
