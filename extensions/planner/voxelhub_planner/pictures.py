"""Pictures of a slide for a screen, as `data:` URLs: the whole grid in small. JPEG needs Pillow, which the readers bring."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from .slides import Grid, Reader, reduced

LONGEST = 512  # pixels of a thumbnail's longer side


def data_url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def thumbnail(slide: Reader, grid: Grid, longest: int = LONGEST) -> str:
    """JPEG of exactly the grid's columns × rows patches, its longer side at most `longest` pixels."""
    from PIL import Image

    seen, scale = _overview(slide, grid, longest)
    across, down = (count * grid.size / scale for count in (grid.columns, grid.rows))
    shrink = longest / max(across, down)
    size = max(round(across * shrink), 1), max(round(down * shrink), 1)
    picture = Image.fromarray(seen).resize(size, Image.Resampling.BILINEAR, box=(
        0.0, 0.0, min(across, seen.shape[1]), min(down, seen.shape[0])))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=80)
    return data_url("jpeg", written.getvalue())


def _overview(slide: Reader, grid: Grid, longest: int) -> tuple[NDArray[np.uint8], float]:
    """The slide reduced to between one and two times `longest`, and how many pixels of the grid's level one of its pixels is."""
    here = float(slide.level_downsamples[grid.level])
    wanted = max(grid.columns, grid.rows) * grid.size * here / longest  # pixels of level 0 to one of the thumbnail
    source = max(i for i, scale in enumerate(slide.level_downsamples) if i == 0 or scale <= wanted * 1.001)
    there = float(slide.level_downsamples[source])
    block = max(int(wanted / there), 1)
    width, height = (int(n) for n in slide.level_dimensions[source])
    seen = np.zeros((-(-height // block), -(-width // block), 3), np.uint8)
    for row, column, means in reduced(slide, source, block):
        seen[row:row + means.shape[0], column:column + means.shape[1]] = np.rint(means[:, :, :3])
    return seen, there * block / here
