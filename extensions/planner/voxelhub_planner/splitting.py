"""Splits: which fragment each patch of a slide belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .colouring import coloured
from .errors import PlannerError
from .grid import Labels, as_cells
from .quota import quota_split, quotas

# (x + q·y) mod C separates all eight neighbours when none of 1, q, q + 1, q − 1 is 0 mod C; these q leave the worst pair of
# classes the fewest touching pairs.
LATTICES = {"lattice4": (4, 2), "lattice5": (5, 2), "lattice8": (8, 3), "lattice10": (10, 3), "lattice13": (13, 5)}
STRATEGIES = (*LATTICES, "rs4", "rs8", "even", "quota")


def split(
    cells: ArrayLike, strategy: str = "lattice5", *, shares: Sequence[float] | None = None, classes: int = 5, seed: int = 0,
) -> Labels:
    """The fragment of each cell, from 0. The same seed gives the same split.

    lattice*: neighbours never share a fragment, sizes within 1 %. rs4, rs8: greedy colouring in random order over 4 or 8
    neighbours (the paper's). even: `classes` fragments of equal size at random, neighbours as they fall (the paper's baseline).
    quota: fragments of the prescribed `shares` (`codesign` gives them), patches that share an edge never in one.
    """
    known = as_cells(cells)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise PlannerError(f"`seed` is a whole number, 0 or more; this is {seed!r}.")
    random = np.random.default_rng(seed)
    if (shares is None) == (strategy == "quota"):
        raise PlannerError("`shares` belong to the strategy 'quota', which needs them.")
    if strategy == "quota" and shares is not None:
        return quota_split(known, quotas(len(known), shares), random)
    if strategy in LATTICES:
        period, q = LATTICES[strategy]
        offset = int(random.integers(period))
        return ((known[:, 0] + q * known[:, 1] + offset) % period).astype(np.int32)
    if strategy in ("rs4", "rs8"):
        return coloured(known, random.permutation(len(known)), int(strategy[2]))
    if strategy == "even":
        if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
            raise PlannerError(f"`classes` is a whole number, at least 1; this is {classes!r}.")
        return random.permutation(np.arange(len(known), dtype=np.int32) % classes).astype(np.int32)
    raise PlannerError(f"There is no strategy {strategy!r}; there are {', '.join(STRATEGIES)}.")
