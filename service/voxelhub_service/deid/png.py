"""PNG (W3C recommendation, third edition): only the chunks that make the picture, and its pixels for the reader of text."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .jpeg import Broken, Early

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 100_000_000
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> samples
# Chunks kept beside IHDR, PLTE, IDAT and IEND, with their greatest size.
KEPT = {b"tRNS": 256, b"gAMA": 4, b"sRGB": 1, b"pHYs": 9, b"cHRM": 32, b"sBIT": 4}
# Row and column each pass begins at, and its steps.
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
BAND = 256  # rows whose filters are undone together
Bytes = npt.NDArray[np.uint8]


class TooLarge(Exception):
    pass


@dataclass
class Png:
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    palette: bytes = b""
    chunks: list[tuple[bytes, bytes]] = field(default_factory=list)  # kept, before the pixels
    packed: bytes = b""  # the zlib stream of the pixels
    removed: list[str] = field(default_factory=list)

    @property
    def samples(self) -> int:
        return CHANNELS[self.colour]

    def written(self) -> bytes:
        head = struct.pack(">IIBBBBB", self.width, self.height, self.depth, self.colour, 0, 0, self.interlaced)
        chunks = [(b"IHDR", head), *self.chunks, (b"IDAT", self.packed), (b"IEND", b"")]
        return SIGNATURE + b"".join(_chunk(name, body) for name, body in chunks)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def parsed(data: bytes) -> Png:
    """Raises Broken, Early, TooLarge."""
    chunks = _chunks(data)
    name, body = next(chunks)
    if name != b"IHDR" or len(body) != 13:
        raise Broken("does not begin with its header")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", body)
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    if depth not in depths.get(colour, ()) or packing or filtering or interlace > 1 or not width or not height:
        raise Broken("has an impossible header")
    if width * height > MOST_PIXELS:
        raise TooLarge
    png = Png(width, height, depth, colour, bool(interlace))
    parts = []
    for name, body in chunks:
        if name == b"IDAT":
            parts.append(body)
        elif name == b"PLTE" and len(body) <= 768 and len(body) % 3 == 0:
            png.palette = body
            png.chunks.append((name, body))
        elif len(body) <= KEPT.get(name, -1) and not parts:
            png.chunks.append((name, body))
        elif name != b"IEND":
            # Its name is four letters of somebody; a private one is not repeated.
            png.removed.append(name.decode("ascii") if name in TEXTS else "chunk")
    png.packed = b"".join(parts)
    return png


TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"tIME", b"eXIf", b"iCCP", b"bKGD", b"hIST", b"sPLT", b"acTL", b"fcTL", b"fdAT")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not data.startswith(SIGNATURE):
        raise Broken("does not begin like a PNG file")
    at, name = 8, b""
    while name != b"IEND":
        if at + 12 > len(data):
            raise Early("ends too early")
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        if at + 12 + size > len(data):
            raise Early("ends too early")
        if int.from_bytes(data[at + 8 + size : at + 12 + size], "big") != zlib.crc32(name + body):
            raise Broken("has a damaged part")
        at += 12 + size
        yield name, body


def pixels(png: Png) -> npt.NDArray[Any]:
    """rows x columns x samples, 8 or 16 bits; palettes resolved. Cuts `png.packed` to its stream. Raises Broken, Early."""
    passes = [(0, 0, 1, 1)] if not png.interlaced else list(ADAM7)
    shapes = [(-(-(png.height - row) // down), -(-(png.width - column) // right)) for row, column, down, right in passes]
    bits = png.depth * png.samples
    sizes = [rows * (1 + -(-columns * bits // 8)) if rows > 0 and columns > 0 else 0 for rows, columns in shapes]
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(png.packed, sum(sizes) + 1)
    except zlib.error:
        raise Broken("has a damaged part") from None
    if len(raw) < sum(sizes):
        raise Early("ends too early")
    if len(raw) > sum(sizes) or not unpacker.eof:
        raise Broken("has more data than its size allows")
    png.packed = png.packed[: len(png.packed) - len(unpacker.unused_data)]
    picture = np.zeros((png.height, png.width, png.samples), np.uint16 if png.depth == 16 else np.uint8)
    at = 0
    for (row, column, down, right), (rows, columns), size in zip(passes, shapes, sizes, strict=True):
        if size:
            lines = _unfiltered(np.frombuffer(raw, np.uint8, size, at).reshape(rows, -1), max(bits // 8, 1))
            picture[row::down, column::right] = _samples(lines, columns, png)
            at += size
    if png.colour == 3:
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(png.palette) // 3] = np.frombuffer(png.palette, np.uint8).reshape(-1, 3)
        return palette[picture[..., 0]]
    return picture


def _samples(lines: Bytes, columns: int, png: Png) -> npt.NDArray[Any]:
    if png.depth == 16:
        return lines.view(">u2").astype(np.uint16).reshape(len(lines), columns, png.samples)
    if png.depth == 8:
        return lines.reshape(len(lines), columns, png.samples)
    bits = np.unpackbits(lines, axis=1)[:, : columns * png.depth].reshape(len(lines), columns, png.depth)
    values = np.packbits(bits, axis=2)[..., 0] >> (8 - png.depth)
    if png.colour == 0:
        values = (values.astype(np.uint16) * 255 // (2**png.depth - 1)).astype(np.uint8)
    return np.asarray(values)[..., None]


def _unfiltered(lines: Bytes, step: int) -> Bytes:
    """`lines`: rows x (1 + bytes of a row); the first byte names the filter (section 9). `step`: bytes of a pixel."""
    filters, coded = lines[:, 0], lines[:, 1:]
    if filters.max() > 4:
        raise Broken("names a filter that does not exist")
    width = -(-coded.shape[1] // step)
    padded = np.zeros((len(coded), width * step), np.uint8)
    padded[:, : coded.shape[1]] = coded
    blocks = padded.reshape(len(coded), width, step)
    above = np.zeros((width, step), np.uint8)
    out = np.empty_like(blocks)
    for start in range(0, len(blocks), BAND):
        band = slice(start, start + BAND)
        undone = _simple if filters[band].max() <= 2 else _diagonals
        out[band] = undone(blocks[band], filters[band], above)
        above = out[band][-1]
    return np.ascontiguousarray(out.reshape(len(coded), -1)[:, : coded.shape[1]])


def _simple(blocks: Bytes, filters: Bytes, above: Bytes) -> Bytes:
    out = np.empty_like(blocks)
    for row, kind in enumerate(filters):
        line = blocks[row]
        out[row] = line if kind == 0 else np.cumsum(line, axis=0, dtype=np.uint8) if kind == 1 else line + above
        above = out[row]
    return out


def _diagonals(blocks: Bytes, filters: Bytes, above: Bytes) -> Bytes:
    """A pixel needs those left of and above it: all pixels with the same row + column are undone at once."""
    rows, columns, step = blocks.shape
    out = np.zeros((rows + 1, columns + 1, step), np.int16)
    out[0, 1:] = above
    coded = blocks.astype(np.int16)
    kinds = filters.astype(np.intp)[:, None]
    for total in range(rows + columns - 1):
        row = np.arange(max(0, total - columns + 1), min(rows, total + 1))
        column = total - row
        left, up, corner = out[row + 1, column], out[row, column + 1], out[row, column]
        kind = kinds[row]
        base = left + up - corner
        to_left, to_up, to_corner = np.abs(base - left), np.abs(base - up), np.abs(base - corner)
        paeth = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
        predicted = np.where(kind == 4, paeth, np.where(kind == 3, (left + up) >> 1, np.where(kind == 2, up, left)))
        predicted = np.where(kind == 0, 0, predicted)
        out[row + 1, column + 1] = (coded[row, column] + predicted) & 255
    return out[1:, 1:].astype(np.uint8)
