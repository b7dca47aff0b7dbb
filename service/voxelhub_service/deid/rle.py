"""Frames in RLE Lossless (DICOM PS3.5, Annex G), cut to what decoding them takes: no viewer shows what lies behind."""

from __future__ import annotations

import struct

_HEADER = 64  # bytes: the number of segments and fifteen offsets


def trimmed(frame: bytes, pixels: int) -> bytes:
    """`frame` with each segment ending where its `pixels` bytes are complete. ValueError where the header is none of RLE."""
    if len(frame) < _HEADER:
        raise ValueError("the frame ends within its header")
    count, *offsets = struct.unpack("<16L", frame[:_HEADER])
    offsets = offsets[:count]
    if not 1 <= count <= 15 or offsets[0] != _HEADER or offsets != sorted(offsets) or offsets[-1] > len(frame):
        raise ValueError("the header does not fit the frame")
    segments = [
        frame[start : _end(frame, start, stop, pixels)] for start, stop in zip(offsets, [*offsets[1:], len(frame)], strict=True)
    ]
    segments = [segment + b"\0" * (len(segment) % 2) for segment in segments]
    places = [_HEADER + sum(map(len, segments[:number])) for number in range(count)]
    return struct.pack("<16L", count, *places, *[0] * (15 - count)) + b"".join(segments)


def _end(frame: bytes, at: int, stop: int, pixels: int) -> int:
    """Where a segment's runs have made `pixels` bytes; at the latest `stop`."""
    made = 0
    while made < pixels and at < stop:
        control = frame[at]
        if control < 128:
            at += control + 2
            made += control + 1
        elif control > 128:
            at += 2
            made += 257 - control
        else:
            at += 1
    return min(at, stop)
