"""What the ways of loading (fetch_http.py, fetch_ftp.py) and the loop around them (fetch.py) tell each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

BLOCK = 1024**2


class Again(Exception):
    """It did not work this time. `reason` completes “<host> …”; `wait` is how many seconds the host asked for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.wait = reason, wait


class Restart(Exception):
    """What is there and what the host has now do not belong together: from the first byte, without asking for a part."""


@dataclass(frozen=True)
class Record:
    """Beside the part file: which bytes of which content are safely on disk."""

    etag: str = ""
    modified: str = ""
    length: int | None = None
    offset: int = 0
    name: str = ""
    sha256: str = ""  # of the whole, once it is complete

    @property
    def resumable(self) -> bool:
        """Only a strong validator ties a part to the rest (RFC 9110, 13.1.5)."""
        return self.offset > 0 and bool(self.validator)

    @property
    def validator(self) -> str:
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    @classmethod
    def of_json(cls, raw: dict[str, Any]) -> Record:
        try:
            return cls(**raw)
        except TypeError:
            return cls()


@dataclass(frozen=True)
class Opened:
    """An answer whose bytes begin at `start`: 0, or the offset that was asked for. `length` is of the whole, None if unsaid.
    """

    start: int
    length: int | None
    etag: str
    modified: str
    name: str
    blocks: Iterator[bytes]


class Source(Protocol):
    def open(self, record: Record) -> AbstractContextManager[Opened]:
        """Raises Again, Restart, Problem, or OSError of a broken connection."""
