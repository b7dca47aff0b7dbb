"""What a party that follows the rules but looks learns from the grid alone: which patches of one slide it can lay side by side.

Adversary: the owner of a trust domain, alone (L1, L2) or with one other (L3), who knows the split's algorithm and sees its own
patches. Smaller is better for every figure. Pixels are another matter: see `jigsaw` in docs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .errors import PlannerError
from .grid import EIGHT, FOUR, as_cells, touching


@dataclass(frozen=True)
class Leakage:
    """Fractions of 1; each smaller is better."""

    colocated4: float  # L2: pairs that share an edge and are seen by one party
    colocated8: float  # L2: pairs that share an edge or a corner and are seen by one party
    worst_pair: float  # L3: touching pairs (8) that the worst two parties see together
    mean_pair: float  # the same, over all two parties
    largest_share: float  # L1: of all patches, what one party holds


def leakage(cells: ArrayLike, labels: ArrayLike, domains: Sequence[str] | None = None) -> Leakage:
    """`labels`: fragment of each cell. `domains`: the trust domain of each fragment; None: each is a party of its own."""
    known, fragments = as_cells(cells), np.asarray(labels)
    numbers = np.issubdtype(fragments.dtype, np.integer)
    if fragments.shape != (len(known),) or not numbers or (len(fragments) and fragments.min() < 0):
        raise PlannerError("`labels` must hold one fragment number, 0 or more, for each cell.")
    if not len(known):
        raise PlannerError("There is no cell to measure.")
    party = _parties(fragments, domains)
    parties = int(party.max()) + 1
    seen4 = _seen(touching(known, FOUR), party, parties)
    seen8 = _seen(touching(known, EIGHT), party, parties)
    pairs = _pairs(seen8)
    return Leakage(
        _fraction(np.trace(seen4), seen4.sum()), _fraction(np.trace(seen8), seen8.sum()), float(pairs.max()), float(pairs.mean()),
        float(np.bincount(party).max() / len(known)),
    )


def _parties(fragments: np.ndarray, domains: Sequence[str] | None) -> np.ndarray:
    if domains is None:
        return np.unique(fragments, return_inverse=True)[1]
    if len(domains) <= fragments.max():
        raise PlannerError(f"`domains` names {len(domains)} fragments; there are {fragments.max() + 1}.")
    numbers = {name: number for number, name in enumerate(dict.fromkeys(domains))}
    return np.unique(np.array([numbers[name] for name in domains])[fragments], return_inverse=True)[1]


def _seen(pairs: list[tuple[np.ndarray, np.ndarray]], party: np.ndarray, parties: int) -> np.ndarray:
    """parties × parties, upper triangle: touching pairs by the parties at their two ends."""
    total = np.zeros((parties, parties), np.int64)
    for one, other in pairs:
        low, high = np.minimum(party[one], party[other]), np.maximum(party[one], party[other])
        total += np.bincount(low * parties + high, minlength=parties**2).reshape(parties, parties)
    return total


def _pairs(seen: np.ndarray) -> np.ndarray:
    """Of all touching pairs, what each two parties see together: within the one, within the other, and between."""
    if len(seen) == 1:
        return np.ones(1)
    one, other = np.triu_indices(len(seen), 1)
    within = np.diag(seen)
    shares: np.ndarray = (within[one] + within[other] + seen[one, other]) / max(int(seen.sum()), 1)
    return shares


def _fraction(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
