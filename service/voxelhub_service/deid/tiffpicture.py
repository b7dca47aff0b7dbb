"""Plain TIFF pictures: their pixels are decoded page by page and read for text before they go on."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import jpeg
from .outcome import Held
from .pictures import decoded_jpeg
from .reading import ASK, refuse_text, refuse_unread
from .streams import Refused
from .tiff import (
    BITS,
    COMPRESSION,
    MOST_SEGMENTS,
    PLANAR,
    PREDICTOR,
    ROWS,
    SAMPLES,
    STRIP_SIZES,
    STRIPS,
    TABLES,
    TILE_HEIGHT,
    TILE_SIZES,
    TILE_WIDTH,
    TILES,
    Page,
    Tiff,
)  # fmt: skip

if TYPE_CHECKING:
    from .pixels import TextFinder

WHAT = "TIFF picture"
MOST_PAGES, MOST_PIXELS = 64, 100_000_000
Image = npt.NDArray[Any]


def refuse_text_in(tiff: Tiff, finder: TextFinder | None) -> None:
    """Raises Refused."""
    if finder is None:
        refuse_text(np.zeros((1, 1, 1), np.uint8), WHAT, None)
    pages = [each for page in tiff.pages for each in (page, *page.subpages)]
    if len(pages) > MOST_PAGES or sum(page.width * page.height for page in pages) > MOST_PIXELS:
        raise Refused(Held("too_large", "This file holds more pictures than can be read for text.", WHAT, fix=ASK))
    for page in pages:
        refuse_text(_picture(tiff, page), WHAT, finder)


def _picture(tiff: Tiff, page: Page) -> Image:
    """rows x columns x samples."""
    samples, bits = tiff.number(page, SAMPLES, 1), tiff.number(page, BITS, 1)
    if bits not in (8, 16) or samples not in (1, 2, 3, 4) or (samples > 1 and tiff.number(page, PLANAR, 1) != 1):
        raise refuse_unread(WHAT)
    if page.tiled:
        width, height, where, sizes = tiff.number(page, TILE_WIDTH), tiff.number(page, TILE_HEIGHT), TILES, TILE_SIZES
    else:
        width, height, where, sizes = page.width, min(tiff.number(page, ROWS, page.height), page.height), STRIPS, STRIP_SIZES
    if width < 1 or height < 1 or width * height > MOST_PIXELS:
        raise refuse_unread(WHAT)
    across = math.ceil(page.width / width)
    places, counts = tiff.numbers(page, where, MOST_SEGMENTS), tiff.numbers(page, sizes, MOST_SEGMENTS)
    if places.size != counts.size or places.size < across * math.ceil(page.height / height):
        raise refuse_unread(WHAT)
    picture = np.zeros((page.height, page.width, samples), np.uint8 if bits == 8 else np.uint16)
    for number, (place, count) in enumerate(zip(places, counts, strict=True)):
        top, left = number // across * height, number % across * width
        if top >= page.height or not count:
            break
        rows = height if page.tiled else min(height, page.height - top)
        part = _part(tiff, page, tiff.at(int(place), int(count)), (rows, width, samples), bits)
        fitting = picture[top : top + rows, left : left + width]
        fitting[...] = part[: fitting.shape[0], : fitting.shape[1]]
    return picture


def _part(tiff: Tiff, page: Page, data: bytes, shape: tuple[int, int, int], bits: int) -> Image:
    coding, size = tiff.number(page, COMPRESSION, 1), math.prod(shape) * bits // 8
    if coding == 7:
        tables = tiff.at(page.tags[TABLES].where, page.tags[TABLES].size)[:-2] if TABLES in page.tags else b""
        try:
            part = decoded_jpeg(jpeg.stripped(tables + data[2:] if tables else data), WHAT)
        except jpeg.Broken:
            raise refuse_unread(WHAT) from None
        if part.shape[0] > shape[0] or part.shape[1:] != shape[1:]:
            raise refuse_unread(WHAT)
        return part
    try:
        raw = _unpacked(coding, data, size)
    except (zlib.error, jpeg.Broken):
        raise refuse_unread(WHAT) from None
    if len(raw) < size:
        raise refuse_unread(WHAT)
    values: Image = np.frombuffer(raw[:size], np.dtype(f"{tiff.order}u{bits // 8}")).reshape(shape)
    predictor = tiff.number(page, PREDICTOR, 1)
    if predictor == 2 and coding != 1:
        return np.cumsum(values, axis=1, dtype=np.uint8 if bits == 8 else np.uint16)
    if predictor not in (1, 2):
        raise refuse_unread(WHAT)
    return values


def _unpacked(coding: int, data: bytes, size: int) -> bytes:
    if coding == 1:
        return data
    if coding in (8, 32946):
        return zlib.decompressobj().decompress(data, size)
    if coding == 32773:
        return packbits(data, size)
    if coding == 5:
        return lzw(data, size)
    raise refuse_unread(WHAT)


def packbits(data: bytes, size: int) -> bytes:
    """TIFF 6.0, section 9."""
    out, at = bytearray(), 0
    while at < len(data) and len(out) < size:
        count = data[at]
        if count < 128:
            out += data[at + 1 : at + 2 + count]
            at += 2 + count
        elif count > 128:
            out += data[at + 1 : at + 2] * (257 - count)
            at += 2
        else:
            at += 1
    return bytes(out)


def lzw(data: bytes, size: int) -> bytes:
    """TIFF 6.0, section 13: codes of 9 to 12 bits, highest bit first; 256 clears the table, 257 ends."""
    start = [bytes([value]) for value in range(256)] + [b"", b""]
    table, width, last = list(start), 9, b""
    out, written, bits, kept = [], 0, 0, 0
    for byte in data:
        bits, kept = (bits << 8) | byte, kept + 8
        if kept < width:
            continue
        kept -= width
        code, bits = bits >> kept, bits & ((1 << kept) - 1)
        if code == 256:
            table, width, last = list(start), 9, b""
            continue
        if code == 257 or written >= size:
            break
        if code > len(table) or (code == len(table) and not last):
            raise jpeg.Broken("has a code that does not exist")
        word = table[code] if code < len(table) else last + last[:1]
        if last:
            table.append(last + word[:1])
        out.append(word)
        written, last = written + len(word), word
        width = 12 if len(table) >= 2047 else 11 if len(table) >= 1023 else 10 if len(table) >= 511 else 9
    return b"".join(out)
