"""Files of whole lines, one JSON document each, that only grow; written so that a crash leaves no half line behind for long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

CHUNK = 4096


def append_line(path: Path, line: bytes) -> None:
    """On disk when this returns. What a crash of the machine left of an earlier line is cut off first."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        end = whole(file)
        file.truncate(end)
        file.seek(end)
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())


def last_line(path: Path) -> bytes | None:
    """The last whole line; None where there is none."""
    try:
        with path.open("rb") as file:
            end = whole(file)
            if not end:
                return None
            start = whole(file, end - 1)
            file.seek(start)
            return file.read(end - 1 - start)
    except FileNotFoundError:
        return None


def lines(path: Path, start: int = 0) -> Iterator[tuple[bytes, int]]:
    """Each whole line from a position on, and the position after it."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            for line in file:
                if line.endswith(b"\n"):
                    start += len(line)
                    yield line[:-1], start
    except FileNotFoundError:
        return


def whole_size(path: Path) -> int:
    """The position behind the last whole line."""
    try:
        with path.open("rb") as file:
            return whole(file)
    except FileNotFoundError:
        return 0


def cut_short(path: Path) -> bool:
    """Whether the file ends in the middle of a line."""
    return path.exists() and whole_size(path) != path.stat().st_size


def whole(file: IO[bytes], before: int | None = None) -> int:
    """The position after the last line end before `before` (or the end of the file)."""
    end = file.seek(0, os.SEEK_END) if before is None else before
    while end > 0:
        start = max(0, end - CHUNK)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0
