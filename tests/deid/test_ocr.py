"""The reader of text as it really is: its child process, its answers, its deaths. Needs the environment `ocr`."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from voxelhub_service.deid.ocr import OcrProcess
from voxelhub_service.deid.pixels import FinderFailed, clean_array, clean_pixels
from voxelhub_service.deid.profile import PROFILES
from voxelhub_service.deid.screening import suspicious

ENVS = Path(__file__).parents[2] / ".envs"
pytestmark = pytest.mark.skipif(not (ENVS / "ocr/bin/python").exists(), reason="the environment ocr is not installed (make up)")


@pytest.fixture(scope="module")
def finder():
    with OcrProcess(ENVS) as process:
        yield process


def drawn(rows=256, columns=256, value=255, size=14, at=(40, 60)) -> np.ndarray:
    """0 where nothing is, `value` where "DOE JANE 1234567" stands."""
    picture = Image.new("L", (columns, rows))
    ImageDraw.Draw(picture).text(at, "DOE JANE 1234567", fill=255, font_size=size)
    return np.asarray(picture, np.float32) / 255 * value


def ct(image: np.ndarray) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.Modality, made.PhotometricInterpretation = "1.2.840.10008.5.1.4.1.1.2", "CT", "MONOCHROME2"
    made.Rows, made.Columns = image.shape
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 16, 16, 15, 1, 1
    made.PixelData = image.astype("<i2").tobytes()
    made["PixelData"].VR = "OW"
    return made


def test_it_finds_text_and_nothing_on_an_empty_picture(finder):
    assert finder.find(np.zeros((200, 300), np.uint8)) == []
    boxes = finder.find(drawn().astype(np.uint8))
    assert boxes
    assert min(box.left for box in boxes) <= 45 and max(box.right for box in boxes) >= 130
    assert all(40 < box.top < box.bottom < 100 for box in boxes)


def test_text_in_a_picture_larger_than_a_tile(finder):
    boxes = finder.find(drawn(2000, 2200, 200, size=16, at=(1700, 1500)).astype(np.uint8))
    assert any(1650 < box.left < box.right < 2000 and 1480 < box.top < box.bottom < 1540 for box in boxes)


def test_letters_in_one_colour_only_are_masked(finder):
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[..., 1] = drawn(value=200)
    clean, boxes, gone = clean_array(picture, finder)
    assert gone and boxes
    assert clean.max() < 60


def test_text_at_the_top_of_12_bits_is_masked_in_a_slice_and_all_else_stays(finder):
    image = np.maximum(np.random.default_rng(1).normal(1000, 40, (256, 256)), drawn(value=4095)).astype(np.int16)
    made = ct(image)
    assert suspicious(image)
    outcome = clean_pixels(made, profile=PROFILES["research"], finder=finder, waived=False)
    after = np.frombuffer(made.PixelData, "<i2").reshape(image.shape)
    assert outcome.kind == "masked"
    assert (after[drawn() > 120] < 2000).all()
    assert np.array_equal(after[120:], image[120:])
    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_a_picture_of_the_web_is_masked(finder):
    clean, boxes, gone = clean_array(drawn().astype(np.uint8), finder)
    assert gone and boxes
    assert clean.max() < 60


def test_a_child_that_died_is_started_again(finder):
    assert finder.find(drawn().astype(np.uint8))
    os.kill(finder._child.pid, signal.SIGKILL)
    assert finder.find(drawn().astype(np.uint8))


def test_a_child_that_cannot_start_or_hangs_is_a_failure(tmp_path):
    python = tmp_path / "ocr/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with OcrProcess(tmp_path) as broken, pytest.raises(FinderFailed):
        broken.find(np.zeros((40, 40), np.uint8))
    python.write_text("#!/bin/sh\nprintf '\\0\\0\\0\\0'\nexec sleep 60\n")
    with OcrProcess(tmp_path, timeout_s=0.2) as slow, pytest.raises(FinderFailed):
        slow.find(np.zeros((40, 40), np.uint8))
    with OcrProcess(tmp_path / "nowhere") as absent, pytest.raises(FinderFailed):
        absent.find(np.zeros((40, 40), np.uint8))
