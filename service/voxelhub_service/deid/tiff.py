"""The structure of TIFF 6.0 and BigTIFF (libtiff.gitlab.io/libtiff/specification/bigtiff.html): read with bounds, written anew.

Nothing is decoded here: tiles and strips are bytes with a place. Every number is checked against the file's size.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from .streams import Sink, not_whole, unreadable

WHAT = "TIFF"
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
WHOLE = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}  # kinds of whole numbers
MOST_PAGES, MOST_TAGS, MOST_SEGMENTS, DEEPEST = 4096, 512, 2**24, 2
LARGEST_SEGMENT = 256 * 1024**2
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION, SAMPLES, ROWS, PLANAR = 256, 257, 258, 259, 262, 270, 277, 278, 284
STRIPS, STRIP_SIZES, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES = 273, 279, 322, 323, 324, 325
SUBPAGES, TABLES, PREDICTOR = 330, 347, 317

Numbers = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Tag:
    kind: int
    count: int
    where: int  # first byte of the value in the file

    @property
    def size(self) -> int:
        return SIZES[self.kind] * self.count


@dataclass
class Page:
    tags: dict[int, Tag]
    subpages: list[Page] = field(default_factory=list)
    width: int = 0
    height: int = 0
    subfile: int = 0
    description: str = ""

    @property
    def tiled(self) -> bool:
        return TILES in self.tags


class Tiff:
    """An open file. Use as a context manager; `pages` is the chain of directories."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self._size = path.stat().st_size
        try:
            head = self._stream.read(16)
            self.order = "<" if head[:2] == b"II" else ">"
            self.big = self._number("H", head[2:4]) == 43
            if len(head) < (16 if self.big else 8):
                raise not_whole(WHAT, "The file ends within its header.")
            first = self._number("Q", head[8:16]) if self.big else self._number("I", head[4:8])
            self._seen: set[int] = set()
            self.pages = self._chain(first, 0)
        except BaseException:
            self._stream.close()
            raise
        if not self.pages:
            raise unreadable(WHAT, "The file holds no picture.")

    def __enter__(self) -> Tiff:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()

    def _number(self, kind: str, data: bytes) -> int:
        return int(struct.unpack(self.order + kind, data)[0])

    def at(self, where: int, size: int) -> bytes:
        if where < 0 or size < 0 or where + size > self._size:
            raise not_whole(WHAT, "The file ends before the data its directory promises.")
        self._stream.seek(where)
        return self._stream.read(size)

    def _chain(self, where: int, depth: int) -> list[Page]:
        pages: list[Page] = []
        while where:
            if where in self._seen or len(self._seen) >= MOST_PAGES:
                raise unreadable(WHAT, "The file's directories form a circle or are too many.")
            self._seen.add(where)
            page, where = self._page(where, depth)
            pages.append(page)
        return pages

    def _page(self, where: int, depth: int) -> tuple[Page, int]:
        counter, entry, inline, pointer = ("Q", 20, 8, "Q") if self.big else ("H", 12, 4, "I")
        width = struct.calcsize(f"={counter}")
        count = self._number(counter, self.at(where, width))
        if not 0 < count <= MOST_TAGS:
            raise unreadable(WHAT, "A directory of the file has an impossible number of entries.")
        raw = self.at(where + width, count * entry + inline)
        tags: dict[int, Tag] = {}
        for number in range(count):
            code, kind, values = struct.unpack_from(f"{self.order}HH{pointer}", raw, number * entry)
            if kind not in SIZES:
                continue
            place = where + width + number * entry + (12 if self.big else 8)
            if SIZES[kind] * values > inline:
                place = self._number(pointer, self.at(place, inline))
            tags.setdefault(code, Tag(kind, values, place))
        page = Page(tags)
        page.width, page.height = self.number(page, WIDTH), self.number(page, HEIGHT)
        page.subfile = self.number(page, 254)
        if page.width < 1 or page.height < 1:
            raise unreadable(WHAT, "A picture of the file has no size.")
        page.description = self.text(page, DESCRIPTION)
        if SUBPAGES in tags and depth < DEEPEST:
            page.subpages = [self._page(int(place), depth + 1)[0] for place in self._subpages(page)]
        return page, self._number(pointer, raw[count * entry :])

    def _subpages(self, page: Page) -> list[int]:
        places = [int(place) for place in self.numbers(page, SUBPAGES, 64) if place]
        for place in places:
            if place in self._seen:
                raise unreadable(WHAT, "The file's directories form a circle or are too many.")
            self._seen.add(place)
        return places

    def numbers(self, page: Page, code: int, most: int) -> Numbers:
        """The whole numbers of a tag; none if it is missing."""
        tag = page.tags.get(code)
        if tag is None:
            return np.zeros(0, np.uint64)
        if tag.kind not in WHOLE or tag.count > most:
            raise unreadable(WHAT, "A directory of the file has an entry of the wrong kind.")
        raw = np.frombuffer(self.at(tag.where, tag.size), np.dtype(self.order + WHOLE[tag.kind]))
        return raw.astype(np.uint64)

    def number(self, page: Page, code: int, default: int = 0) -> int:
        found = self.numbers(page, code, 64)
        return int(found[0]) if found.size else default

    def text(self, page: Page, code: int, most: int = 64 * 1024) -> str:
        tag = page.tags.get(code)
        if tag is None or tag.kind not in (2, 7, 1):
            return ""
        return self.at(tag.where, min(tag.size, most)).decode("utf-8", "replace").rstrip("\0")


class Writer:
    """Writes directories and segments one after the other; `finish` must be called."""

    def __init__(self, sink: Sink, order: str, big: bool) -> None:
        self._sink, self._order, self._big = sink, order, big
        self._at = 0
        mark = b"II" if order == "<" else b"MM"
        self._write(mark + (struct.pack(f"{order}HHHQ", 43, 8, 0, 0) if big else struct.pack(f"{order}HI", 42, 0)))
        self._link = 8 if big else 4  # where the place of the next directory is to be written

    def _write(self, data: bytes) -> int:
        """Where it begins: an even place."""
        if self._at % 2:
            self._sink.write(b"\0")
            self._at += 1
        where = self._at
        self._sink.write(data)
        self._at += len(data)
        return where

    def segment(self, data: bytes) -> int:
        return self._write(data)

    def directory(self, tags: dict[int, tuple[int, int, bytes]], linked: bool = True) -> int:
        """`tags`: code -> (kind, count, value in the file's byte order). Its place; with `linked` it joins the chain of pages."""
        inline, pointer, counter = (8, "Q", "Q") if self._big else (4, "I", "H")
        entries = []
        for code, (kind, count, value) in sorted(tags.items()):
            if len(value) > inline:
                value = struct.pack(self._order + pointer, self._write(value))
            entries.append(struct.pack(f"{self._order}HH{pointer}", code, kind, count) + value.ljust(inline, b"\0"))
        head = struct.pack(self._order + counter, len(entries))
        where = self._write(head + b"".join(entries) + bytes(inline))
        if linked:
            self._sink.patch(self._link, struct.pack(self._order + pointer, where))
            self._link = self._at - inline
        return where

    def packed(self, values: Numbers) -> tuple[int, int, bytes]:
        """A tag of places or sizes."""
        kind, dtype = (16, "u8") if self._big else (4, "u4")
        if not self._big and values.size and int(values.max()) >= 2**32:
            raise unreadable(WHAT, "The file is larger than its format allows.")
        return kind, int(values.size), values.astype(np.dtype(self._order + dtype)).tobytes()
