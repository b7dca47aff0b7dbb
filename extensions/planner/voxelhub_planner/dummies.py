"""Patches that only fill up: so that a fragment's count does not tell how much of the slide it holds.

A dummy is a patch of the same fragment, turned or mirrored, under a name like any other; it shows its owner nothing new. It hides
a count from logs, listings and whoever does not look: an owner who compares pixels finds the patches that come twice. It costs
what any patch costs: transfer, time and money for each.
"""

from __future__ import annotations

import hmac
import random
import secrets
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import PlannerError
from .manifest import Manifest
from .opaque import NAME_BYTES, subkey

EQUAL = 0  # each fragment gets as many patches as the largest has


@dataclass(frozen=True)
class Dummy:
    label: int
    name: str
    source: int  # the patch that it repeats
    turn: int  # how: see `turned`


def dummies_for(table: Manifest, key: bytes, per_fragment: int, names: str, square: bool) -> list[Dummy]:
    """`per_fragment`: patches that each fragment shall have, or EQUAL. Fragments without a patch stay away, as they always do."""
    counts = np.bincount(table.labels, minlength=len(table.fragments))
    largest = int(counts.max())
    if isinstance(per_fragment, bool) or not isinstance(per_fragment, int) or per_fragment < 0:
        raise PlannerError(f"Dummies fill up to a whole number of patches; this is {per_fragment!r}.")
    if per_fragment and per_fragment < largest:
        raise PlannerError(f"The largest fragment has {largest} patches already: dummies cannot fill up to {per_fragment}.")
    own = subkey(key, "dummies")
    chance = random.Random(own + table.slide_id.encode())
    found = []
    for label in np.flatnonzero(counts).tolist():
        sources = np.flatnonzero(table.labels == label).tolist()
        for number in range((per_fragment or largest) - int(counts[label])):
            name = secrets.token_hex(NAME_BYTES)
            if names == "hmac":
                name = hmac.digest(own, f"{table.fragments[label]} {number}".encode(), "sha256")[:NAME_BYTES].hex()
            turn = chance.choice((1, 2, 3, 4, 5, 6, 7) if square else (2, 4, 6))
            found.append(Dummy(label, name, chance.choice(sources), turn))
    return found


def turned(pixels: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """By `turn` mod 4 quarters, mirrored first from 4 on; a patch that is not square keeps its shape under 2, 4 and 6."""
    first = pixels[:, ::-1] if turn >= 4 else pixels
    return np.ascontiguousarray(np.rot90(first, turn % 4))
