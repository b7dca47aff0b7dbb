"""Small files with a word planted wherever their format has room for one, and what the tests of the cleaners share."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from voxelhub_service.deid.pseudonyms import Key

KEY = Key(bytes(range(32)))
TOKEN = "QZPLANTED7731"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def shared(path: str) -> Path:
    file = SHARED / path
    if not file.exists():
        pytest.skip(f"the shared test inputs are not here: {path}")
    return file


class WhiteFinder:
    """Takes every pure white pixel for a letter: a reader of text whose answer a test knows beforehand."""

    def find(self, image: np.ndarray) -> list[Any]:
        white = image.min(axis=2) == 255 if image.ndim == 3 else image == 255
        return [(0, 0, 1, 1)] if white.any() else []


def jpeg_of(image: np.ndarray, planted: bool = True) -> bytes:
    """A JPEG stream with the word in a comment, an application segment and behind its end."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90)
    data = buffer.getvalue()
    if not planted:
        return data
    word = TOKEN.encode()
    marks = b"".join(b"\xff" + bytes([mark]) + struct.pack(">H", len(word) + 2) + word for mark in (0xFE, 0xE1, 0xE4, 0xED))
    return data[:2] + marks + data[2:] + word


def tissue(rows: int, columns: int, seed: int = 1) -> np.ndarray:
    """A smooth picture without a pure white pixel."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 200, (rows // 16 + 1, columns // 16 + 1, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((columns, rows), Image.Resampling.BILINEAR))


Tag = tuple[int, int, bytes]


def ascii_tag(text: str) -> Tag:
    data = text.encode() + b"\0"
    return 2, len(data), data


def tiff_of(pages: list[tuple[dict[int, Tag], list[bytes]]], order: str = "<", big: bool = False, slack: bytes = b"") -> bytes:
    """`pages`: tags without places and sizes, and the segments; in tiles when tag 322 is there. `slack` stands between."""
    pointer, counter, inline = ("Q", "Q", 8) if big else ("I", "H", 4)
    out = bytearray(b"II" if order == "<" else b"MM")
    out += struct.pack(f"{order}HHHQ", 43, 8, 0, 0) if big else struct.pack(f"{order}HI", 42, 0)
    link = 8 if big else 4

    def put(data: bytes) -> int:
        out.extend(slack + bytes((len(out) + len(slack)) % 2))
        out.extend(data)
        return len(out) - len(data)

    for given, segments in pages:
        tags = dict(given)
        places = [put(segment) for segment in segments]
        where, sizes = (324, 325) if 322 in tags else (273, 279)
        kind = 16 if big else 4
        tags[where] = (kind, len(places), struct.pack(f"{order}{len(places)}{pointer}", *places))
        tags[sizes] = (kind, len(places), struct.pack(f"{order}{len(places)}{pointer}", *map(len, segments)))
        entries = b""
        for code, (tag_kind, count, value) in sorted(tags.items()):
            if len(value) > inline:
                value = struct.pack(order + pointer, put(value))
            entries += struct.pack(f"{order}HH{pointer}", code, tag_kind, count) + value.ljust(inline, b"\0")
        here = put(struct.pack(order + counter, len(tags)) + entries + bytes(inline))
        out[link : link + inline] = struct.pack(order + pointer, here)
        link = len(out) - inline
    return bytes(out + slack)


def page_of(image: np.ndarray, *, tile: int = 0, order: str = "<", more: dict[int, Tag] | None = None, planted: bool = True):  # type: ignore[no-untyped-def]
    """One page in JPEG tiles of `tile` pixels, or in one strip."""
    rows, columns = image.shape[:2]

    def number(value: int) -> Tag:
        return 4, 1, struct.pack(f"{order}I", value)

    def short(*values: int) -> Tag:
        return 3, len(values), struct.pack(f"{order}{len(values)}H", *values)

    tags = {256: number(columns), 257: number(rows), 258: short(8, 8, 8), 259: short(7), 262: short(6), 277: short(3),
            284: short(1), 530: short(2, 2)}  # fmt: skip
    if tile:
        tags |= {322: number(tile), 323: number(tile)}
        padded = np.pad(image, ((0, -rows % tile), (0, -columns % tile), (0, 0)), mode="edge")
        parts = [padded[y : y + tile, x : x + tile] for y in range(0, len(padded), tile) for x in range(0, padded.shape[1], tile)]
    else:
        tags[278], parts = number(rows), [image]
    return tags | (more or {}), [jpeg_of(part, planted) for part in parts]
