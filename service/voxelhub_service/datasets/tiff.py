"""The first directory of a TIFF file: what the picture is described as, and its size. TIFF 6.0, section 2, and BigTIFF (2007)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WIDTH, HEIGHT, DESCRIPTION = 256, 257, 270
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 16: 8}  # field type -> bytes of a value, as far as we read them
FORMATS = {1: "B", 3: "H", 4: "I", 16: "Q"}
MOST_TAGS = 500


class NotWhole(Exception):
    """The first directory lies beyond the end of the file."""


@dataclass(frozen=True)
class First:
    description: bytes = b""
    size: tuple[int, int] | None = None  # width, height


def first(file: Path) -> First:
    """Raises NotWhole."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(16).ljust(16, b"\0")
        order = "<" if head[:2] == b"II" else ">"
        big = head[2:4] in (b"+\0", b"\0+")
        (where,) = struct.unpack(f"{order}Q", head[8:16]) if big else struct.unpack(f"{order}I", head[4:8])
        if where + (8 if big else 2) > size:
            raise NotWhole
        stream.seek(where)
        tags = _tags(stream, order, big)
        described = _text(stream, order, big, tags.get(DESCRIPTION))
    width, height = (_number(order, tags.get(tag)) for tag in (WIDTH, HEIGHT))
    return First(described, (width, height) if width is not None and height is not None else None)


Tag = tuple[int, int, bytes]  # field type, count, the value or where it lies


def _tags(stream: IO[bytes], order: str, big: bool) -> dict[int, Tag]:
    count, entry, form = (8, 20, "HHQ") if big else (2, 12, "HHI")
    (number,) = struct.unpack(order + ("Q" if big else "H"), stream.read(count).ljust(count, b"\0"))
    raw = stream.read(entry * min(number, MOST_TAGS))
    at = struct.calcsize(order + form)
    found = {}
    for start in range(0, len(raw) - entry + 1, entry):
        tag, kind, values = struct.unpack(order + form, raw[start : start + at])
        found[tag] = (kind, values, raw[start + at : start + entry])
    return found


def _text(stream: IO[bytes], order: str, big: bool, tag: Tag | None) -> bytes:
    if tag is None:
        return b""
    _, count, value = tag
    if count <= len(value):
        return value[:count]
    stream.seek(struct.unpack(order + ("Q" if big else "I"), value)[0] & 0x7FFFFFFFFFFFFFFF)
    return stream.read(min(count, 200))


def _number(order: str, tag: Tag | None) -> int | None:
    if tag is None or tag[0] not in FORMATS or tag[1] != 1:
        return None
    kind, _, value = tag
    return int(struct.unpack(order + FORMATS[kind], value[: SIZES[kind]])[0]) if SIZES[kind] <= len(value) else None
