"""A small whole-slide image of nobody: pink discs with grain on paper, as Aperio writes slides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

DESCRIPTION = "Aperio Image Library v12.0.0\r\n{0}x{1} (256x256) JPEG/RGB Q=70|AppMag = 20|MPP = 0.4990"


def write_slide(path: Path, columns: int = 14, rows: int = 10, patch: int = 224) -> Path:
    """`columns` by `rows` patches of `patch` pixels, about half of them tissue; two levels, in tiles."""
    y, x = np.mgrid[0 : rows * patch, 0 : columns * patch].astype(np.float32)
    across, down = x / (columns * patch) - 0.5, y / (rows * patch) - 0.5
    bend = 0.06 * np.sin(9 * across + 4 * down)
    tissue = (across**2 / 0.16 + (down + bend) ** 2 / 0.13 < 1) & ((across + 0.12) ** 2 + (down - 0.05) ** 2 > 0.006)
    grain = np.random.default_rng(0).integers(0, 8, tissue.shape, dtype=np.uint8)
    waves = (18 * np.sin(x / 37) * np.cos(y / 29)).astype(np.int16)
    picture = np.full((*tissue.shape, 3), 238, np.uint8) - (grain // 3)[..., None]
    stained = np.stack([190 + waves - grain, 95 + waves, 150 + waves // 2 + grain], axis=-1).clip(0, 255).astype(np.uint8)
    picture[tissue] = stained[tissue]
    with tifffile.TiffWriter(path) as writer:
        for scale in (1, 4):
            level = np.ascontiguousarray(picture[::scale, ::scale])
            writer.write(level, tile=(256, 256), compression="zlib", photometric="rgb", metadata=None, subfiletype=0,
                         description=DESCRIPTION.format(level.shape[1], level.shape[0]))
    return path
