"""What an import needs to know and no database may: order.json (0600) in the upload's folder, and gone with it.

`names` are the files' own names by their path in the database: for a clinical upload that path is a number.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..datasets import storage

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
    """Atomically, readable by nobody else: the folder lies in one of mode 0700, and so is the file by itself."""
    old = os.umask(0o077)
    try:
        storage.write_json(folder / FILE, asdict(order))
    finally:
        os.umask(old)


def read(folder: Path) -> Order:
    """An upload without one (made before there were orders) has nothing to say."""
    return Order(**storage.read_json(folder / FILE))
