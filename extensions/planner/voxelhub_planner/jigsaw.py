"""Could a party put its patches together by their borders? The attack, run on the user's own pixels.

Adversary: the owner of a trust domain, alone or with one other, who follows the rules, looks at the pixels of all patches that
they hold, and lays right borders to left ones and lower to upper ones. A pair is claimed where each border is the other's best
match (mutual best match). Smaller recall is better. A patient adversary with a trained model does better than this one: the
figures are what is *at least* found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import PlannerError
from .grid import FOUR, Cells, as_cells, touching
from .sealing import Patches

Floats = NDArray[np.float32]
Sides = tuple[Floats, Floats, Floats, Floats]  # left, right, upper, lower
MOST = 20_000  # patches; work grows with the square
ROWS = 2048  # of the table of distances that are held at once


@dataclass(frozen=True)
class Found:
    """What one party, or several together, put together."""

    parties: tuple[str, ...]
    patches: int
    claimed: int  # pairs laid side by side
    right: int  # of them, pairs that do touch, on the side that was said
    recall: float  # right ones, of all pairs of the slide that share an edge
    precision: float  # right ones, of those claimed; 0 where none was


@dataclass(frozen=True)
class Jigsaw:
    alone: tuple[Found, ...]  # each party
    worst_pair: Found  # the two parties that find most together; with one party, that one
    everything: Found  # all parties: what an unsplit slide would show


def jigsaw_selftest(
    patches: Patches, cells: ArrayLike, labels: ArrayLike, domains: Sequence[str] | None = None, *, trim: int = 0,
) -> Jigsaw:
    """`patches`: height × width × 3, one for each cell. `domains`: the trust domain of each fragment; None: each its own.

    `trim`: pixels cut off each side first, as `seal` would. Memory: the borders, and a strip of the table of their distances.
    """
    known, fragments = as_cells(cells), np.asarray(labels)
    if fragments.shape != (len(known),) or len(patches) != len(known) or not len(known):
        raise PlannerError("There must be one patch and one fragment number for each cell, and at least one.")
    if len(known) > MOST:
        raise PlannerError(f"The self-test takes up to {MOST} patches; there are {len(known)}. Give a part of the slide.")
    if domains is not None and len(domains) <= int(fragments.max()):
        raise PlannerError(f"`domains` names {len(domains)} fragments; there are {int(fragments.max()) + 1}.")
    party = np.array([str(label) if domains is None else domains[label] for label in fragments.tolist()])
    sides = borders(patches, trim)
    names = sorted(set(party.tolist()), key=lambda name: (len(name), name))
    alone = tuple(_attack((name,), party, sides, known) for name in names)
    pairs = [_attack(two, party, sides, known) for two in combinations(names, 2)]
    worst = max(pairs, key=lambda found: found.recall, default=alone[0])
    return Jigsaw(alone, worst, _attack(tuple(names), party, sides, known))


def borders(patches: Patches, trim: int = 0) -> Sides:
    """Left, right, upper and lower edge of each patch: n × (length · 3)."""
    sides: tuple[list[Any], ...] = ([], [], [], [])
    for index in range(len(patches)):
        pixels = np.asarray(patches[index], np.float32)
        if pixels.ndim != 3 or trim < 0 or min(pixels.shape[:2]) <= 2 * trim:
            raise PlannerError("A patch is height × width × 3, and `trim` leaves something of it.")
        inner = pixels[trim:pixels.shape[0] - trim, trim:pixels.shape[1] - trim]
        for side, edge in zip(sides, (inner[:, 0], inner[:, -1], inner[0], inner[-1]), strict=True):
            side.append(edge.ravel())
    left, right, upper, lower = (np.array(side, np.float32) for side in sides)
    return left, right, upper, lower


def matches(one: Floats, other: Floats) -> NDArray[np.int64]:
    """Pairs (i, j), i ≠ j: row j of `other` is the nearest to row i of `one`, and row i the nearest to row j."""
    count = len(one)
    if count < 2:
        return np.zeros((0, 2), np.int64)
    best = np.zeros(count, np.int64)
    back, back_at = np.full(count, np.inf), np.zeros(count, np.int64)
    squares = (other.astype(np.float64) ** 2).sum(axis=1)
    for start in range(0, count, ROWS):
        rows = one[start:start + ROWS]
        table = squares - 2.0 * (rows @ other.T) + (rows.astype(np.float64) ** 2).sum(axis=1)[:, None]
        table[np.arange(len(rows)), start + np.arange(len(rows))] = np.inf
        best[start:start + len(rows)] = table.argmin(axis=1)
        nearest = table.argmin(axis=0)
        closer = table[nearest, np.arange(count)] < back
        back_at[closer], back[closer] = start + nearest[closer], table[nearest, np.arange(count)][closer]
    mutual = np.flatnonzero(back_at[best] == np.arange(count))
    return np.stack([mutual, best[mutual]], axis=1)


def _attack(parties: tuple[str, ...], party: NDArray[Any], sides: Sides, cells: Cells) -> Found:
    return found_by(parties, np.flatnonzero(np.isin(party, parties)), sides, cells)


def claims(held: NDArray[np.int64], sides: Sides) -> list[tuple[NDArray[np.int64], tuple[int, int]]]:
    """What who holds these patches lays side by side: pairs of patches, and the step from the first to the second."""
    left, right, upper, lower = (side[held] for side in sides)
    return [(held[matches(right, left)], FOUR[0]), (held[matches(lower, upper)], FOUR[1])]


def are_right(pairs: NDArray[np.int64], step: tuple[int, int], cells: Cells) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (cells[pairs[:, 1]] - cells[pairs[:, 0]] == step).all(axis=1)
    return found


def found_by(parties: tuple[str, ...], held: NDArray[np.int64], sides: Sides, cells: Cells) -> Found:
    made = claims(held, sides)
    claimed = sum(len(pairs) for pairs, _ in made)
    true = sum(int(are_right(pairs, step, cells).sum()) for pairs, step in made)
    everything = sum(len(one) for one, _ in touching(cells, FOUR))
    return Found(parties, len(held), claimed, true, true / everything if everything else 0.0, true / claimed if claimed else 0.0)
