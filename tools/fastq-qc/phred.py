"""How qualities are written: Sanger (Illumina since 1.8), Illumina 1.3 to 1.7, and Solexa; told apart by their characters."""

from __future__ import annotations

import numpy as np
from reading import BadInput, Batch

TITLES = {"sanger": "Sanger, Phred+33", "illumina": "Illumina 1.3 to 1.7, Phred+64", "solexa": "Solexa, odds+64"}
NONE = 255  # in a table: this byte is no quality of the encoding
SANGER_TOP = 74  # "J", the highest that Sanger files of Illumina's machines commonly hold; other encodings go far above it


def _tables() -> dict[str, np.ndarray]:
    found = {name: np.full(256, NONE, np.uint8) for name in TITLES}
    found["sanger"][33:127] = np.arange(94)
    found["illumina"][64:127] = np.arange(63)
    odds = np.arange(-5, 63)
    found["solexa"][59:127] = np.rint(10 * np.log10(10.0 ** (odds / 10) + 1)).astype(np.uint8)
    return found


TABLES = _tables()  # a quality's byte -> Phred


def detect(batch: Batch) -> str:
    """From the first records. What could be either counts as Sanger, as nearly all files are today."""
    used = np.frombuffer(b"".join(batch.qualities), np.uint8)
    if not used.size or used.min() < 59 or used.max() <= SANGER_TOP:
        return "sanger"
    return "solexa" if used.min() < 64 else "illumina"


def check(batch: Batch, encoding: str, title: str) -> None:
    """Raises BadInput that names the first record whose qualities the encoding does not know."""
    table = TABLES[encoding]
    if encoding == "sanger" or (table[np.frombuffer(b"".join(batch.qualities), np.uint8)] != NONE).all():
        return
    for number, qualities in enumerate(batch.qualities, batch.first):
        if (table[np.frombuffer(qualities, np.uint8)] == NONE).any():
            raise BadInput(f"Record {number} of “{title}” has a quality that {TITLES[encoding]} does not know. "
                           "Choose the encoding of the qualities by hand.")
