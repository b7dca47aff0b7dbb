"""The door under files that are damaged by chance: each is released or held, the worker answers, and nobody hangs.

`pytest -m slow tests/service/test_door_fuzz.py` is the long form.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import tifffile
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.datasets.phantom import write_phantom
from voxelhub_service.datasets.storage import remove_tree
from voxelhub_service.imports import workshop
from voxelhub_service.imports.workshop import READER_FAILED, Bench, Workshop


def nested(depth: int) -> Dataset:
    data = Dataset()
    data.PatientID = "1"
    if depth:
        data.ReferencedSeriesSequence = Sequence([nested(depth - 1)])
    return data


def dicom(folder: Path, depth: int) -> bytes:
    data = pydicom.dcmread(sorted(folder.rglob("*.dcm"))[0])
    data.Rows = data.Columns = 8
    data.PixelData = bytes(128)
    data.ReferencedSeriesSequence = Sequence([nested(depth)])
    out = io.BytesIO()
    data.save_as(out)
    return out.getvalue()


def nifti() -> bytes:
    header = bytearray(352)
    struct.pack_into("<i8x", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 4, 4, 4, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    return bytes(header) + bytes(128)


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.csv", "a,b\n1,2\n")
        archive.writestr("c.txt", "hello " * 50)
    return out.getvalue()


def svs() -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((32, 32, 3), "u1"), tile=(16, 16), description="Aperio Image Library v1\r\n32x32|AppMag = 20")
    return out.getvalue()


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder)
    return {"a.dcm": dicom(folder, 1), "deep.dcm": dicom(folder, 40), "a.nii": nifti(), "a.zip": zipped(), "a.svs": svs()}


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Workshop, Workshop]]:
    work = tmp_path_factory.mktemp("work")
    known = workshop.PATIENCE
    workshop.PATIENCE = 30.0
    isolation = unavailable() is None
    benches = [Bench((), (work,), {"key": key, "profile": "research", "text": None}, 4 * 1024**3, isolation, 64 * 1024**2)
               for key in (None, "17" * 32)]
    with Workshop(benches[0], 1) as looking, Workshop(benches[1], 1) as cleaning:
        yield work, looking, cleaning
    workshop.PATIENCE = known


CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12)
NAMES = ["a.dcm", "deep.dcm", "a.nii", "a.zip", "a.svs"]


def damaged(data: bytes, changes: list[tuple[float, int]], kept: float, again: bool) -> bytes:
    out = bytearray(data)
    for where, value in changes:
        out[int(where * len(out))] = value
    out = out[: max(1, int(kept * len(out)))]
    return bytes(out + out if again else out)


def through(shops: tuple[Path, Workshop, Workshop], name: str, data: bytes) -> None:
    work, looking, cleaning = shops
    file, target = work / "file", work / "target"
    file.write_bytes(data)
    target.unlink(missing_ok=True)
    request = {"file": str(file), "path": name, "size": len(data)}
    looked = looking.one(request | {"op": "look"})
    assert ("held" in looked) + ("seen" in looked) + ("instance" in looked) == 1
    cleaned = cleaning.one(request | {"op": "clean", "into": str(target), "waived": False})
    assert ("held" in cleaned) != ("path" in cleaned)
    assert target.is_file() == ("path" in cleaned)
    for answer in (looked, cleaned):
        held: dict[str, Any] = answer.get("held", {})
        assert held.get("code") != READER_FAILED.code, "a reader that falls over its file is a defect of ours"
        assert not held or held["reason"].endswith(".")
    if name.endswith(".zip"):
        budget = {"bytes": 10**7, "files": 100, "ratio": 200}
        into = work / "unpacked"
        unpacked = looking.one(request | {"op": "unpack", "into": str(into), "budget": budget})
        assert ("held" in unpacked) != ("members" in unpacked)
        remove_tree(into)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_whole_is_answered(shops: Any, samples: dict[str, bytes], name: str) -> None:
    through(shops, name, samples[name])


@seed(20261125)
@settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(NAMES), changes=CHANGES, kept=st.sampled_from([1.0, 1.0, 0.9, 0.5, 0.1]), again=st.booleans())
def test_damaged_files(shops: Any, samples: dict[str, bytes], name: str, changes: Any, kept: float, again: bool) -> None:
    through(shops, name, damaged(samples[name], changes, kept, again))


@pytest.mark.slow
@seed(20261126)
@settings(max_examples=5000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(NAMES), changes=CHANGES, kept=st.floats(0, 1), again=st.booleans())
def test_damaged_files_for_long(shops: Any, samples: dict[str, bytes], name: str, changes: Any, kept: float, again: bool) -> None:
    through(shops, name, damaged(samples[name], changes, kept, again))
