"""NIfTI-1 and NIfTI-2 in one file, plain or gzipped: texts blanked, extensions removed, voxels copied byte for byte.

Sources: nifti1.h (2007), nifti2.h (2014). Memory is bounded by one block.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .naming import neutral_name
from .outcome import Held, Outcome, Released, Report
from .streams import BLOCK, Refused, Sink, exactly, is_gzip, not_whole, refusals, unreadable, writing

if TYPE_CHECKING:
    from .pseudonyms import Key

WHAT = "NIfTI volume"
MOST_BYTES = 2**42  # of voxels; a header that promises more lies
# datatype code -> bits of a voxel
BITS = {2: 8, 4: 16, 8: 32, 16: 32, 32: 64, 64: 64, 128: 24, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64, 1536: 128, 1792: 128,
        2048: 256, 2304: 32}  # fmt: skip
COLOUR = (128, 2304)


@dataclass(frozen=True)
class Layout:
    """Where a version keeps its fields: (first byte, one past the last)."""

    size: int
    offset: int  # of the voxels in what we write
    texts: dict[str, tuple[int, int]]


ONE = Layout(348, 352, {
    "data_type": (4, 14), "db_name": (14, 32), "extents": (32, 38), "regular": (38, 39), "glmax": (140, 148),
    "descrip": (148, 228), "aux_file": (228, 252), "intent_name": (328, 344),
})  # fmt: skip
TWO = Layout(540, 544, {"descrip": (240, 320), "aux_file": (320, 344), "intent_name": (508, 524), "unused_str": (525, 540)})


@refusals
def clean_nifti(source: Path, target: Path, *, key: Key, waived: bool = False) -> Outcome:
    packed = is_gzip(source)
    report = Report(WHAT, pixels="untouched")
    try:
        with source.open("rb") as raw, writing(target, packed) as sink:
            stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
            _rewrite(stream, sink, report, waived)
            if _rest(stream):
                report.actions["bytes after the voxels: removed"] += 1
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise not_whole(WHAT, "The compressed data is broken or ends too early.") from None
    return Released(neutral_name("volume", sink.digest(), ".nii.gz" if packed else ".nii", key), report)


def _rewrite(stream: IO[bytes], sink: Sink, report: Report, waived: bool) -> None:
    header = bytearray(exactly(stream, 4))
    layout, order = _layout(header)
    header += exactly(stream, layout.size - 4)
    if len(header) < layout.size:
        raise not_whole(WHAT, "The file ends within its header.")
    offset, size, code = _checked(header, layout, order)
    if code in COLOUR and not waived:
        raise Refused(
            Held(
                "no_region_rule",
                "This volume is in colour: a picture of a screen may show a name, and VoxelHub cannot tell.",
                WHAT,
                fix="Leave it out, or ask a data steward to look at it.",
            )
        )
    _blank(header, layout, order, report)
    between = _skip(stream, offset - layout.size)
    if between:
        report.actions["extensions: removed"] += 1
    sink.write(bytes(header) + b"\0\0\0\0")  # no extension follows
    left = size
    while left > 0:
        block = stream.read(min(left, BLOCK))
        if not block:
            raise not_whole(WHAT, "The header promises more data than the file holds.")
        sink.write(block)
        left -= len(block)


def _layout(start: bytearray) -> tuple[Layout, str]:
    for order in "<>":
        if len(start) == 4 and (size := struct.unpack(f"{order}i", start)[0]) in (348, 540):
            return (ONE if size == 348 else TWO), order
    raise unreadable(WHAT, "The file has no valid NIfTI header.")


def _checked(header: bytearray, layout: Layout, order: str) -> tuple[int, int, int]:
    """(first byte of the voxels, their bytes, datatype)."""
    if layout is ONE:
        magic = bytes(header[344:348]) == b"n+1\0"
        dim = struct.unpack_from(f"{order}8h", header, 40)
        code, bits = struct.unpack_from(f"{order}2h", header, 70)
        (offset,) = struct.unpack_from(f"{order}f", header, 108)
    else:
        magic = bytes(header[4:12]) == b"n+2\0\r\n\x1a\n"
        code, bits = struct.unpack_from(f"{order}2h", header, 12)
        dim = struct.unpack_from(f"{order}8q", header, 16)
        (offset,) = struct.unpack_from(f"{order}q", header, 168)
    if not magic:
        raise unreadable(WHAT, "The file has no valid NIfTI header.")
    rank = dim[0]
    if not 1 <= rank <= 7 or any(n < 1 for n in dim[1 : rank + 1]):
        raise unreadable(WHAT, "The header gives impossible dimensions.")
    if BITS.get(code) != bits:
        raise unreadable(WHAT, "The header contradicts itself about the size of a voxel.")
    if not math.isfinite(offset) or not 0 <= offset <= 2**40:
        raise unreadable(WHAT, "The header gives an impossible place of the data.")
    size = math.prod(dim[1 : rank + 1]) * bits // 8
    if size > MOST_BYTES:
        raise not_whole(WHAT, "The header promises more data than the file can hold.")
    return max(int(offset), layout.size + 4), size, code


def _blank(header: bytearray, layout: Layout, order: str, report: Report) -> None:
    for name, (start, end) in layout.texts.items():
        if any(header[start:end]) and name != "regular":
            report.actions[f"{name}: emptied"] += 1
        header[start:end] = bytes(end - start)
    if layout is ONE:
        header[38:39] = b"r"  # the header asks for it
        rank = struct.unpack_from(f"{order}h", header, 40)[0]
        for unused in range(rank + 1, 8):
            struct.pack_into(f"{order}h", header, 40 + 2 * unused, 1)
            struct.pack_into(f"{order}f", header, 76 + 4 * unused, 1.0)
        struct.pack_into(f"{order}f", header, 108, float(layout.offset))
    else:
        rank = struct.unpack_from(f"{order}q", header, 16)[0]
        for unused in range(rank + 1, 8):
            struct.pack_into(f"{order}q", header, 16 + 8 * unused, 1)
            struct.pack_into(f"{order}d", header, 104 + 8 * unused, 1.0)
        struct.pack_into(f"{order}q", header, 168, layout.offset)


def _skip(stream: IO[bytes], size: int) -> bool:
    """Whether anything stood there. The four bytes of the extension flag are counted in."""
    found = False
    while size > 0:
        block = stream.read(min(size, BLOCK))
        if not block:
            raise not_whole(WHAT, "The file ends before its data.")
        found = found or any(block)
        size -= len(block)
    return found


def _rest(stream: IO[bytes]) -> bool:
    """Reads to the end, so that the checksum of packed data is compared, too."""
    found = False
    while block := stream.read(BLOCK):
        found = found or any(block)
    return found
