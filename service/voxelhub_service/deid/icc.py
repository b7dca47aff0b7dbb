"""ICC profiles (0028,2000): colour tables stay, texts in them are blanked (ICC.1:2022, 7.2 and 7.3)."""

from __future__ import annotations

import struct

from pydicom import Dataset

from .elements import Element, put_bytes
from .steps import Run

_COLOUR_TYPES = frozenset(
    {b"XYZ ", b"curv", b"para", b"mft1", b"mft2", b"mAB ", b"mBA ", b"sf32", b"chrm", b"clrt", b"view", b"meas", b"sig "}
)
_FREE_HEADER = ((4, 8), (48, 56), (80, 128))  # preferred module, manufacturer and model, creator, profile id and what is reserved


def take(run: Run, dataset: Dataset, element: Element) -> None:
    """The step for (0028,2000)."""
    clean = without_texts(element.value) if isinstance(element.value, bytes) else None
    if clean is None:
        run.remove(dataset, element)
    elif clean != element.value:
        run.count(element, "C")
        put_bytes(dataset, element, clean, element.VR)


def without_texts(profile: bytes) -> bytes | None:
    """The profile with nothing left but its header's numbers, its tag table and its tables of colours; None: not a profile."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return None
    (count,) = struct.unpack_from(">I", profile, 128)
    end = 132 + 12 * count
    if count > 200 or end > len(profile):
        return None
    clean = bytearray(len(profile))
    clean[:128] = profile[:128]
    for start, stop in _FREE_HEADER:
        clean[start:stop] = bytes(stop - start)
    clean[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    clean[128:132] = profile[128:132]
    for number in range(count):
        at = 132 + 12 * number
        signature, offset, size = struct.unpack_from(">4sII", profile, at)
        if offset < end or offset + size > len(profile) or not signature.strip().isalnum():
            return None
        clean[at : at + 12] = profile[at : at + 12]
        if profile[offset : offset + 4] in _COLOUR_TYPES:
            clean[offset : offset + size] = profile[offset : offset + size]
        else:
            clean[offset : offset + 4] = b"text"
    return bytes(clean)
