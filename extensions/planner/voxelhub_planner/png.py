"""Pixels as PNG with nothing else in the file: header, data, end. No date, text, profile, resolution or Exif can be in it.

Source: PNG specification, third edition (W3C), sections 5 and 9.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import PlannerError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = {1: 0, 3: 2}  # channels → colour type of the specification
UP = 2


def encoded(pixels: NDArray[Any]) -> bytes:
    """`pixels`: height × width × 3, or height × width; 8 bits each. The same pixels give the same bytes."""
    found = np.asarray(pixels)
    flat = found[:, :, None] if found.ndim == 2 else found
    if found.dtype != np.uint8 or flat.ndim != 3 or flat.shape[2] not in COLOURS or not flat.size:
        raise PlannerError(f"A patch is height × width × 3 of 8 bits; this is {found.shape} of {found.dtype}.")
    height, width, channels = flat.shape
    rows = np.ascontiguousarray(flat).reshape(height, width * channels)
    above = np.vstack([np.zeros((1, rows.shape[1]), np.uint8), rows[:-1]])
    filtered = np.hstack([np.full((height, 1), UP, np.uint8), rows - above])
    header = struct.pack(">IIBBBBB", width, height, 8, COLOURS[channels], 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)) + _chunk(b"IEND", b"")


def decoded(content: bytes) -> NDArray[np.uint8]:
    """What `encoded` made; PlannerError for anything else."""
    try:
        return _decoded(content)
    except (ValueError, struct.error, zlib.error, IndexError) as error:
        raise PlannerError("is not one of the images that were sealed") from error


def _decoded(content: bytes) -> NDArray[np.uint8]:
    chunks = _chunks(content)
    if [kind for kind, _ in chunks] != [b"IHDR", b"IDAT", b"IEND"]:
        raise ValueError("other chunks")
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    channels = {kind: count for count, kind in COLOURS.items()}.get(colour, 0)
    if depth != 8 or not channels or any(rest):
        raise ValueError("another kind of image")
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(chunks[1][1], height * (width * channels + 1) + 1)
    rows = np.frombuffer(raw, np.uint8).reshape(height, width * channels + 1)
    if (rows[:, 0] != UP).any():
        raise ValueError("another filter")
    pixels = np.add.accumulate(rows[:, 1:], axis=0, dtype=np.uint8)
    return pixels.reshape((height, width, channels) if channels > 1 else (height, width))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    if not content.startswith(SIGNATURE):
        raise ValueError("no PNG")
    found, at = [], len(SIGNATURE)
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, data = content[at + 4:at + 8], content[at + 8:at + 8 + length]
        if content[at:at + 12 + length] != _chunk(kind, data):
            raise ValueError("damaged")
        found.append((kind, data))
        at += 12 + length
    return found
