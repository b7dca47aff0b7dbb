"""A JPEG stream without comments, application data and what follows its end (ITU-T T.81, annex B). The coded picture stays."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

NEXT_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")  # within coded data: no stuffed byte, no restart marker
FRAMES = frozenset([*range(0xC0, 0xD0)]) - {0xC4, 0xC8, 0xCC}
QUANTISATION, HUFFMAN, ARITHMETIC, RESTART, LINES, SCAN, END = 0xDB, 0xC4, 0xCC, 0xDD, 0xDC, 0xDA, 0xD9


class Broken(Exception):
    """No valid JPEG. Its text is the end of a sentence about the picture."""


class Early(Broken):
    """It ends before its end marker."""


def stripped(data: bytes, report_removed: list[int] | None = None) -> bytes:
    """The same stream with only what decoding needs. Removed markers are added to `report_removed`. Raises Broken."""
    if data[:2] != b"\xff\xd8":
        raise Broken("does not begin like a JPEG stream")
    out, at, removed = [b"\xff\xd8"], 2, report_removed if report_removed is not None else []
    while True:
        marker, at = _marker(data, at)
        if marker == END:
            if data[at:].strip(b"\0\xff"):
                removed.append(0)
            return b"".join([*out, b"\xff\xd9"])
        if at + 2 > len(data):
            raise Early("ends too early")
        length = int.from_bytes(data[at : at + 2], "big")
        body = data[at + 2 : at + length]
        if length < 2 or len(body) < length - 2:
            raise Early("ends too early")
        at += length
        kept = _kept(marker, body)
        if kept is None:
            removed.append(marker)
            continue
        out.append(b"\xff" + bytes([marker]) + (len(kept) + 2).to_bytes(2, "big") + kept)
        if marker == SCAN:
            found = NEXT_MARKER.search(data, at)
            if found is None:
                raise Early("ends too early")
            out.append(data[at : found.start()])
            at = found.start()


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """(marker, where what follows it begins)."""
    if at >= len(data):
        raise Early("ends too early")
    if data[at] != 0xFF:
        raise Broken("has something other than a marker where one must be")
    while at < len(data) and data[at] == 0xFF:
        at += 1
    if at >= len(data):
        raise Early("ends too early")
    return data[at], at + 1


def _kept(marker: int, body: bytes) -> bytes | None:
    """What stays of a segment, None for nothing. One that is longer than its own structure is refused: it could hide anything."""
    if marker in FRAMES:
        whole = len(body) >= 6 and len(body) == 6 + 3 * body[5]
    elif marker == QUANTISATION:
        whole = _quantisation(body)
    elif marker == HUFFMAN:
        whole = _huffman(body)
    elif marker == ARITHMETIC:
        whole = len(body) % 2 == 0 and len(body) <= 64
    elif marker in (RESTART, LINES):
        whole = len(body) == 2
    elif marker == SCAN:
        whole = len(body) >= 4 and len(body) == 4 + 2 * body[0]
    elif marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 14:
        return body[:12] + b"\0\0"  # version, density; no thumbnail
    elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        return b"Adobe\0\x64\0\0\0\0" + body[11:12]  # the colour transform
    elif marker == 0xE1 and (orientation := _orientation(body)) is not None:
        return b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">HH", orientation, 0) + b"\0\0\0\0"
    else:
        return None
    if not whole:
        raise Broken("has a segment that contradicts itself")
    return body


def _quantisation(body: bytes) -> bool:
    at = 0
    while at < len(body):
        at += 129 if body[at] >> 4 else 65
    return at == len(body)


def _huffman(body: bytes) -> bool:
    at = 0
    while at + 17 <= len(body):
        at += 17 + sum(body[at + 1 : at + 17])
    return at == len(body)


@dataclass(frozen=True)
class Frame:
    marker: int
    bits: int
    height: int
    width: int
    samples: int


def frame(data: bytes) -> Frame | None:
    """The size of a stripped stream's picture; None when it names none."""
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in FRAMES:
            bits, height, width, samples = struct.unpack_from(">BHHB", data, at + 4)
            return Frame(marker, bits, height, width, samples) if height and width else None
        at += 2 + max(length, 2)
    return None


def _orientation(body: bytes) -> int | None:
    """Exif 2.3, section 4.6: a picture would turn if this one number went. None where it is missing or says upright."""
    if not body.startswith(b"Exif\0\0") or body[6:8] not in (b"II", b"MM"):
        return None
    order, tiff = "<" if body[6:8] == b"II" else ">", body[6:]
    if len(tiff) < 10:
        return None
    (where,) = struct.unpack_from(f"{order}I", tiff, 4)
    if where + 2 > len(tiff):
        return None
    (count,) = struct.unpack_from(f"{order}H", tiff, where)
    for at in range(where + 2, min(where + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind, number, value = struct.unpack_from(f"{order}HHIH", tiff, at)
        if (tag, kind, number) == (274, 3, 1) and 2 <= value <= 8:
            return int(value)
    return None


def without_comments_j2k(data: bytes) -> bytes:
    """A JPEG 2000 code stream (ITU-T T.800, annex A) whose comments are overwritten by zeros; lengths stay. Raises Broken."""
    if data[:4] != b"\xff\x4f\xff\x51":
        raise Broken("does not begin like a JPEG 2000 stream")
    out, at, part_end = bytearray(data), 2, 0
    while at + 4 <= len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at] != 0xFF:
            raise Broken("has something other than a marker where one must be")
        if marker == 0xD9:
            break
        if marker == 0x90:  # a tile part: its length counts from here, 0 means to the end
            size = int.from_bytes(data[at + 6 : at + 10], "big")
            part_end = at + size if size else len(data) - 2
            if not at < part_end <= len(data):
                raise Early("ends too early")
        elif marker == 0x93:  # its coded data
            if part_end <= at:
                raise Broken("has coded data outside of a tile")
            at = part_end
            continue
        elif marker == 0x64:
            out[at + 4 : at + 2 + length] = bytes(max(length - 2, 0))
        at += 2 + max(length, 2)
    end = at + 2 if data[at : at + 2] == b"\xff\xd9" else len(data)
    if len(out) != len(data):
        raise Early("ends too early")
    return bytes(out[:end])
