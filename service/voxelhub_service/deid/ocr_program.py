"""Finds text in pictures for `ocr.OcrProcess`. Run as a file by the Python of `.envs/ocr`; imports nothing of ours.

stdin:  "<III" rows, columns, samples (1 or 3), then rows x columns x samples bytes; again and again until the end.
stdout: "<i" how many boxes (-1: failed), then four "<i" each: left, top, right, bottom, half-open. One 0 when it is ready.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Any, BinaryIO

WHOLE, TILE, OVERLAP = 1600, 1280, 160  # pixels; larger pictures are read small as a whole, and in tiles at full size
SMALL = 700  # smaller ones are read twice as large, too: letters of 5 pixels are missed otherwise


def main() -> int:
    # Libraries print paths and names of files: nothing of theirs may get into the answers or a log.
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    detect = _detector(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    _answer(answers, [])
    while len(header := sys.stdin.buffer.read(12)) == 12:
        rows, columns, samples = struct.unpack("<III", header)
        data = sys.stdin.buffer.read(rows * columns * samples)
        if len(data) < rows * columns * samples:
            break
        try:
            boxes = _boxes(detect, data, rows, columns, samples)
        except Exception:
            boxes = None
        _answer(answers, boxes)
    return 0


def _answer(answers: BinaryIO, boxes: list[tuple[int, int, int, int]] | None) -> None:
    flat = [number for box in boxes or [] for number in box]
    answers.write(struct.pack(f"<i{len(flat)}i", -1 if boxes is None else len(boxes), *flat))
    answers.flush()


def _detector(threads: int) -> Any:
    import cv2  # type: ignore[import-not-found]
    from rapidocr import RapidOCR  # type: ignore[import-not-found]

    cv2.setNumThreads(threads)
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.use_rec": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    return engine._load_det_model()  # the pinned version has no public way to the detector alone


def _boxes(detect: Any, data: bytes, rows: int, columns: int, samples: int) -> list[tuple[int, int, int, int]]:
    import cv2
    import numpy as np

    picture = np.frombuffer(data, np.uint8).reshape(rows, columns, samples)
    colours = np.repeat(picture, 3, axis=2) if samples == 1 else picture
    if max(rows, columns) <= WHOLE:
        boxes = _found(detect, colours, 0, 0, 1.0, rows, columns)
        if max(rows, columns) <= SMALL:
            large = cv2.resize(colours, (2 * columns, 2 * rows), interpolation=cv2.INTER_CUBIC)
            boxes += _found(detect, large, 0, 0, 0.5, rows, columns)
        return boxes
    scale = WHOLE / max(rows, columns)
    size = (max(round(columns * scale), 1), max(round(rows * scale), 1))
    boxes = _found(detect, cv2.resize(colours, size, interpolation=cv2.INTER_AREA), 0, 0, 1 / scale, rows, columns)
    for top in range(0, max(rows - OVERLAP, 1), TILE - OVERLAP):
        for left in range(0, max(columns - OVERLAP, 1), TILE - OVERLAP):
            tile = colours[top : top + TILE, left : left + TILE]
            if int(tile.max()) - int(tile.min()) >= 8:
                boxes += _found(detect, tile, left, top, 1.0, rows, columns)
    return boxes


def _found(detect: Any, part: Any, left: int, top: int, scale: float, rows: int, columns: int) -> list[tuple[int, int, int, int]]:
    """Boxes in the whole picture's pixels, for a part at (left, top) one pixel of which is `scale` of theirs."""
    import numpy as np

    part = np.ascontiguousarray(part)
    found = detect(part)
    boxes = []
    for corners in [] if found.boxes is None else np.asarray(found.boxes, float):
        low, high = np.floor(corners.min(axis=0) * scale), np.ceil(corners.max(axis=0) * scale)
        box = (max(int(low[0]) + left, 0), max(int(low[1]) + top, 0),
               min(int(high[0]) + 1 + left, columns), min(int(high[1]) + 1 + top, rows))  # fmt: skip
        if box[0] < box[2] and box[1] < box[3]:
            boxes.append(box)
    return boxes


if __name__ == "__main__":
    raise SystemExit(main())
