"""What the parties of a plan see of one slide, from the counts of touching patches that the slide carries.

`parties`: for each fragment the trust domain that sees it, None for a fragment nobody untrusted sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from .errors import PlannerError
from .grid import EIGHT, FOUR, as_cells, touching
from .leakage import Leakage
from .model import Counts, Slide

Parties = Sequence[str | None]


def slide_of(slide_id: str, cells: ArrayLike, labels: ArrayLike, regions: tuple[str, ...] = ()) -> Slide:
    """A slide from its patches' places and fragments, with the counts that limits on what parties see together need."""
    known, fragments = as_cells(cells), np.asarray(labels)
    numbers = np.issubdtype(fragments.dtype, np.integer)
    if fragments.shape != (len(known),) or not numbers or (len(fragments) and fragments.min() < 0):
        raise PlannerError("`labels` must hold one fragment number, 0 or more, for each cell.")
    if not len(known):
        raise PlannerError(f"Slide {slide_id} is empty: no fragment has a patch.")
    sizes = np.bincount(fragments)
    return Slide(slide_id, tuple(sizes.tolist()), _counts(touching(known, FOUR), fragments, len(sizes)),
                 _counts(touching(known, EIGHT), fragments, len(sizes)), regions)


def _counts(pairs: list[tuple[np.ndarray, np.ndarray]], fragments: np.ndarray, side: int) -> Counts:
    total = np.zeros(side * side, np.int64)
    for one, other in pairs:
        low, high = np.minimum(fragments[one], fragments[other]), np.maximum(fragments[one], fragments[other])
        total += np.bincount(low.astype(np.int64) * side + high, minlength=side * side)
    return tuple(tuple(row) for row in total.reshape(side, side).tolist())


def largest_share(slide: Slide, parties: Parties) -> Fraction:
    """Of the slide's patches, what one party holds."""
    held: dict[str, int] = {}
    for size, party in zip(slide.fragments, parties, strict=True):
        if party is not None:
            held[party] = held.get(party, 0) + size
    return Fraction(max(held.values(), default=0), sum(slide.fragments))


def worst_pair(slide: Slide, parties: Parties) -> Fraction:
    """Of the touching pairs (8), what the two parties that see most see together; a lone party by itself."""
    if not slide.touching8:
        raise PlannerError(f"Slide {slide.id} does not say which patches touch. Make it with `slide_of(id, cells, labels)`.")
    together, everything = _together(slide.touching8, parties)
    return Fraction(max(together, default=0), everything)


def _together(counts: Counts, parties: Parties) -> tuple[list[int], int]:
    """Touching pairs that each two parties see together, and all of them."""
    seen, everything = _seen(counts, parties)
    names = sorted({party for party in parties if party is not None})
    if len(names) == 1:
        return [seen.get((names[0], names[0]), 0)], everything
    return [seen.get((one, one), 0) + seen.get((other, other), 0) + seen.get((one, other), 0)
            for one, other in combinations(names, 2)], everything


def _seen(counts: Counts, parties: Parties) -> tuple[dict[tuple[str, str], int], int]:
    """Touching pairs by the parties at their ends, and all of them (1 where there is none)."""
    seen: dict[tuple[str, str], int] = {}
    everything = 0
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            everything += count
            one, other = parties[i], parties[j]
            if count and one is not None and other is not None:
                key = (min(one, other), max(one, other))
                seen[key] = seen.get(key, 0) + count
    return seen, max(everything, 1)


def view(slide: Slide, parties: Parties) -> Leakage:
    seen4, all4 = _seen(slide.touching4, parties)
    seen8, all8 = _seen(slide.touching8, parties)
    pairs, _ = _together(slide.touching8, parties)
    return Leakage(
        sum(n for (one, other), n in seen4.items() if one == other) / all4,
        sum(n for (one, other), n in seen8.items() if one == other) / all8,
        max(pairs, default=0) / all8, sum(pairs) / all8 / len(pairs) if pairs else 0.0,
        float(largest_share(slide, parties)),
    )


def worst_view(views: Sequence[Leakage]) -> Leakage | None:
    """Figure by figure, of the slide that fares worst."""
    if not views:
        return None
    names = ("colocated4", "colocated8", "worst_pair", "mean_pair", "largest_share")
    return Leakage(*(max(getattr(one, name) for one in views) for name in names))
