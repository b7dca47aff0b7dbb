"""DICOM files through the cleaner: every transfer syntax, files that are not whole, what is held, what the output says."""

from __future__ import annotations

import random
import zlib
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian
from voxelhub_service.deid.dicom import clean_dicom
from voxelhub_service.deid.outcome import Held, Outcome, Released
from voxelhub_service.deid.profile import PROFILES
from voxelhub_service.deid.pseudonyms import Key
from voxelhub_service.deid.writing import write_file

KEY = Key(b"k" * 32)
HEADER = replace(PROFILES["research"], clean_pixel_data=False)
NAMES = (
    "CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "JPEG2000.dcm", "rtplan.dcm",
    "reportsi.dcm", "liver_1frame.dcm", "SC_rgb_jpeg_gdcm.dcm", "UN_sequence.dcm", "nested_priv_SQ.dcm",
)  # fmt: skip


def clean(source: Path | str, target: Path, *, key: Key = KEY, waived: bool = True) -> Outcome:
    return clean_dicom(Path(source), target, key=key, profile=HEADER, waived=waived)


@pytest.mark.parametrize("name", NAMES)
def test_every_transfer_syntax_is_read_and_written(name: str, tmp_path: Path) -> None:
    source = get_testdata_file(name)
    assert source
    outcome = clean(source, tmp_path / "out.dcm")
    if isinstance(outcome, Held):
        assert not (tmp_path / "out.dcm").exists() and outcome.code == "unreadable"
        return
    before, after = pydicom.dcmread(source, force=True), pydicom.dcmread(tmp_path / "out.dcm")
    syntax = before.file_meta.get("TransferSyntaxUID")
    assert after.file_meta.TransferSyntaxUID == (
        syntax if syntax and not syntax.is_deflated else after.file_meta.TransferSyntaxUID
    )
    assert after.PatientIdentityRemoved == "YES" and after.SOPInstanceUID == KEY.uid(before.SOPInstanceUID)
    assert (tmp_path / "out.dcm").read_bytes()[:132] == bytes(128) + b"DICM"
    if "PixelData" in before:
        assert (before.pixel_array == after.pixel_array).all()


def test_a_path_depends_on_content_and_key_only(tmp_path: Path) -> None:
    source = get_testdata_file("CT_small.dcm")
    one, again, other = (
        clean(source, tmp_path / str(n), key=key) for n, key in enumerate((KEY, Key(b"k" * 32), Key(b"o" * 32)))
    )
    assert isinstance(one, Released) and isinstance(again, Released) and isinstance(other, Released)
    assert one.path == again.path != other.path
    assert [len(part) for part in one.path.split("/")] == [12, 12, 16] and one.path.endswith(".dcm")
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes() != (tmp_path / "2").read_bytes()


def test_order_of_files_changes_nothing(tmp_path: Path) -> None:
    names = ["CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "reportsi.dcm"]
    first = {name: clean(get_testdata_file(name), tmp_path / name) and (tmp_path / name).read_bytes() for name in names}
    random.Random(3).shuffle(names)
    assert all(
        clean(get_testdata_file(name), tmp_path / name) and (tmp_path / name).read_bytes() == first[name] for name in names
    )


@pytest.mark.parametrize("cut", [0.3, 0.7, 0.97])
def test_a_file_cut_short_is_not_whole(cut: float, tmp_path: Path) -> None:
    whole = Path(get_testdata_file("CT_small.dcm")).read_bytes()
    (tmp_path / "in").write_bytes(whole[: int(len(whole) * cut)])
    outcome = clean(tmp_path / "in", tmp_path / "out")
    assert isinstance(outcome, Held) and outcome.code == "not_whole" and not outcome.releasable
    assert not (tmp_path / "out").exists()


def test_a_deflated_file_cut_short_is_not_whole(tmp_path: Path) -> None:
    whole = Path(get_testdata_file("image_dfl.dcm")).read_bytes()
    (tmp_path / "in").write_bytes(whole[:-500])
    outcome = clean(tmp_path / "in", tmp_path / "out")
    assert isinstance(outcome, Held) and outcome.code == "not_whole"
    assert zlib  # the stream itself says so


@pytest.mark.parametrize(
    "content", [b"", b"DICM", bytes(128) + b"DICM", b"\x00" * 4096, b"%PDF-1.7 not dicom" * 50], ids=range(5)
)
def test_what_is_no_dicom_is_unreadable(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(content)
    outcome = clean(tmp_path / "in", tmp_path / "out")
    assert isinstance(outcome, Held) and outcome.code in {"unreadable", "not_whole"} and not outcome.releasable


def test_bytes_behind_the_pixels_and_before_the_header_go(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.PixelData += b"QZXTOKEN0042"
    dataset.preamble = b"QZXTOKEN0042".ljust(128)
    dataset.save_as(tmp_path / "in")
    assert isinstance(clean(tmp_path / "in", tmp_path / "out"), Released)
    assert b"QZXTOKEN" not in (tmp_path / "out").read_bytes()
    assert (pydicom.dcmread(tmp_path / "out").pixel_array == dataset.pixel_array).all()


def test_fewer_pixels_than_said_are_not_whole(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.PixelData = dataset.PixelData[:-2000]
    dataset.save_as(tmp_path / "in")
    outcome = clean(tmp_path / "in", tmp_path / "out")
    assert isinstance(outcome, Held) and outcome.code == "not_whole"


@pytest.mark.parametrize(
    ("sop_class", "syntax", "code"),
    [
        ("1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.1.2.1", "document"),
        ("1.2.840.10008.5.1.4.1.1.9.4.1", "1.2.840.10008.1.2.1", "waveform_or_video"),
        ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.1.2.4.100", "waveform_or_video"),
    ],
)
def test_what_no_rule_makes_safe_is_held_until_waived(sop_class: str, syntax: str, code: str, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    del dataset.PixelData
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    if code == "document":
        dataset.EncapsulatedDocument = b"%PDF-1.7 QZX"
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(tmp_path / "in", implicit_vr=False, little_endian=True)
    held = clean(tmp_path / "in", tmp_path / "out", waived=False)
    assert isinstance(held, Held) and held.code == code and held.releasable and held.reason.endswith(".") and held.fix
    outcome = clean(tmp_path / "in", tmp_path / "out")
    assert isinstance(outcome, Released) and [each.code for each in outcome.report.findings] == ["waived"]
    after = pydicom.dcmread(tmp_path / "out")
    assert after.PatientID == KEY.patient(dataset.PatientID)
    assert code != "document" or after.EncapsulatedDocument.startswith(b"%PDF")


def test_a_dicomdir_has_its_own_sentence(tmp_path: Path) -> None:
    outcome = clean(get_testdata_file("DICOMDIR"), tmp_path / "out")
    assert isinstance(outcome, Held) and outcome.code == "directory" and not outcome.releasable


def test_no_sentence_holds_a_value(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.file_meta.TransferSyntaxUID = "1.2.3.4.5"
    dataset.save_as(tmp_path / "in", implicit_vr=False, little_endian=True)
    outcome = clean(tmp_path / "in", tmp_path / "out")
    assert isinstance(outcome, Held) and outcome.code == "unreadable" and "1.2.3" not in outcome.reason


def test_hostile_bytes_neither_crash_nor_pass(tmp_path: Path) -> None:
    draw = random.Random(11)
    whole = Path(get_testdata_file("reportsi.dcm")).read_bytes()
    for _ in range(120):
        hurt = bytearray(whole)
        for _ in range(draw.randint(1, 12)):
            hurt[draw.randrange(132, len(hurt))] = draw.randrange(256)
        (tmp_path / "in").write_bytes(hurt)
        outcome = clean(tmp_path / "in", tmp_path / "out")
        if isinstance(outcome, Released):
            after = pydicom.dcmread(tmp_path / "out")
            assert after.PatientIdentityRemoved == "YES"
            assert (
                after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
                or after.file_meta.TransferSyntaxUID.is_transfer_syntax
            )
        (tmp_path / "out").unlink(missing_ok=True)


def test_pixels_described_by_nonsense_are_unreadable(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    value = b"QZXTOKEN0042" * 2
    dataset[0x00080060] = RawDataElement(Tag(0x00080060), "SQ", len(value), value, 0, False, True)
    with (tmp_path / "in").open("wb") as file:
        write_file(file, dataset, implicit=False, little=True)
    outcome = clean(tmp_path / "in", tmp_path / "out")
    assert isinstance(outcome, Held) and outcome.code == "unreadable" and not (tmp_path / "out").exists()
