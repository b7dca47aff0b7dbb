"""DICOM files: read without their pixels, checked to be whole, grouped into series.

A file need not have a preamble or an ending of its name. What goes on from here holds no patient's data: a series is
named by modality, number and count, never by text from the file. Source: DICOM PS3.5 section 7 (elements), PS3.10.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from . import geometry
from .describing import Description
from .vocabulary import vocabulary

UNDEFINED = 0xFFFFFFFF
DEFLATED, IMPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DICOMDIR = "1.2.840.10008.1.3.10"
MAX_DEFLATED = 512 * 1024**2  # bytes of an inflated data set that we are ready to hold
TAGS = [
    "SOPClassUID", "Modality", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns", "NumberOfFrames", "BitsAllocated",
    "SamplesPerPixel", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient",
    "PhotometricInterpretation", "SOPInstanceUID",
]
PROJECTIONS = {"MG", "CR", "DX", "IO", "PX", "XC", "ES", "GM", "OP", "OT", "SM"}
NAMES = {
    "SEG": "Segmentation",
    "SR": "Report",
    "RTSTRUCT": "Structures",
    "RTPLAN": "Plan",
    "PR": "Presentation",
    "KO": "Key objects",
}
KNOWN_VRS = {
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"OB", b"OD", b"OF", b"OL", b"OV", b"OW",
    b"PN", b"SH", b"SL", b"SQ", b"SS", b"ST", b"SV", b"TM", b"UC", b"UI", b"UL", b"UN", b"UR", b"US", b"UT", b"UV",
}
logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # its warnings quote values


class NotWhole(Exception):
    """The file ends before what it announces."""


@dataclass(frozen=True)
class Instance:
    path: str
    study: str
    series: str
    modality: str
    rows: int
    columns: int
    frames: int
    spacing: tuple[float, ...]  # between rows, between columns; mm
    thickness: float
    along: float | None  # position along the slice normal, mm
    image: bool
    uid: str = ""  # of the instance
    position: tuple[float, ...] = ()  # x, y, z in mm; empty where it says none
    orientation: tuple[float, ...] = ()  # cosines of the row's and the column's direction; empty where it says none


def looks_like_dicom(head: bytes) -> bool:
    """By the prefix of PS3.10, or else by a first element of group 2 or 8 that is plausible in little endian."""
    if head[128:132] == b"DICM":
        return True
    if len(head) < 16 or head[:2] not in (b"\x02\0", b"\x08\0") or head[3] != 0:
        return False
    if head[4:6] in KNOWN_VRS:
        return True
    return int.from_bytes(head[4:8], "little") <= 128 and head[2:4] in (
        b"\0\0",
        b"\1\0",
        b"\5\0",
        b"\x08\0",
        b"\x12\0",
        b"\x16\0",
        b"\x18\0",
    )


def is_directory(head: bytes) -> bool:
    """A DICOMDIR (PS3.10, section 8), by the class its meta information names."""
    return head[128:132] == b"DICM" and b"1.2.840.10008.1.3.10" in head[132:1024]


def read_instance(file: Path, path: str) -> Instance | None:
    """None for a file that is DICOM but no instance of a series (a DICOMDIR), or that nobody can read. Raises NotWhole."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    # Warnings of the reader quote values, which may name a patient.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    try:
        with file.open("rb") as stream:
            _check_deflated(stream)
            stream.seek(0)
            data = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=TAGS, defer_size=64 * 1024)
            if str(data.file_meta.get("MediaStorageSOPClassUID", "")) == DICOMDIR:
                return None
            instance = _instance(data, path)
            pixels = _check_end(stream, data, file.stat().st_size)
    except (EOFError, zlib.error):
        raise NotWhole from None
    except OSError as error:
        if error.errno is None:  # pydicom: no tag to read
            raise NotWhole from None
        raise
    except (InvalidDicomError, ValueError, KeyError, TypeError, AttributeError, OverflowError, NotImplementedError,
            RecursionError, IndexError, MemoryError, AssertionError):
        return None
    if not instance.series:  # every instance has one (PS3.3 C.7.3.1, type 1)
        if data.preamble:
            raise NotWhole
        return None
    if (instance.image or _is_image_class(data)) and not pixels:
        raise NotWhole
    return instance


def _is_image_class(data: Any) -> bool:
    """By the file's meta information, which is written first and survives a cut."""
    named = data.file_meta.get("MediaStorageSOPClassUID")
    return named is not None and str(named.name).endswith("Image Storage")


def _instance(data: Any, path: str) -> Instance:
    spacing = data.get("PixelSpacing") or data.get("ImagerPixelSpacing") or ()
    rows, columns = int(data.get("Rows") or 0), int(data.get("Columns") or 0)
    return Instance(
        path, str(data.get("StudyInstanceUID") or ""), str(data.get("SeriesInstanceUID") or ""), _word(data.get("Modality")),
        rows, columns, max(1, int(data.get("NumberOfFrames") or 1)), tuple(_number(s) for s in spacing)[:2],
        _number(data.get("SliceThickness")), _along(data), bool(rows and columns), str(data.get("SOPInstanceUID") or ""),
        _numbers(data.get("ImagePositionPatient"), 3), _numbers(data.get("ImageOrientationPatient"), 6),
    )


def _word(value: Any) -> str:
    """A modality is a code string of at most 16 capitals; anything else is not shown."""
    text = str(value or "").strip()
    return text if text.isascii() and text.isalnum() and text.isupper() and len(text) <= 16 else "OT"


def _number(value: Any) -> float:
    try:
        return round(float(value), 6)
    except (TypeError, ValueError):
        return 0.0


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    """() unless these are so many finite numbers."""
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return ()
    return found if len(found) == count and all(map(math.isfinite, found)) else ()


def _along(data: Any) -> float | None:
    try:
        position = np.asarray(data.ImagePositionPatient, float)
        axes = np.asarray(data.ImageOrientationPatient, float)
        value = float(np.cross(axes[:3], axes[3:]) @ position)
    except (AttributeError, ValueError, TypeError):
        return None
    return value if np.isfinite(value) else None


def _check_deflated(stream: IO[bytes]) -> None:
    """A deflated data set is inflated as a whole by the reader: not if it is a bomb."""
    import pydicom

    head = stream.read(132)
    if head[128:] != b"DICM":
        return
    stream.seek(0)
    pydicom.filereader.read_preamble(stream, False)
    meta = pydicom.filereader._read_file_meta_info(stream)
    if str(meta.get("TransferSyntaxUID", "")) != DEFLATED:
        return
    inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while block := inflate.unconsumed_tail or stream.read(64 * 1024):
        total += len(inflate.decompress(block, 1024**2))
        if total > MAX_DEFLATED:
            raise ValueError("a deflated data set larger than we hold")
    if not inflate.eof:
        raise NotWhole


def _check_end(stream: IO[bytes], data: Any, size: int) -> bool:
    """Whether there are pixels; raises NotWhole when the file ends within an element or has fewer pixels than rows × columns."""
    syntax = str(data.file_meta.get("TransferSyntaxUID", ""))
    if syntax == DEFLATED:
        return True
    little = syntax != BIG_ENDIAN and data.original_encoding[1] is not False
    implicit = bool(data.original_encoding[0])
    at = stream.tell()
    if at >= size:
        if at > size:
            raise NotWhole
        return False
    element = _read_element(stream, implicit, "little" if little else "big")
    if element is None:
        return False
    group, length = element
    if group != 0x7FE0:
        return False
    start = stream.tell()
    if length == UNDEFINED:
        _walk_items(stream, size)
        return True
    if start + length > size or length < _expected(data):
        raise NotWhole
    return True


def _read_element(stream: IO[bytes], implicit: bool, order: Any) -> tuple[int, int] | None:
    head = stream.read(8)
    if len(head) < 8:
        raise NotWhole
    group = int.from_bytes(head[:2], order)
    if implicit or head[4:6] not in KNOWN_VRS:
        return group, int.from_bytes(head[4:8], order)
    if head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN", b"SQ", b"UT", b"UC", b"UR"):
        return group, int.from_bytes(stream.read(4), order)
    return group, int.from_bytes(head[6:8], order)


def _walk_items(stream: IO[bytes], size: int) -> None:
    """Encapsulated pixels (PS3.5 A.4): items up to a sequence delimiter, always little endian."""
    while True:
        head = stream.read(8)
        if len(head) < 8:
            raise NotWhole
        tag, length = head[:4], int.from_bytes(head[4:], "little")
        if tag == b"\xfe\xff\xdd\xe0":
            return
        if tag != b"\xfe\xff\x00\xe0" or stream.tell() + length > size:
            raise NotWhole
        stream.seek(length, 1)


def _expected(data: Any) -> int:
    bits = int(data.get("BitsAllocated") or 0)
    samples = int(data.get("SamplesPerPixel") or 1)
    if str(data.get("PhotometricInterpretation") or "").startswith("YBR_FULL_422"):
        samples = 2
    frames = max(1, int(data.get("NumberOfFrames") or 1))
    return int(data.get("Rows") or 0) * int(data.get("Columns") or 0) * samples * frames * bits // 8


def group(instances: Sequence[Instance], paths: Sequence[str]) -> list[Description]:
    """One description per series, in the order of their first files."""
    by_series: dict[tuple[str, str, str], list[Instance]] = {}
    for instance in instances:  # one modality a series (PS3.3 C.7.3.1); some files give another's UID
        by_series.setdefault((instance.study, instance.series, instance.modality), []).append(instance)
    counters: dict[str, int] = {}
    return [_describe(some, paths, counters) for some in sorted(by_series.values(), key=lambda some: some[0].path)]


def _describe(some: list[Instance], paths: Sequence[str], counters: dict[str, int]) -> Description:
    first, files = some[0], sorted(one.path for one in some)
    slices = sum(one.frames for one in some)
    image = all(one.image for one in some)
    what = NAMES.get(first.modality, f"{first.modality} {'series' if slices > 1 else 'image'}")
    counters[what] = counters.get(what, 0) + 1
    name = f"{what} {counters[what]}" + (f" ({slices} {'slices' if len(some) > 1 else 'frames'})" if slices > 1 and image else "")
    flat = first.modality in PROJECTIONS or (slices == 1 and len(some) == 1)
    kind = "file" if not image or first.modality == "SEG" else "image" if flat and len(some) == 1 and slices == 1 else "series"
    return Description(
        name, _folder(files, paths), kind, vocabulary().of_modality(first.modality), "dicom", files, _meta(some, slices, image)
    )


def _meta(some: list[Instance], slices: int, image: bool) -> dict[str, Any]:
    meta: dict[str, Any] = {"modality": some[0].modality}
    if not image:
        return meta
    meta["shape"] = [some[0].columns, some[0].rows, slices]
    if len(some[0].spacing) == 2 and all(some[0].spacing):
        between = _between([one.along for one in some]) or some[0].thickness
        meta["spacing"] = [some[0].spacing[1], some[0].spacing[0], *([between] if between else [])]
    if some[0].modality not in PROJECTIONS and all(one.frames == 1 for one in some) and (flags := geometry.flags(some)):
        meta["flags"] = flags
    return meta


def _between(along: list[float | None]) -> float:
    """The median distance of neighbouring slices in mm; 0 where positions do not tell."""
    places = sorted({round(one, 3) for one in along if one is not None})
    return round(float(np.median(np.diff(places))), 6) if len(places) > 1 else 0.0


def _folder(files: list[str], paths: Sequence[str]) -> str:
    """The file of a single one; else the deepest folder that holds them all, "" for the version's own."""
    if len(files) == 1:
        return files[0]
    parts = [path.split("/")[:-1] for path in files]
    common: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) != 1:
            break
        common.append(level[0])
    return "/".join(common)
