"""What the people who bring data in said and the database must not know: uploads/<id>/order.json, mode 0600.

Written before the transaction that makes the upload known; it goes with the upload's folder.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..datasets import storage

NAME = "order.json"


@dataclass(frozen=True)
class Order:
    """`names`: upload_file.path -> the file's own path. `url` and `sha256`: where it is to be fetched, and what is to come."""

    names: dict[str, str] = field(default_factory=dict, repr=False)
    url: str = field(default="", repr=False)
    sha256: str | None = None
    waived: bool = False  # a steward lets its one file in

    def name_of(self, path: str) -> str:
        return self.names.get(path, path)


def number(position: int) -> str:
    """What a file of a clinical upload is called in the database."""
    return f"{position:06d}"


def write(folder: Path, order: Order) -> None:
    """Atomically, and on the disk when it returns."""
    part = folder / f".{NAME}.{os.getpid()}"
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(order), file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / NAME)
    storage.sync_folder(folder)


def read(folder: Path) -> Order:
    """An empty one where there is none."""
    raw: dict[str, Any] = storage.read_json(folder / NAME)
    return Order(**raw)
