"""SVS, TIFF and BigTIFF, written anew with only what decoding the tissue needs.

A label or macro picture is told by its description, by its NewSubfileType, by being in strips where the slide is in tiles, and by
a shape that is not the slide's: scanners exist that write neither word. Of Aperio's description only sizes, magnification and
microns per pixel stay; every other text, private tag, profile and comment goes. Tissue is taken to show no text.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import jpeg, tiffpicture
from .descriptions import aperio, ome
from .naming import neutral_name
from .outcome import Held, Outcome, Released, Report
from .streams import Refused, not_whole, refusals, unreadable, writing
from .tiff import (
    BITS,
    COMPRESSION,
    DESCRIPTION,
    HEIGHT,
    LARGEST_SEGMENT,
    MOST_SEGMENTS,
    PLANAR,
    ROWS,
    SAMPLES,
    STRIP_SIZES,
    STRIPS,
    SUBPAGES,
    TABLES,
    TILE_HEIGHT,
    TILE_SIZES,
    TILE_WIDTH,
    TILES,
    WIDTH,
    Page,
    Tiff,
    Writer,
)  # fmt: skip

if TYPE_CHECKING:
    from .pixels import TextFinder
    from .pseudonyms import Key

WHAT = "TIFF"
# Tags that are copied, with the most values each may have: a number is no place for a text.
KEPT = {
    254: 1, 255: 1, WIDTH: 1, HEIGHT: 1, BITS: 8, COMPRESSION: 1, 262: 1, 266: 1, 274: 1, SAMPLES: 1, ROWS: 1, 282: 1, 283: 1,
    PLANAR: 1, 296: 1, 317: 1, 320: 3 * 65536, TILE_WIDTH: 1, TILE_HEIGHT: 1, 338: 8, 339: 8, 529: 3, 530: 2, 531: 1, 532: 6,
    32997: 1, 32998: 1,
}  # fmt: skip
NUMERIC = (1, 3, 4, 5, 16)
OTHERS = {STRIPS, STRIP_SIZES, TILES, TILE_SIZES, SUBPAGES, TABLES, DESCRIPTION}
NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS = 1, 5, 7, 8, 32946, 32773
J2K = (33003, 33005, 34712)
CODINGS = (NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS, *J2K)
FOREIGN_TAGS = range(65420, 65480)  # Hamamatsu NDPI
FOREIGN_TEXTS = ("<scn", "<dataobject", "iscan", "<imagedata", "trestle", "leica scn")
LARGE = 4096  # columns or rows from which on a picture in tiles is a slide


@refusals
def clean_slide(source: Path, target: Path, *, key: Key, waived: bool = False, finder: TextFinder | None = None) -> Outcome:
    with Tiff(source) as tiff:
        base = tiff.pages[0]
        slide = _is_slide(tiff)
        aperios = base.description.startswith("Aperio")
        report = Report("SVS slide" if slide and aperios else "TIFF slide" if slide else "TIFF picture")
        _refuse_foreign(tiff)
        kept = _tissue(tiff, report) if slide else tiff.pages
        report.pixels = "untouched"
        if not slide and not waived:
            tiffpicture.refuse_text_in(tiff, finder)
            report.pixels = "read"
        with writing(target) as sink:
            writer = Writer(sink, tiff.order, tiff.big)
            for number, page in enumerate(kept):
                description = _description(page, base, number, len(kept), report)
                _write(tiff, writer, page, description, report, linked=True)
    ending = ".svs" if report.what.startswith("SVS") else ".tiff"
    return Released(neutral_name("slide" if slide else "image", sink.digest(), ending, key), report)


def _is_slide(tiff: Tiff) -> bool:
    base = tiff.pages[0]
    if not base.tiled:
        return False
    tiled = [page for page in tiff.pages if page.tiled and (page.width, page.height) != (base.width, base.height)]
    return bool(base.description.startswith("Aperio") or tiled or base.subpages or max(base.width, base.height) >= LARGE)


def _refuse_foreign(tiff: Tiff) -> None:
    base = tiff.pages[0]
    texts = " ".join([base.description, *(tiff.text(base, code, 4096) for code in (271, 305, 700))])[:32768].lower()
    if any(code in base.tags for code in FOREIGN_TAGS) or any(word in texts for word in FOREIGN_TEXTS):
        reason = "This is a slide of a scanner whose label VoxelHub does not know how to remove."
        fix = "Convert it to DICOM or SVS, or ask a data steward to look at it."
        raise Refused(Held("unknown_format", reason, "Slide", fix=fix))


def _tissue(tiff: Tiff, report: Report) -> list[Page]:
    """The levels, and a thumbnail that its description proves to be one."""
    base = tiff.pages[0]
    kept = [base]
    base.subpages = [page for page in base.subpages if page.tiled and _same_shape(page, base)]
    for page in tiff.pages[1:]:
        page.subpages = [each for each in page.subpages if each.tiled and _same_shape(each, base)]
        words = page.description.lower()
        named = "label" in words or "macro" in words
        level = page.tiled and _same_shape(page, base) and page.width <= base.width
        if not named and (level or _is_thumbnail(page, base)):
            kept.append(page)
        else:
            report.actions["label, macro or unknown picture: removed"] += 1
    return kept


def _same_shape(page: Page, base: Page) -> bool:
    return abs(page.width * base.height / base.width - page.height) <= max(2.0, 0.02 * page.height)


def _is_thumbnail(page: Page, base: Page) -> bool:
    shrunk = aperio.shrunk(page.description)
    return (
        not page.tiled and page.subfile == 0 and _same_shape(page, base) and shrunk is not None
        and shrunk == (base.width, base.height, page.width, page.height)
    )  # fmt: skip


def _description(page: Page, base: Page, number: int, count: int, report: Report) -> str:
    given = page.description
    if not given:
        return ""
    cleaned = ""
    if base.description.startswith("Aperio"):
        cleaned = aperio.cleaned(given, page.width, page.height)
    elif number == 0 and "<OME" in given:
        cleaned = ome.cleaned(given, count)
    if cleaned != given:
        report.actions["description: cleaned"] += 1
    return cleaned


def _write(tiff: Tiff, writer: Writer, page: Page, description: str, report: Report, linked: bool) -> int:
    tags = _tags(tiff, page, report)
    if description:
        text = description.encode("ascii") + b"\0"
        tags[DESCRIPTION] = (2, len(text), text)
    if TABLES in page.tags and tiff.number(page, COMPRESSION) == JPEG:
        tables = _coded(jpeg.stripped, tiff.at(page.tags[TABLES].where, min(page.tags[TABLES].size, 65536)))
        tags[TABLES] = (7, len(tables), tables)
    if page.subpages:
        places = [_write(tiff, writer, each, "", report, linked=False) for each in page.subpages]
        tags[SUBPAGES] = writer.packed(np.array(places, np.uint64))
    where, sizes = (TILES, TILE_SIZES) if page.tiled else (STRIPS, STRIP_SIZES)
    tags[where], tags[sizes] = _segments(tiff, writer, page, where, sizes)
    return writer.directory(tags, linked)


def _tags(tiff: Tiff, page: Page, report: Report) -> dict[int, tuple[int, int, bytes]]:
    tags = {}
    for code, tag in page.tags.items():
        if code in KEPT:
            if tag.kind not in NUMERIC or not 0 < tag.count <= KEPT[code]:
                raise unreadable(WHAT, "A directory of the file has an entry of the wrong kind.")
            tags[code] = (tag.kind, tag.count, tiff.at(tag.where, tag.size))
        elif code not in OTHERS:
            report.actions[f"tag {code}: removed"] += 1
    return tags


def _segments(
    tiff: Tiff, writer: Writer, page: Page, where: int, sizes: int
) -> tuple[tuple[int, int, bytes], tuple[int, int, bytes]]:
    """Copies tiles or strips, cleaned; the tags of their new places and sizes. A segment used twice is written once."""
    expected, length = _layout(tiff, page)
    places, counts = tiff.numbers(page, where, MOST_SEGMENTS)[:expected], tiff.numbers(page, sizes, MOST_SEGMENTS)[:expected]
    if places.size != expected or counts.size != expected:
        raise not_whole(WHAT, "A picture of the file has fewer parts than its size needs.")
    clean = _cleaner(tiff.number(page, COMPRESSION, NONE), length)
    different, first, inverse = np.unique(places, return_index=True, return_inverse=True)
    new_places, new_counts = np.zeros(different.size, np.uint64), np.zeros(different.size, np.uint64)
    for number in np.argsort(first):
        place, count = int(different[number]), int(counts[first[number]])
        if place == 0 or count == 0:
            continue  # a part that was never scanned
        if count > LARGEST_SEGMENT:
            raise unreadable(WHAT, "A part of the picture is larger than any scanner writes.")
        data = _coded(clean, tiff.at(place, count))
        new_places[number], new_counts[number] = writer.segment(data), len(data)
    return writer.packed(new_places[inverse]), writer.packed(new_counts[inverse])


def _layout(tiff: Tiff, page: Page) -> tuple[int, int]:
    """(number of segments, bytes of a whole one before coding)."""
    samples = tiff.number(page, SAMPLES, 1)
    bits = tiff.number(page, BITS, 1)
    planes = samples if tiff.number(page, PLANAR, 1) == 2 else 1
    if page.tiled:
        width, height = tiff.number(page, TILE_WIDTH), tiff.number(page, TILE_HEIGHT)
    else:
        width, height = page.width, min(tiff.number(page, ROWS, page.height), page.height)
    if not (0 < width <= 2**20 and 0 < height <= 2**31 and 1 <= samples <= 64 and 1 <= bits <= 64):
        raise unreadable(WHAT, "A directory of the file gives impossible sizes.")
    number = math.ceil(page.width / width) * math.ceil(page.height / height) * planes
    if number > MOST_SEGMENTS:
        raise unreadable(WHAT, "A directory of the file gives impossible sizes.")
    return number, math.ceil(width * bits * (samples // planes) / 8) * height


def _cleaner(coding: int, length: int) -> Callable[[bytes], bytes]:
    if coding not in CODINGS:
        reason = "The picture is coded in a way VoxelHub cannot check for hidden text."
        raise Refused(Held("unknown_format", reason, WHAT, fix="Convert it to TIFF with JPEG, Deflate or LZW."))
    if coding == JPEG:
        return jpeg.stripped
    if coding in J2K:
        return jpeg.without_comments_j2k
    if coding == NONE:
        return lambda data: data[:length]
    if coding in (DEFLATE, OLD_DEFLATE):
        return lambda data: _deflated(data, length)
    return bytes


def _deflated(data: bytes, length: int) -> bytes:
    unpacker = zlib.decompressobj()
    unpacker.decompress(data, length + 1)
    return data[: len(data) - len(unpacker.unused_data)] if unpacker.eof else data


def _coded(clean: Callable[[bytes], bytes], data: bytes) -> bytes:
    try:
        return clean(data)
    except jpeg.Early:
        raise not_whole(WHAT, "A part of the picture ends too early.") from None
    except (jpeg.Broken, zlib.error, struct.error):
        raise unreadable(WHAT, "A part of the picture is damaged.") from None
