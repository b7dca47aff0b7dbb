"""What reads are like: counts by position, by read and by length. All arrays are of fixed size, whatever the file's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from reading import Batch

QUALITIES = 94  # "!" to "~"
SINGLE, GROUPS, FURTHEST = 500, 100, 2**28  # positions counted one by one, then in groups that grow to the furthest
EDGES = np.unique(np.concatenate([np.arange(SINGLE), np.geomspace(SINGLE, FURTHEST, GROUPS).astype(np.int64)]))
BASES = b"ACGTN"
CODES = np.full(256, len(BASES) - 1, np.uint8)  # anything else counts as N
for code, (upper, lower) in enumerate(zip(BASES, BASES.lower(), strict=True)):
    CODES[upper] = CODES[lower] = code
CODES[ord("U")] = CODES[ord("u")] = BASES.index(b"T")
ADAPTERS = {"Illumina universal": b"AGATCGGAAGAGC", "Nextera": b"CTGTCTCTTATACACATCT", "Small RNA": b"TGGAATTCTCGG"}


@dataclass
class Flat:
    """A batch as arrays: letters as codes and Phred qualities one after the other, and where each read lies."""

    codes: np.ndarray
    phred: np.ndarray
    lengths: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.lengths)[:-1]]) if len(self.lengths) else np.zeros(0, np.int64)

    def positions(self) -> np.ndarray:
        """Of each base in its read, from 0."""
        return np.arange(self.phred.size) - np.repeat(self.starts, self.lengths)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Of each read."""
        total = np.concatenate([[0], np.cumsum(values)])
        return total[self.starts + self.lengths] - total[self.starts]

    def shortened(self, kept: np.ndarray, chosen: np.ndarray) -> Flat:
        """The first `kept` bases of the reads that are chosen."""
        lengths = np.where(chosen, kept, 0)
        there = self.positions() < np.repeat(lengths, self.lengths)
        return Flat(self.codes[there], self.phred[there], lengths[chosen])


def flat(batch: Batch, table: np.ndarray) -> Flat:
    """`table` turns a quality's byte into Phred."""
    letters = np.frombuffer(b"".join(batch.letters), np.uint8)
    qualities = np.frombuffer(b"".join(batch.qualities), np.uint8)
    return Flat(CODES[letters], table[qualities], np.fromiter(map(len, batch.letters), np.int64, len(batch)))


@dataclass
class Measures:
    """Sums over all reads seen so far."""

    reads: int = 0
    bases: int = 0
    by_position: np.ndarray = field(default_factory=lambda: np.zeros((len(EDGES), QUALITIES), np.int64))
    letters: np.ndarray = field(default_factory=lambda: np.zeros((len(EDGES), len(BASES)), np.int64))
    mean_quality: np.ndarray = field(default_factory=lambda: np.zeros(QUALITIES, np.int64))
    gc: np.ndarray = field(default_factory=lambda: np.zeros(101, np.int64))
    lengths: Counter[int] = field(default_factory=Counter)
    adapters: Counter[str] = field(default_factory=Counter)

    def add(self, reads: Flat) -> None:
        self.reads += len(reads.lengths)
        self.bases += int(reads.phred.size)
        self.lengths.update(dict(zip(*map(np.ndarray.tolist, np.unique(reads.lengths, return_counts=True)), strict=True)))
        if not reads.phred.size:
            return
        position = np.searchsorted(EDGES, reads.positions(), "right") - 1
        self.by_position += _table(position, reads.phred, QUALITIES)
        self.letters += _table(position, reads.codes, len(BASES))
        some = reads.lengths > 0
        means = reads.sums(reads.phred.astype(np.int64))[some] / reads.lengths[some]
        self.mean_quality += np.bincount(np.rint(means).astype(np.int64), minlength=QUALITIES)
        strong, known = (reads.sums(np.isin(reads.codes, of).astype(np.int64))[some] for of in ((1, 2), (0, 1, 2, 3)))
        share = np.rint(100 * strong[known > 0] / known[known > 0]).astype(np.int64)
        self.gc += np.bincount(share, minlength=101)

    def look_for_adapters(self, letters: list[bytes]) -> None:
        for name, sequence in ADAPTERS.items():
            self.adapters[name] += sum(sequence in one for one in letters)

    def numbers(self) -> dict[str, Any]:
        """What a table or another program wants to know."""
        quality, letters = self.by_position.sum(0), self.letters.sum(0)
        called = int(letters[:4].sum())
        return {
            "reads": self.reads, "bases": self.bases,
            "mean_length": self.bases / self.reads if self.reads else 0.0,
            "shortest": min(self.lengths, default=0), "longest": max(self.lengths, default=0),
            "mean_quality": float(quality @ np.arange(QUALITIES) / self.bases) if self.bases else 0.0,
            "q20_share": float(quality[20:].sum() / self.bases) if self.bases else 0.0,
            "q30_share": float(quality[30:].sum() / self.bases) if self.bases else 0.0,
            "gc_share": float(letters[1:3].sum() / called) if called else 0.0,
            "n_bases": int(letters[4]),
        }

    def distributions(self) -> dict[str, Any]:
        there = np.flatnonzero(self.by_position.sum(1))
        return {
            "positions": (EDGES[there] + 1).tolist(), "quality_by_position": quantiles(self.by_position[there]).tolist(),
            "letters": BASES.decode(), "letters_by_position": self.letters[there].tolist(),
            "reads_by_mean_quality": self.mean_quality.tolist(), "reads_by_gc_percent": self.gc.tolist(),
            "reads_by_length": dict(sorted(self.lengths.items())),
        }


def quantiles(counts: np.ndarray) -> np.ndarray:
    """10, 25, 50, 75 and 90 per cent of each row's qualities: shape (rows, 5)."""
    total = np.cumsum(counts, 1)
    wanted = np.ceil(total[:, -1:] * np.array([0.1, 0.25, 0.5, 0.75, 0.9])).clip(1)
    return (total[:, :, None] < wanted[:, None, :]).sum(1)


def _table(rows: np.ndarray, columns: np.ndarray, width: int) -> np.ndarray:
    return np.bincount(rows * width + columns, minlength=len(EDGES) * width).reshape(len(EDGES), width)
