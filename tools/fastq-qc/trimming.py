"""Where reads are cut, and which go: a window slides from the beginning, and the read ends where its mean quality falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from measuring import QUALITIES, Flat

ERROR = 10.0 ** (-np.arange(QUALITIES) / 10)  # the chance that a base of this Phred quality is wrong


@dataclass(frozen=True)
class Rules:
    """`quality` 0 cuts nothing, `errors` 0 lets any number pass."""

    window: int  # bases
    quality: float  # Phred
    shortest: int  # bases
    errors: float  # expected wrong bases of a read


def cut(reads: Flat, rules: Rules) -> np.ndarray:
    """How many bases of each read stay. A read shorter than the window is one window."""
    kept = reads.lengths.copy()
    if rules.quality <= 0 or not reads.phred.size:
        return kept
    total = np.concatenate([[0], np.cumsum(reads.phred, dtype=np.int64)])
    starts, ends = reads.starts, reads.starts + reads.lengths
    short = reads.lengths < rules.window
    mean = (total[ends] - total[starts]) < rules.quality * reads.lengths
    kept[short & mean] = 0
    begins = np.arange(reads.phred.size - rules.window + 1) if reads.phred.size >= rules.window else np.zeros(0, np.int64)
    low = begins[total[begins + rules.window] - total[begins] < rules.quality * rules.window]
    read = np.searchsorted(ends, low, "right")
    inside = low + rules.window <= ends[read]
    found, first = np.unique(read[inside], return_index=True)
    kept[found] = low[inside][first] - starts[found]
    return kept


def good(reads: Flat, kept: np.ndarray, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Which are long enough after the cut, and which of them have few enough expected errors."""
    long = kept >= rules.shortest
    if rules.errors <= 0:
        return long, long
    there = reads.positions() < np.repeat(kept, reads.lengths)
    expected = reads.sums(np.where(there, ERROR[reads.phred], 0.0))
    return long, long & (expected <= rules.errors)
