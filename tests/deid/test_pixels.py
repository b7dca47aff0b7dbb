"""Rules, screening, masks and codings of DICOM pixels, with a finder that answers what the test tells it to."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless
from voxelhub_service.deid import codecs
from voxelhub_service.deid.boxes import Box
from voxelhub_service.deid.pixels import FinderFailed, clean_array, clean_pixels
from voxelhub_service.deid.profile import PROFILES
from voxelhub_service.deid.regions import plan_of
from voxelhub_service.deid.screening import suspicious

CT, DX, US, SC = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "1.1", "6.1", "7"))
SEG, SLIDE = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.77.1.6"
LETTERS = ["10001", "11001", "10101", "10011", "10001"]  # an N


class Seen:
    """Finds the box where the corner of a written block still differs from what surrounds it."""

    def __init__(self, *boxes: Box, never_gone: bool = False) -> None:
        self.boxes, self.never_gone, self.asked = boxes, never_gone, 0

    def find(self, image):
        self.asked += 1
        left = [box for box in self.boxes if np.ptp(image[box.top : box.bottom, box.left : box.right]) > 100]
        return list(self.boxes) if self.never_gone else left


class Broken:
    def find(self, image):
        raise FinderFailed


def dataset(pixels, *, sop_class=CT, modality="CT", signed=False, stored=None, syntax=ExplicitVRLittleEndian, **more) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.SOPClassUID, made.Modality = sop_class, modality
    colour = pixels.ndim >= 3 and pixels.shape[-1] == 3
    made.Rows, made.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    made.SamplesPerPixel, made.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        made.PlanarConfiguration = 0
    if pixels.ndim == 3 + colour:
        made.NumberOfFrames = len(pixels)
    bits = pixels.dtype.itemsize * 8
    made.BitsAllocated, made.BitsStored, made.PixelRepresentation = bits, stored or bits, int(signed)
    made.HighBit = made.BitsStored - 1
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    made.PixelData = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    made["PixelData"].VR = "OB" if bits == 8 else "OW"
    for name, value in more.items():
        setattr(made, name, value)
    return made


def noise(rows=128, columns=128, seed=1):
    return np.random.default_rng(seed).normal(1000, 40, (rows, columns)).astype(np.int16)


def write(image, top, left, value, letters=12):
    for number in range(letters):
        for row, bits in enumerate(LETTERS):
            for column, bit in enumerate(bits):
                if bit == "1":
                    image[top + row, left + 6 * number + column] = value


def cleaned(made, finder=None, waived=False):
    return clean_pixels(made, profile=PROFILES["research"], finder=finder, waived=waived)


@pytest.mark.parametrize("value", [0, 2047, 4095, 1600])
def test_text_at_any_constant_value_makes_a_slice_suspicious(value):
    image = noise()
    assert not suspicious(image)
    write(image, 60, 30, value)
    assert suspicious(image)


def test_a_slice_without_text_is_screened_and_stays_bit_for_bit():
    made = dataset(noise(), signed=True)
    before, finder = made.PixelData, Seen()
    assert cleaned(made, finder).kind == "screened"
    assert made.PixelData == before
    assert finder.asked == 0


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_found_text_is_masked_and_all_else_stays(syntax):
    image = noise()
    write(image, 60, 30, 4095)
    made, box = dataset(image, signed=True, syntax=syntax), Box(30, 60, 102, 65)
    outcome = cleaned(made, Seen(box))
    assert (outcome.kind, outcome.boxes, outcome.codes) == ("masked", 1, ["113101"])
    after = made.pixel_array
    assert np.ptp(after[60:65, 30:102]) == 0
    outside = np.ones(image.shape, bool)
    outside[40:85, 20:112] = False
    assert np.array_equal(after[outside], image[outside])


def test_text_that_does_not_go_holds_the_image_and_leaves_it_as_it_was():
    image = noise()
    write(image, 60, 30, 4095)
    made = dataset(image, signed=True)
    before = made.PixelData
    outcome = cleaned(made, Seen(Box(30, 60, 102, 65), never_gone=True))
    assert (outcome.kind, outcome.code) == ("hold", "text_in_pixels")
    assert outcome.held is not None and outcome.held.findings[0].count >= 1
    assert made.PixelData == before


@pytest.mark.parametrize("finder", [None, Broken()])
def test_nobody_to_read_a_suspicious_image_holds_it(finder):
    image = noise()
    write(image, 60, 30, 4095)
    assert cleaned(dataset(image, signed=True), finder).code == "text_in_pixels"
    assert cleaned(dataset(image, signed=True), finder, waived=True).kind != "hold"


def test_projections_and_localizers_are_always_read():
    finder = Seen()
    assert cleaned(dataset(noise(), sop_class=DX, modality="DX"), finder).kind == "read"
    assert cleaned(dataset(noise(), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), finder).kind == "read"
    assert finder.asked >= 2
    assert cleaned(dataset(noise(), sop_class=DX, modality="DX")).code == "text_in_pixels"


def test_what_says_it_has_burned_in_text_is_held():
    made = dataset(noise(), BurnedInAnnotation="YES")
    assert cleaned(made, Seen()).code == "burned_in"
    assert cleaned(made, Seen(), waived=True).kind == "screened"


@pytest.mark.parametrize(("sop_class", "modality"), [(US, "US"), (SC, "OT"), (SC, "CT"), (DX, "US")])
def test_ultrasound_and_captures_without_a_rule_are_held(sop_class, modality):
    assert cleaned(dataset(noise(), sop_class=sop_class, modality=modality), Seen()).code == "no_region_rule"


def region(left, top, right, bottom) -> Dataset:
    made = Dataset()
    made.RegionLocationMinX0, made.RegionLocationMinY0 = left, top
    made.RegionLocationMaxX1, made.RegionLocationMaxY1 = right, bottom
    return made


def test_ultrasound_keeps_its_regions_and_nothing_else():
    frames = np.random.default_rng(2).integers(0, 255, (4, 64, 80, 3), np.uint8)
    made = dataset(frames, sop_class=US, modality="US", SequenceOfUltrasoundRegions=[region(10, 20, 69, 59)])
    assert cleaned(made, Seen()).kind == "masked"
    after = made.pixel_array
    assert np.array_equal(after[:, 20:60, 10:70], frames[:, 20:60, 10:70])
    outside = after.copy()
    outside[:, 20:60, 10:70] = after[:, :1, :1]
    assert all(np.ptp(frame.reshape(-1, 3), axis=0).max() == 0 for frame in outside)


@pytest.mark.parametrize("bad", [region(0, 0, 79, 63), Dataset(), region(100, 100, 120, 120)])
def test_regions_that_say_nothing_are_no_rule(bad):
    frame = np.zeros((64, 80), np.uint8)
    made = dataset(frame, sop_class=US, modality="US", SequenceOfUltrasoundRegions=[bad])
    assert cleaned(made, Seen()).code == "no_region_rule"


def test_a_device_rule_needs_maker_model_and_size():
    rule = [{"manufacturer": "Acme", "model": "Echo 1", "rows": 64, "columns": 80, "keep": [[5, 6, 70, 60]]}]
    made = dataset(np.zeros((64, 80), np.uint8), sop_class=US, modality="US")
    made.Manufacturer, made.ManufacturerModelName = "ACME ", "Echo 1"
    assert plan_of(made, rule).keep == (Box(5, 6, 70, 60),)
    made.Rows = 65
    assert plan_of(made, rule).keep == ()


def test_classes_without_pictures_of_people_are_untouched_and_labels_of_slides_held():
    pixels = np.zeros((16, 16), np.uint8)
    assert cleaned(dataset(pixels, sop_class=SEG, modality="SEG")).kind == "untouched"
    slide = dataset(pixels, sop_class=SLIDE, modality="SM", ImageType=["ORIGINAL", "PRIMARY", "VOLUME"])
    assert cleaned(slide).kind == "untouched"
    slide.ImageType = ["ORIGINAL", "PRIMARY", "LABEL"]
    assert cleaned(slide).code == "burned_in"


def test_overlays_in_unused_high_bits_are_cleared():
    image = np.random.default_rng(3).integers(0, 4095, (64, 64), np.uint16)
    made = dataset(image | np.uint16(0x8000), stored=12)
    outcome = cleaned(made, Seen())
    assert [each.code for each in outcome.findings] == ["unused bits"]
    assert np.array_equal(np.frombuffer(made.PixelData, "<u2").reshape(64, 64), image)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_coded_images_are_masked_and_written_uncompressed(syntax):
    image = noise().astype(np.uint16)
    write(image, 60, 30, 4095)
    made = dataset(image, stored=16)
    made.SOPInstanceUID = "1.2.3"
    made.compress(syntax, generate_instance_uid=False)
    outcome = cleaned(made, Seen(Box(30, 60, 102, 65)))
    assert (outcome.kind, outcome.lossy) == ("masked", False)
    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    after = np.frombuffer(made.PixelData, "<u2").reshape(image.shape)
    assert np.ptp(after[60:65, 30:102]) == 0
    assert np.array_equal(after[:40], image[:40])


def test_a_lossy_source_says_so_after_masking():
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.full((64, 128), 90, np.uint8)).save(stream, "JPEG", comment=b"PLANTED-IN-COMMENT")
    made = dataset(np.zeros((64, 128), np.uint8), sop_class=DX, modality="DX", syntax=JPEGBaseline8Bit)
    made.PixelData = encapsulate([stream.getvalue()])
    made["PixelData"].is_undefined_length = True
    assert cleaned(made, Seen()).kind == "read"
    assert b"PLANTED" not in made.PixelData
    assert codecs.LOSSY[str(made.file_meta.TransferSyntaxUID)] == "ISO_10918_1"
    (frame,) = generate_frames(made.PixelData, number_of_frames=1)
    assert codecs.strip_markers(frame).rstrip(b"\0") == frame.rstrip(b"\0")
    assert codecs.write_back(made, np.zeros((1, 64, 128), np.uint8), "MONOCHROME2")
    assert (made.LossyImageCompression, made.LossyImageCompressionMethod) == ("01", "ISO_10918_1")


def test_damaged_pixels_are_unreadable_and_not_releasable():
    made = dataset(noise(), sop_class=DX, modality="DX", syntax=JPEGBaseline8Bit)
    made.PixelData = encapsulate([b"\xff\xd8\xff\xe0nothing"])
    outcome = cleaned(made, Seen(), waived=True)
    assert (outcome.code, outcome.releasable) == ("unreadable", False)


def test_a_decoder_that_ends_its_process_ends_only_that(monkeypatch):
    """As GDCM does over some damaged JPEG streams."""
    made = dataset(noise().astype(np.uint8))
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    monkeypatch.setattr(codecs, "get_decoder", lambda _: SimpleNamespace(as_array=lambda *_, **__: os.kill(os.getpid(), 9)))
    with pytest.raises(codecs.Undecodable):
        list(codecs.frames(made))


def test_a_plain_picture_is_masked_too():
    picture = np.full((100, 200, 3), 10, np.uint8)
    picture[40:50:2, 50:150] = 255
    clean, boxes, gone = clean_array(picture, Seen(Box(50, 40, 150, 50)))
    assert gone and len(boxes) == 1
    assert np.ptp(clean) == 0
