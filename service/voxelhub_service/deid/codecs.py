"""The pixels of a DICOM dataset as arrays, and back; coded frames without the comments of their coding."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from . import jpeg, rle
from .isolated import isolated

Image = npt.NDArray[Any]
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
LOSSY = {  # PS3.3 C.7.6.1.1.5.1: the method's code by transfer syntax; JPEG 2000 and JPEG-LS of these syntaxes may be lossless
    "1.2.840.10008.1.2.4.50": "ISO_10918_1", "1.2.840.10008.1.2.4.51": "ISO_10918_1",
}  # fmt: skip
FRAGILE = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81))  # GDCM's, which may end the process
MOST_BYTES = 1 << 30


class Undecodable(Exception):
    """Its pixels cannot be read; nothing of them is in its text."""


class TooLarge(Undecodable):
    """Its pixels would not fit."""


def syntax_of(dataset: Dataset) -> UID:
    uid = getattr(dataset, "file_meta", Dataset()).get("TransferSyntaxUID")
    if uid is not None:
        return UID(uid)
    implicit, little = dataset.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little in (True, None) else ExplicitVRBigEndian


def frames_of(dataset: Dataset) -> int:
    return max(int(dataset.get("NumberOfFrames") or 1), 1)


def is_video(dataset: Dataset) -> bool:
    uid = str(syntax_of(dataset))
    return uid.startswith("1.2.840.10008.1.2.4.10") or uid in ("1.2.840.10008.1.2.7.1", "1.2.840.10008.1.2.7.2")


def frames(dataset: Dataset) -> Iterator[tuple[Image, str]]:
    """Each frame, rows x columns (x samples), stored values, and its photometric interpretation. Raises Undecodable."""
    samples, wide = int(dataset.get("SamplesPerPixel", 1)), math.ceil(int(dataset.BitsAllocated) / 8)
    if int(dataset.Rows) * int(dataset.Columns) * samples * wide * frames_of(dataset) > MOST_BYTES:
        raise TooLarge
    try:
        decoder = get_decoder(syntax_of(dataset))
        # The decoder clears unused bits by itself; asked for all, it shows what lies in them.
        bits = int(dataset.BitsAllocated)
        all_bits = {"bits_stored": bits} if syntax_of(dataset) in (*NATIVE, RLELossless) and bits in (8, 16, 32) else {}
        if syntax_of(dataset) in FRAGILE:
            yield from _isolated_frames(dataset, decoder)
            return
        for array, facts in decoder.iter_array(dataset, raw=True, **all_bits):
            yield array, str(facts["photometric_interpretation"])
    except Exception:
        raise Undecodable from None


def _isolated_frames(dataset: Dataset, decoder: Any) -> Iterator[tuple[Image, str]]:
    for index in range(frames_of(dataset)):
        def decoded(index: int = index) -> tuple[Image, str]:
            array, facts = decoder.as_array(dataset, index=index, raw=True)
            return array, str(facts["photometric_interpretation"])

        frame = isolated(decoded)
        if frame is None:
            raise Undecodable
        yield frame


def write_back(dataset: Dataset, pixels: Image, photometric: str) -> bool:
    """`pixels`: frames x rows x columns (x samples). Uncompressed.

    A coded source becomes explicit little endian. True when the source was lossy.
    """
    syntax = syntax_of(dataset)
    if pixels.ndim == 4:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    order: Any = ">" if syntax == ExplicitVRBigEndian else "<"
    data = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(order), copy=False)).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    dataset["PixelData"].is_undefined_length = False
    for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if name in dataset:
            delattr(dataset, name)
    lossy = str(syntax) in LOSSY or str(dataset.get("LossyImageCompression", "")) == "01"
    if lossy:
        dataset.LossyImageCompression = "01"
        if "LossyImageCompressionMethod" not in dataset and str(syntax) in LOSSY:
            dataset.LossyImageCompressionMethod = LOSSY[str(syntax)]
    if syntax not in NATIVE:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return lossy


def strip_markers(frame: bytes) -> bytes:
    """A coded frame without comments and application data; only the JPEG family has them. Raises Undecodable."""
    try:
        if frame[:2] == b"\xff\xd8":
            return _jpeg_without_comments(frame)
        if frame[:4] == b"\xff\x4f\xff\x51":
            return jpeg.without_comments_j2k(frame)
    except jpeg.Broken:
        raise Undecodable from None
    return frame


def _jpeg_without_comments(frame: bytes) -> bytes:
    """JPEG and JPEG-LS up to their first end of image; comments go wherever they stand, also between or behind scans."""
    out, at = [frame[:2]], 2
    while at + 4 <= len(frame) + 2 and frame[at : at + 1] == b"\xff":
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            return b"".join([*out, b"\xff\xd9"])
        if length < 2:
            raise Undecodable
        keep = not (0xE0 <= marker <= 0xEF or marker == 0xFE) or (frame[at + 4 : at + 9] == b"Adobe" and marker == 0xEE)
        if keep:
            out.append(frame[at : at + 2 + length])
        at += 2 + length
        following = _MARKER.search(frame, at) if marker == 0xDA else None
        if following:
            out.append(frame[at : following.start()])
            at = following.start()
    raise Undecodable


# What ends coded data: RST and fill bytes belong to it, and a 255 in it is followed by a byte below 128 (ISO 10918-1, 14495-1).
_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")


def strip_encapsulated(dataset: Dataset) -> int:
    """Takes comments, and what lies behind its end, out of every coded frame; how many frames had some. Raises Undecodable."""
    if syntax_of(dataset) in NATIVE:
        return 0
    try:
        coded = list(generate_frames(dataset.PixelData, number_of_frames=frames_of(dataset)))
        if syntax_of(dataset) == RLELossless:
            clean = [rle.trimmed(each, int(dataset.Rows) * int(dataset.Columns)) for each in coded]
        else:
            clean = [strip_markers(each) for each in coded]
    except Exception:
        raise Undecodable from None
    changed: int = sum(one.rstrip(b"\0") != other.rstrip(b"\0") for one, other in zip(coded, clean, strict=True))
    if changed:
        dataset.PixelData = encapsulate(clean)
        dataset["PixelData"].is_undefined_length = True
        for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if name in dataset:
                delattr(dataset, name)
    return changed


def used_bits(dataset: Dataset, pixels: Image) -> Image:
    """The same values, bits outside of BitsStored cleared (the sign, in signed ones): old overlays lie there (PS3.5 8.1.2)."""
    allocated, stored = int(dataset.BitsAllocated), int(dataset.get("BitsStored") or dataset.BitsAllocated)
    high = int(dataset.get("HighBit", stored - 1))
    if pixels.dtype.kind not in "iu" or allocated not in (8, 16, 32) or pixels.dtype.itemsize * 8 != allocated:
        return pixels
    if stored >= allocated or not stored - 1 <= high < allocated:
        return pixels
    lowest, unused = high - stored + 1, allocated - 1 - high
    if lowest == 0 and pixels.dtype.kind == "i":
        signed: Image = (pixels << unused) >> unused
        return signed
    unsigned = pixels.view(np.dtype(f"{pixels.dtype.byteorder}u{allocated // 8}"))
    used = ((1 << stored) - 1) << lowest
    masked: Image = (unsigned & unsigned.dtype.type(used)).view(pixels.dtype)
    return masked
