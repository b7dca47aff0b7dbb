"""What a party would see: the jigsaw on a slide's own pixels, as a picture of the pieces that it lays together.

A sight is what the owner of some fragments of a slide gets by laying matching borders side by side (`jigsaw`), knowing no place.
Pieces that belong together are drawn without a seam; a joint that the owner takes for right and is not, with a red one. Looked
at is the part of the slide with most tissue, at most 24 × 24 patches: the attack's work grows with the square.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .grid import Cells, Labels
from .jigsaw import Found, Sides, are_right, borders, claims, found_by
from .model import Plan
from .pictures import data_url
from .png import encoded
from .sealing import Patches

Pixels = NDArray[np.uint8]
WINDOW = 24  # patches of the region's side
MOST = 24  # sights of a study
CANVAS = 288  # pixels of a picture's side
PAPER, SEAM = (255, 255, 255), (213, 94, 0)
LEVELS = 8  # colours are kept to multiples of that: half the bytes, no difference to see


def held_sets(plans: Sequence[Plan], domains: Mapping[str, str | None]) -> list[tuple[int, tuple[int, ...]]]:
    """(slide, fragments) that one untrusted domain holds in some plan, those of most plans first. `domains`: by node id."""
    seen: Counter[tuple[int, tuple[int, ...]]] = Counter()
    for plan in plans:
        for w, places in enumerate(plan.assignment):
            held: dict[str, list[int]] = {}
            for fragment, node in enumerate(places):
                party = None if node is None else domains[node]
                if party is not None:
                    held.setdefault(party, []).append(fragment)
            seen.update((w, tuple(fragments)) for fragments in held.values())
    return [one for one, _ in sorted(seen.items(), key=lambda item: (-item[1], item[0]))]


def densest(cells: Cells, side: int = WINDOW) -> NDArray[np.int64]:
    """Indices of the cells in the window of `side` × `side` that holds most of them."""
    low = cells.min(axis=0)
    width, height = (int(n) for n in cells.max(axis=0) - low + 1)
    total = np.zeros((max(height, side) + 1, max(width, side) + 1), np.int64)
    np.add.at(total, (cells[:, 1] - low[1] + 1, cells[:, 0] - low[0] + 1), 1)
    total = total.cumsum(axis=0).cumsum(axis=1)
    within = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    y, x = np.unravel_index(int(within.argmax()), within.shape)
    at = cells - low - (x, y)
    found: NDArray[np.int64] = np.flatnonzero(((at >= 0) & (at < side)).all(axis=1))
    return found


@dataclass(frozen=True)
class Region:
    """The patches of a slide that are looked at: their borders, and each of them in small."""

    cells: Cells
    labels: Labels
    sides: Sides
    small: Pixels  # n × tile × tile × 3


def region_of(
    patches: Patches, cells: Cells, labels: Labels, tile: int = 24, progress: Callable[[float], None] | None = None,
) -> Region:
    """`patches`: one for each cell; only those of the region are read, each once."""
    picked = densest(cells)
    kept = _Small(patches, picked, tile, progress)
    sides = borders(kept)
    return Region(cells[picked], labels[picked], sides, np.stack(kept.small))


class _Small:
    """Patches as they are; each leaves a small picture of itself."""

    def __init__(self, patches: Patches, picked: NDArray[np.int64], tile: int, progress: Callable[[float], None] | None) -> None:
        self.patches, self.picked, self.tile, self.progress = patches, picked, tile, progress
        self.small: list[Pixels] = []

    def __len__(self) -> int:
        return len(self.picked)

    def __getitem__(self, index: int, /) -> Any:
        pixels = np.asarray(self.patches[int(self.picked[index])])
        self.small.append(shrunk(pixels, self.tile))
        if self.progress:
            self.progress((index + 1) / len(self.picked))
        return pixels


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """side × side × 3: means of blocks, the nearest pixels where there are fewer."""
    down, across = ((np.arange(side + 1) * length) // side for length in pixels.shape[:2])
    if min(pixels.shape[:2]) < side:
        found: Pixels = np.ascontiguousarray(pixels[down[:-1]][:, across[:-1], :3])
        return found
    sums = np.add.reduceat(np.add.reduceat(pixels[:, :, :3], down[:-1], axis=0, dtype=np.uint32), across[:-1], axis=1)
    counts = np.diff(down)[:, None] * np.diff(across)
    means: Pixels = (sums / counts[:, :, None]).astype(np.uint8)
    return means


def sight(region: Region, fragments: Sequence[int]) -> tuple[Found, str]:
    """What the owner of these fragments finds, and the picture of it, PNG as a `data:` URL."""
    held = np.flatnonzero(np.isin(region.labels, fragments))
    found = found_by(tuple(map(str, fragments)), held, region.sides, region.cells)
    return found, data_url("png", encoded(_drawn(region, _assembled(region, held), CANVAS)))


Piece = dict[tuple[int, int], int]  # column and row within the piece → patch


def _assembled(region: Region, held: NDArray[np.int64]) -> list[Piece]:
    """Pieces, the largest first. Claims of which four close a square come first, then the likeness of borders decides; one is
    taken as long as no two patches collide."""
    left, right, upper, lower = region.sides
    (across, _), (down, _) = made = claims(held, region.sides)
    squares = _squares(dict(across.tolist()), dict(down.tolist()))
    ordered = sorted(((*step, i) not in squares, float(np.square(one[i] - other[j]).mean()), i, j, step)
                     for (pairs, step), (one, other) in zip(made, ((right, left), (lower, upper)), strict=True)
                     for i, j in pairs.tolist())
    place = {int(i): (0, 0) for i in held}
    piece_of: dict[int, Piece] = {i: {(0, 0): i} for i in place}
    for _, _, i, j, (dx, dy) in ordered:
        one, other = piece_of[i], piece_of[j]
        if one is other:
            continue
        x, y = (place[i][0] + dx - place[j][0], place[i][1] + dy - place[j][1])
        if any((cx + x, cy + y) in one for cx, cy in other):
            continue
        for (cx, cy), patch in other.items():
            one[cx + x, cy + y] = patch
            place[patch], piece_of[patch] = (cx + x, cy + y), one
    pieces = list({id(piece): piece for piece in piece_of.values()}.values())
    return sorted(pieces, key=lambda piece: (-len(piece), min(piece.values())))


def _squares(across: dict[int, int], down: dict[int, int]) -> set[tuple[int, int, int]]:
    """Claims (step, patch it starts from) that three others confirm: right and down is where down and right is."""
    found: set[tuple[int, int, int]] = set()
    for i, j in across.items():
        k = down.get(i)
        if k is not None and j in down and across.get(k) == down[j]:
            found |= {(1, 0, i), (0, 1, i), (0, 1, j), (1, 0, k)}
    return found


def _drawn(region: Region, pieces: Sequence[Piece], side: int) -> Pixels:
    """Pieces on shelves, with a gap between them, on a square canvas of at most `side` pixels."""
    corners, cells_across = _shelved(pieces)
    tile = max(min(side // cells_across, region.small.shape[1]), 2)
    canvas = np.full((cells_across * tile, cells_across * tile, 3), PAPER, np.uint8)
    for piece, (column, row) in zip(pieces, corners, strict=True):
        low = np.array(list(piece)).min(axis=0)
        for (x, y), patch in piece.items():
            top, start = (int(at * tile) + (cell - least) * tile for at, cell, least in ((row, y, low[1]), (column, x, low[0])))
            pixels = shrunk(region.small[patch], tile)
            canvas[top:top + tile, start:start + tile] = np.minimum((pixels // LEVELS) * LEVELS + LEVELS // 2, 255)
            for dx, dy in ((1, 0), (0, 1)):
                beside = piece.get((x + dx, y + dy))
                if beside is not None and not _is_right(region, patch, beside, (dx, dy)):
                    _seam(canvas, top, start, tile, dx)
    return canvas


def _is_right(region: Region, one: int, other: int, step: tuple[int, int]) -> bool:
    return bool(are_right(np.array([[one, other]]), step, region.cells)[0])


def _seam(canvas: Pixels, top: int, start: int, tile: int, dx: int) -> None:
    if dx:
        canvas[top:top + tile, start + tile - 1:start + tile + 1] = SEAM
    else:
        canvas[top + tile - 1:top + tile + 1, start:start + tile] = SEAM


GAP = 0.5  # patches between pieces


def _shelved(pieces: Sequence[Piece]) -> tuple[list[tuple[float, float]], int]:
    """Each piece's corner, in patches, and the side of the smallest square of whole patches that shelves fit."""
    spans = [np.ptp(np.array(list(piece)), axis=0) + 1 + GAP for piece in pieces]
    side = max(int(np.ceil(np.sqrt(sum(span[0] * span[1] for span in spans)))), *(int(np.ceil(span.max())) for span in spans), 1)
    while True:
        corners, x, y, shelf = [], 0.0, 0.0, 0.0
        for span in spans:
            if x + span[0] > side + GAP:
                x, y, shelf = 0.0, y + shelf, 0.0
            corners.append((x, y))
            x, shelf = x + float(span[0]), max(shelf, float(span[1]))
        if y + shelf <= side + GAP:
            return corners, side
        side += 1
