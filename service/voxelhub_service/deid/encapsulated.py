"""Compressed pixel data as it stands in the file: comments and application segments of its streams are blanked.

Nothing is decoded and no length changes (PS3.5, A.4; ISO 10918-1, B.1; ISO 15444-1, A)."""

from __future__ import annotations

import struct

_JPEG, _J2K = b"\xff\xd8\xff", b"\xff\x4f\xff\x51"
_KEPT_OF_APP0 = 14  # JFIF's own fields; a thumbnail may follow
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})


def without_comments(value: bytes) -> bytes | None:
    """The same bytes where there was nothing to blank; None where the items cannot be followed."""
    spots: list[tuple[int, int]] = []
    at = 0
    while at + 8 <= len(value):
        group, element, length = struct.unpack_from("<HHI", value, at)
        if (group, element) == (0xFFFE, 0xE0DD):
            break
        if (group, element) != (0xFFFE, 0xE000) or at + 8 + length > len(value):
            return None
        if at or length:
            spots += _spots(value, at + 8, at + 8 + length)
        at += 8 + length
    found = [(start, stop) for start, stop in spots if any(value[start:stop])]
    if not found:
        return value
    clean = bytearray(value)
    for start, stop in found:
        clean[start:stop] = bytes(stop - start)
    return bytes(clean)


def _spots(value: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    if value.startswith(_JPEG, start):
        return _segments(value, start + 2, stop, _blank_of_jpeg, 0xDA) + _after_end(value, start, stop)
    if value.startswith(_J2K, start):
        return _segments(value, start + 2, stop, _blank_of_j2k, 0x90) + _after_end(value, start, stop)
    return []


def _segments(value: bytes, at: int, stop: int, blank: object, last: int) -> list[tuple[int, int]]:
    spots = []
    while at + 4 <= stop and value[at] == 0xFF:
        marker = value[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == last:
            break
        if marker in _NO_LENGTH:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", value, at + 2)
        end = min(at + 2 + length, stop)
        first = blank(marker, at + 4)  # type: ignore[operator]
        if first is not None and first < end:
            spots.append((first, end))
        at += 2 + max(length, 2)
    return spots


def _blank_of_jpeg(marker: int, payload: int) -> int | None:
    """Where to begin blanking: COM and APPn, but for JFIF's and Adobe's own fields and JPEG-LS's."""
    if marker == 0xFE or (0xE1 <= marker <= 0xEF and marker not in {0xE8, 0xEE}):
        return payload
    if marker == 0xE0:
        return payload + _KEPT_OF_APP0
    if marker == 0xEE:
        return payload + 12
    return None


def _blank_of_j2k(marker: int, payload: int) -> int | None:
    return payload + 2 if marker == 0x64 else None  # CME: after its registration value


def _after_end(value: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    end = value.rfind(b"\xff\xd9", start, stop)
    return [(end + 2, stop)] if 0 <= end < stop - 2 else []
