"""What an import needs to know and no database may: order.json (0600) in the upload's folder, and gone with it.

`names` are the files' own names by their path in the database: for a clinical upload that path is a number.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import storage

FILE = "order.json"


@dataclass(frozen=True)
class Order:
    names: dict[str, str] = field(default_factory=dict)
    url: str = ""
    sha256: str | None = None  # of the file at `url`, where the caller knows it
    waived: bool = False  # a steward let these files in despite the reason for which they were held


def number(position: int) -> str:
    """The path of a clinical upload's file in the database: 17 -> 000017."""
    return f"{position:06d}"


def write(folder: Path, order: Order) -> None:
    """Whole or not at all, and readable by nobody else from its first moment."""
    part = folder / f"{FILE}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(order), file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / FILE)


def read(folder: Path) -> Order:
    """An upload without one (made before there were orders) has nothing to say."""
    return Order(**storage.read_json(folder / FILE))
