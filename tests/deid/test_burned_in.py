"""../shared/data/deid/burned-in: every annotated text is covered, or the file is held; what it cost is printed.

A text counts as left when any contrast is left in its box and more than a hundredth of the box was not masked: white
letters on saturated white cannot be seen by anybody. The numbers of `screening` were tuned on these images.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from voxelhub_service.deid.ocr import OcrProcess
from voxelhub_service.deid.pixels import clean_pixels
from voxelhub_service.deid.profile import PROFILES

ENVS = Path(__file__).parents[2] / ".envs"
FOLDER = Path(__file__).parents[3] / "shared/data/deid/burned-in"
MOST_HELD, NEAR = 0.2, 6

pytestmark = [
    pytest.mark.skipif(not (ENVS / "ocr/bin/python").exists(), reason="the environment ocr is not installed (make up)"),
    pytest.mark.skipif(not FOLDER.is_dir(), reason="../shared/data/deid/burned-in is not here"),
]


def texts(file: Path) -> list[list[int]]:
    pairs = json.loads(file.with_suffix(".json").read_text())["annotation"]
    found = [part["bbox"] for pair in pairs for part in pair.values() if part.get("bbox")]
    return [box for box in found if box[2] > box[0] and box[3] > box[1]]


def left_in(after: np.ndarray, changed: np.ndarray, box: list[int]) -> bool:
    part = (slice(box[1], box[3]), slice(box[0], box[2]))
    if not after[part].size or after[part].min() == after[part].max():
        return False
    values, counts = np.unique(after[changed], return_counts=True)
    fill = values[counts.argmax()] if values.size else None
    return fill is None or float((after[part] != fill).mean()) > 0.01


def test_every_burned_in_text_is_covered_or_the_file_held(capsys):
    files, held, boxes, lost, outside = sorted(FOLDER.glob("*.dcm")), 0, 0, [], []
    with OcrProcess(ENVS) as finder:
        for file in files:
            dataset = pydicom.dcmread(file)
            before = dataset.pixel_array.copy()
            outcome = clean_pixels(dataset, profile=PROFILES["research"], finder=finder, waived=False)
            if outcome.kind == "hold":
                held += 1
                continue
            after, near = dataset.pixel_array, np.zeros(before.shape, bool)
            changed = before != after
            for box in texts(file):
                boxes += 1
                near[max(box[1] - NEAR, 0) : box[3] + NEAR, max(box[0] - NEAR, 0) : box[2] + NEAR] = True
                if left_in(after, changed, box):
                    lost.append((file.name, box))
            outside.append(float((changed & ~near).mean()))
    with capsys.disabled():
        share = f"{np.mean(outside):.1%} of an image's pixels, {max(outside):.1%} at most"
        print(f"\nburned-in: {len(files)} files, {held} held, {boxes} texts, {len(lost)} left; changed outside: {share}")
    assert len(files) >= 14
    assert lost == []
    assert held <= MOST_HELD * len(files)
