"""Reads the log of a run in pieces that begin and end between two characters."""

from __future__ import annotations

from pathlib import Path

MAX_CHUNK = 256 * 1024


def read_log(path: Path, offset: int) -> tuple[str, int, bool]:
    """Text from `offset` (bytes), where to go on, and whether that is the present end. No log yet reads as an empty one."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(min(offset, size))
            data = file.read(MAX_CHUNK)
            begin = file.tell() - len(data)
    except FileNotFoundError:
        return "", 0, True
    whole = data[: len(data) - _unfinished(data)] or data
    end = begin + len(whole)
    return whole.decode("utf-8", "replace"), end, end >= size


def _unfinished(data: bytes) -> int:
    """How many bytes at the end begin a UTF-8 character that is not complete."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < needed else 0
        if byte < 0x80:
            return 0
    return 0
