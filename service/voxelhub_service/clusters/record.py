"""What happened to a cluster, numbered, one JSON line each; and its processes' logs, which keep their newest part."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .base import Happened, HappenedKind

MAX_EVENTS = 20_000  # lines, after which only states and warnings are added
AT_ONCE = 500  # that one reading returns
MAX_TEXT = 600
LOG_PART = 512 * 1024  # bytes; a log is at most two such parts


class Record:
    """Written by one supervisor alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0

    def add(self, kind: HappenedKind, text: str, measured: dict[str, Any] | None = None) -> None:
        if self._number >= MAX_EVENTS and kind in ("scale", "worker"):
            return
        self._number += 1
        one = {"number": self._number, "at": now(), "kind": kind, "text": text[:MAX_TEXT], "measured": measured or {}}
        with self._path.open("a") as file:
            file.write(json.dumps(one) + "\n")


def read_record(path: Path, after: int) -> list[Happened]:
    """What was added behind that number; the line that a kill cut off is left out."""
    found: list[Happened] = []
    try:
        with path.open() as file:
            for line in file:
                if not line.endswith("\n"):
                    break
                one = json.loads(line)
                if one["number"] > after:
                    found.append(Happened(**one))
                    if len(found) >= AT_ONCE:
                        break
    except FileNotFoundError:
        pass
    return found


class RollingLog:
    """Appends; beyond LOG_PART the file becomes `<name>.1`, in place of the one before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        if self._file.tell() + len(data) > LOG_PART:
            self._file.close()
            self.path.replace(self.path.with_suffix(".log.1"))
            self._file = self.path.open("ab", buffering=0)
        self._file.write(data)

    def close(self) -> None:
        self._file.close()


def read_log(path: Path, size: int) -> str:
    """The newest `size` bytes as text, from the beginning of a line."""
    data = b""
    for part in (path.with_suffix(".log.1"), path):
        try:
            with part.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - size))
                data += file.read(size)
        except FileNotFoundError:
            continue
    cut = len(data) > size
    text = data[-size:].decode("utf-8", "replace")
    return text.partition("\n")[2] if cut else text


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
