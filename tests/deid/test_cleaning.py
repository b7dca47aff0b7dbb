"""The one way in: the right cleaner by content, a reason for everything else, and never an exception for content."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cleanable import KEY, TOKEN, WhiteFinder, jpeg_of, page_of, shared, tiff_of, tissue
from voxelhub_service.deid.cleaning import clean
from voxelhub_service.deid.outcome import Held, Released
from voxelhub_service.deid.profile import PROFILES


def cleaned(data: bytes, name: str, folder: Path, waived: bool = False) -> tuple[Any, Path]:
    source, target = folder / "source", folder / "clean"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    outcome = clean(source, name, target, key=KEY, profile=PROFILES["research"], waived=waived, finder=WhiteFinder())
    assert target.exists() == isinstance(outcome, Released)
    assert TOKEN not in repr(outcome)
    if isinstance(outcome, Held):
        assert outcome.reason.endswith(".") and outcome.code.replace("_", "").isalpha()
    return outcome, target


def zip_of(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, TOKEN)
    return buffer.getvalue()


def tar_of() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(TOKEN))
    return buffer.getvalue()


HELD = {
    "document": [b"%PDF-1.7\n" + TOKEN.encode(), zip_of("[Content_Types].xml", "word/document.xml"), b"{\\rtf1 x}",
                 b"<!DOCTYPE html><p>x",
                 b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)],
    "archive_inside": [zip_of("a.dcm"), tar_of(), gzip.compress(tar_of(), mtime=0), gzip.compress(b"abc", mtime=0),
                       b"7z\xbc\xaf'\x1c" + bytes(40),
                       b"Rar!\x1a\x07\0" + bytes(40), b"\x28\xb5\x2f\xfd" + bytes(40)],
    "unknown_format": [b"\x7fELF" + bytes(99), b"MZ" + bytes(99), pickle.dumps({"a": TOKEN}), b"\x93NUMPY" + bytes(99),
                       bytes(range(256)),
                       b"ZISRAWFILE" + bytes(99), b"\x5c\x01\0\0" + bytes(400)],
    "free_text": [b"Dear colleague,\nthis patient came.\n", b"# Title\n\ntext\n"],
    "waveform_or_video": [b"\0\0\0\x18ftypmp42" + bytes(99)],
    "unreadable": [b""],
}  # fmt: skip


@pytest.mark.parametrize(("code", "data"), [(code, data) for code, listed in HELD.items() for data in listed])
def test_what_no_rule_makes_safe_is_held(tmp_path: Path, code: str, data: bytes) -> None:
    outcome, target = cleaned(data, "x", tmp_path)
    assert isinstance(outcome, Held) and outcome.code == code, outcome
    released, _ = cleaned(data, f"{TOKEN}.{TOKEN}", tmp_path, waived=True)
    if code == "unreadable":
        assert isinstance(released, Held)
    else:
        assert isinstance(released, Released) and target.read_bytes() == data
        assert released.path.startswith("files/file-") and released.path.endswith(".bin")
        assert ("waived", code) in [(finding.code, finding.where) for finding in released.report.findings]


GOOD = {
    "slide.svs": tiff_of([page_of(tissue(256, 256), tile=128), page_of(tissue(128, 128), tile=128)]),
    "photo.jpg": jpeg_of(tissue(32, 32)),
    "reads.fastq": f"@{TOKEN}\nACGT\n+\nIIII\n".encode(),
    "reads.fq.gz": gzip.compress(f"@{TOKEN}\nACGT\n+\nIIII\n".encode()),
    "genome.fasta": f">{TOKEN}\nACGT\n".encode(),
    "table.csv": f"subject,age\n{TOKEN},4\n{TOKEN},5\n".encode(),
    "table.tsv": f"subject\tage\n{TOKEN}\t4\n".encode(),
    "side.json": json.dumps({"EchoTime": 1, "PatientName": TOKEN}).encode(),
    "x.bvec": b"0 1 0\n1 0 0\n",
}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_what_a_rule_makes_safe_is_released(tmp_path: Path, name: str) -> None:
    outcome, target = cleaned(GOOD[name], f"{TOKEN}/{name}", tmp_path)
    assert isinstance(outcome, Released), outcome
    raw = target.read_bytes()
    assert TOKEN.encode() not in (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw)
    json.dumps(outcome.report.to_json())


def test_a_name_that_says_what_its_content_is_not(tmp_path: Path) -> None:
    for name in ("a.svs", "a.dcm", "a.png", "a.tif"):
        outcome, _ = cleaned(b"some words that are no picture\n", name, tmp_path)
        assert isinstance(outcome, Held) and outcome.code == "unreadable" and not outcome.releasable
    outcome, _ = cleaned(shared("wsi/broken.svs").read_bytes(), "broken.svs", tmp_path)
    assert isinstance(outcome, Held) and outcome.code == "unreadable"


def test_a_bids_tree_keeps_its_paths(tmp_path: Path) -> None:
    folder = f"study/sub-{TOKEN}/anat/sub-{TOKEN}_T1w"
    outcome, _ = cleaned(GOOD["side.json"], f"{folder}.json", tmp_path)
    assert isinstance(outcome, Released) and outcome.path.endswith("_T1w.json") and outcome.path.startswith("sub-P")
    outcome, _ = cleaned(f"participant_id\tage\nsub-{TOKEN}\t4\n".encode(), "study/participants.tsv", tmp_path)
    assert isinstance(outcome, Released) and outcome.path == "participants.tsv"
    subject = (tmp_path / "clean").read_text().split("\n")[1].split("\t")[0]
    assert cleaned(GOOD["side.json"], f"{folder}.json", tmp_path)[0].path.startswith(subject + "/")
    # A name that says BIDS does not make a file of another kind pass for one.
    assert cleaned(GOOD["reads.fastq"], f"{folder}.json", tmp_path)[0].path.startswith("files/reads-")


def test_broken_files_stay_held_whatever_was_decided(tmp_path: Path) -> None:
    for name, data in GOOD.items():
        if name.endswith((".svs", ".jpg", ".gz", ".fastq")):
            outcome, _ = cleaned(data[: len(data) * 2 // 3], name, tmp_path, waived=True)
            assert isinstance(outcome, Held) and not outcome.releasable, name


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(GOOD)), flips=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=5),
       cut=st.integers(0, 4000), waived=st.booleans())  # fmt: skip
def test_damage_never_raises(tmp_path: Path, name: str, flips: list[tuple[int, int]], cut: int, waived: bool) -> None:
    data = bytearray(GOOD[name])
    for at, value in flips:
        data[at % len(data)] = value
    source, target = tmp_path / "source", tmp_path / "clean"
    source.write_bytes(bytes(data[: len(data) - cut % len(data)]))
    target.unlink(missing_ok=True)
    outcome = clean(source, name, target, key=KEY, profile=PROFILES["research"], waived=waived, finder=WhiteFinder())
    assert target.exists() == isinstance(outcome, Released)


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=400),
    start=st.sampled_from([b"", b"II*\0", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b\x08", b"\\\1\0\0"]),
)
def test_any_bytes_never_raise(tmp_path: Path, data: bytes, start: bytes) -> None:
    source, target = tmp_path / "source", tmp_path / "clean"
    source.write_bytes(start + data)
    target.unlink(missing_ok=True)
    outcome = clean(source, "x", target, key=KEY, profile=PROFILES["research"], finder=WhiteFinder())
    assert target.exists() == isinstance(outcome, Released)


def test_a_waived_dicom_file_is_never_copied_with_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where its own cleaner holds it for a reason that could be waived."""
    from voxelhub_service.deid import dicom

    data = bytes(128) + b"DICM" + TOKEN.encode() + bytes(200)
    monkeypatch.setattr(dicom, "clean_dicom", lambda *_, **__: Held("too_large", "It is too large."))
    outcome, target = cleaned(data, "a.dcm", tmp_path, waived=True)
    assert isinstance(outcome, Held) and not target.exists()
