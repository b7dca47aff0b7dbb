"""NIfTI: nothing written by people is left, the voxels are the same bytes."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cleanable import KEY, TOKEN, shared
from voxelhub_service.deid.nifti import clean_nifti
from voxelhub_service.deid.outcome import Held, Released

TEXTS = ("descrip", "aux_file", "intent_name", "db_name", "data_type", "unused_str")


def volume(kind: Any = nib.Nifti1Image, shape: tuple[int, ...] = (6, 5, 4), order: str = "<", dtype: str = "i2") -> bytes:
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype(dtype))
    image = kind(np.arange(np.prod(shape)).reshape(shape).astype(dtype), np.diag([2, 3, 4, 1]), header)
    for name in TEXTS:
        if name in image.header:
            image.header[name] = TOKEN[: image.header[name].dtype.itemsize]
    for code in (0, 2, 4, 6):
        image.header.extensions.append(nib.nifti1.Nifti1Extension(code, b"<x>" + TOKEN.encode() + b"</x>"))
    return bytes(image.to_bytes()) + TOKEN.encode()


def packed(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(TOKEN, "wb", fileobj=buffer, mtime=1234567890) as stream:
        stream.write(data)
    return buffer.getvalue()


def cleaned(data: bytes, folder: Path, **named: Any) -> tuple[Any, Path]:
    source, target = folder / "source.nii", folder / "clean"
    source.write_bytes(data)
    target.unlink(missing_ok=True)
    outcome = clean_nifti(source, target, key=KEY, **named)
    assert target.exists() == isinstance(outcome, Released)
    return outcome, target


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_texts_go_and_voxels_stay(tmp_path: Path, kind: Any, order: str, pack: bool) -> None:
    data = volume(kind, order=order)
    outcome, target = cleaned(packed(data) if pack else data, tmp_path)
    assert isinstance(outcome, Released), outcome
    raw = target.read_bytes()
    plain = gzip.decompress(raw) if pack else raw
    assert TOKEN.encode()[:6] not in plain and TOKEN.encode() not in raw
    before, after = kind.from_bytes(data), kind.from_bytes(plain)
    assert after.header.endianness == order and not after.header.extensions
    assert np.array_equal(before.affine, after.affine) and np.array_equal(before.dataobj, after.dataobj)
    assert before.header.get_zooms() == after.header.get_zooms()
    assert plain.endswith(np.asarray(before.dataobj.get_unscaled()).tobytes("F"))
    assert outcome.path.endswith(".nii.gz" if pack else ".nii")
    if pack:
        assert raw[3] == 0 and raw[4:8] == b"\0\0\0\0"  # neither a name nor a time (RFC 1952, section 2.3)


def test_the_name_depends_on_content_and_key_only(tmp_path: Path) -> None:
    names = {cleaned(packed(volume()), tmp_path)[0].path for _ in range(2)}
    assert len(names) == 1 and names != {cleaned(packed(volume(shape=(6, 5, 3))), tmp_path)[0].path}


@pytest.mark.parametrize("pack", [False, True])
def test_what_is_cut_off_is_held(tmp_path: Path, pack: bool) -> None:
    data = volume()[: 348 + 16]
    outcome, _ = cleaned(packed(data) if pack else data, tmp_path)
    assert isinstance(outcome, Held) and outcome.code == "not_whole" and not outcome.releasable
    half = packed(volume())[:150]
    outcome, _ = cleaned(half, tmp_path)
    assert isinstance(outcome, Held) and outcome.code == "not_whole"


def test_colour_is_held_and_can_be_released(tmp_path: Path) -> None:
    rgb = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    data = nib.Nifti1Image(np.zeros((4, 4, 2), rgb), np.eye(4)).to_bytes()
    outcome, _ = cleaned(data, tmp_path)
    assert isinstance(outcome, Held) and outcome.code == "no_region_rule"
    assert isinstance(cleaned(data, tmp_path, waived=True)[0], Released)


@pytest.mark.parametrize("name", ["volumes/nifti-small/anatomical.nii", "volumes/nifti-small/anatomical_label.nii.gz"])
def test_real_volumes(tmp_path: Path, name: str) -> None:
    source = shared(name)
    outcome, target = cleaned(source.read_bytes(), tmp_path)
    assert isinstance(outcome, Released)
    after = target.rename(tmp_path / ("after" + (".nii.gz" if name.endswith(".gz") else ".nii")))
    one, two = nib.load(source), nib.load(after)
    assert np.array_equal(one.get_fdata(), two.get_fdata()) and np.array_equal(one.affine, two.affine)


@settings(max_examples=200, deadline=None)
@given(
    flips=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=6), cut=st.integers(0, 900), pack=st.booleans()
)
def test_damage_never_raises(tmp_path: Path, flips: list[tuple[int, int]], cut: int, pack: bool) -> None:
    data = bytearray(packed(volume()) if pack else volume())
    for at, value in flips:
        data[at % len(data)] = value
    cleaned(bytes(data[: max(len(data) - cut, 1)]), tmp_path)
