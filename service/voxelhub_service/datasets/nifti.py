"""NIfTI-1 and NIfTI-2 headers, and one bounded pass over the voxels: is all that the header promises there, are these labels?

Sources: nifti1.h (2007) and nifti2.h (2014). Memory is bounded by two blocks, whatever the file's size.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

BLOCK = 1024**2
MAX_LABELS = 64  # distinct values up to which whole numbers are labels
MAX_BYTES = 2**42  # of voxels; a header that promises more lies
# datatype code -> numpy type; what has no single number per voxel has None.
DTYPES: dict[int, str | None] = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 32: None, 64: "f8", 128: None, 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
    1536: None, 1792: None, 2048: None, 2304: None,
}


class NotWhole(Exception):
    """Completes the sentence “… is a NIfTI file …”."""


@dataclass(frozen=True)
class Info:
    """`labels` counts the distinct values of a mask; None for any other volume."""

    shape: list[int]
    spacing: list[float]
    labels: int | None


@dataclass(frozen=True)
class Header:
    order: Literal["<", ">"]
    shape: list[int]
    spacing: list[float]
    dtype: str | None
    offset: int
    size: int  # bytes of voxels
    scaled: bool


def looks_like_nifti(head: bytes, path: str) -> bool:
    if head.startswith(b"\x1f\x8b"):
        if not path.lower().endswith((".nii.gz", ".nii", ".gz")):
            return False
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 1024)
        except zlib.error:
            return path.lower().endswith(".nii.gz")
    if path.lower().endswith((".nii", ".nii.gz")):
        return True
    return head[344:348] == b"n+1\0" or head[4:12] == b"n+2\0\r\n\x1a\n"


def inspect(file: Path) -> Info:
    """Raises NotWhole."""
    with file.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
        try:
            header = parse(stream.read(544))
            if not packed and file.stat().st_size < header.offset + header.size:
                raise NotWhole("whose header promises more data than the file holds")
            stream.seek(header.offset)
            labels = _voxels(stream, header, all_of_it=packed)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise NotWhole("whose compressed data is broken or ends too early") from None
    return Info(header.shape, header.spacing, labels)


def parse(head: bytes) -> Header:
    if len(head) < 348:
        raise NotWhole("that ends within its header")
    orders: tuple[Literal["<", ">"], ...] = ("<", ">")
    for order in orders:
        size = struct.unpack(f"{order}i", head[:4])[0]
        if size == 348 and head[344:348] == b"n+1\0":
            dim = struct.unpack(f"{order}8h", head[40:56])
            code, bits = struct.unpack(f"{order}2h", head[70:74])
            pixdim = struct.unpack(f"{order}8f", head[76:108])
            offset, slope, inter = struct.unpack(f"{order}3f", head[108:120])
            return _checked(order, dim, pixdim, code, bits, offset, slope, inter, 348)
        if size == 540 and head[4:8] == b"n+2\0" and len(head) >= 540:
            code, bits = struct.unpack(f"{order}2h", head[12:16])
            dim = struct.unpack(f"{order}8q", head[16:80])
            pixdim = struct.unpack(f"{order}8d", head[104:168])
            (offset,) = struct.unpack(f"{order}q", head[168:176])
            slope, inter = struct.unpack(f"{order}2d", head[176:192])
            return _checked(order, dim, pixdim, code, bits, offset, slope, inter, 540)
    raise NotWhole("without a valid header")


def _checked(
    order: Literal["<", ">"],
    dim: tuple[int, ...],
    pixdim: tuple[float, ...],
    code: int,
    bits: int,
    offset: float,
    slope: float,
    inter: float,
    header_size: int,
) -> Header:
    rank = dim[0]
    if not 1 <= rank <= 7 or any(n < 1 for n in dim[1 : rank + 1]):
        raise NotWhole("whose header gives impossible dimensions")
    if code not in DTYPES or bits not in (8, 16, 24, 32, 64, 96, 128, 256):
        raise NotWhole("whose header gives an unknown kind of number")
    if DTYPES[code] is not None and np.dtype(DTYPES[code]).itemsize * 8 != bits:
        raise NotWhole("whose header contradicts itself about the size of a voxel")
    if not math.isfinite(offset) or not 0 <= offset <= 2**40:
        raise NotWhole("whose header gives an impossible place of the data")
    shape = [int(n) for n in dim[1 : rank + 1]]
    size = math.prod(shape) * bits // 8
    if size > MAX_BYTES:
        raise NotWhole("whose header promises more data than the file can hold")
    spacing = [round(abs(float(s)), 6) if math.isfinite(s) else 0.0 for s in pixdim[1 : min(rank, 3) + 1]]
    scaled = (math.isfinite(slope) and slope not in (0.0, 1.0)) or (math.isfinite(inter) and inter != 0 and slope != 0)
    return Header(order, shape, spacing, DTYPES[code], max(int(offset), header_size), size, bool(scaled))


def _voxels(stream: IO[bytes], header: Header, all_of_it: bool) -> int | None:
    """Number of labels or None. `all_of_it`: the length is known only by reading to the end."""
    left = header.size
    values: set[Any] | None = set() if header.dtype is not None and not header.scaled else None
    while left > 0 and (all_of_it or values is not None):
        block = _full(stream, min(left, BLOCK))
        if len(block) < min(left, BLOCK):
            raise NotWhole("whose header promises more data than the file holds")
        left -= len(block)
        if values is not None:
            values = _add_labels(values, np.frombuffer(block, np.dtype(header.dtype).newbyteorder(header.order)))
    if values is None or 0 not in values or len(header.shape) < 2:
        return None
    return len(values)


def _add_labels(values: set[Any], block: Any) -> set[Any] | None:
    distinct = np.unique(block)
    if (
        distinct.size > MAX_LABELS
        or not np.all(np.isfinite(distinct))
        or np.any(distinct < 0)
        or np.any(distinct != np.round(distinct))
    ):
        return None
    values.update(int(value) for value in distinct)
    return values if len(values) <= MAX_LABELS else None


def _full(stream: IO[bytes], size: int) -> bytes:
    parts, left = [], size
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
