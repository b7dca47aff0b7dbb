"""Series that make no even stack are flagged before any tool sees them; real ones that do are not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
from support.study import SHARED
from voxelhub_service.datasets import geometry, series
from voxelhub_service.datasets.describing import Description, describe
from voxelhub_service.datasets.phantom import SERIES_FOLDER, SLICES, SPACING, write_phantom
from voxelhub_service.datasets.sniff import sniff

STEP = SPACING[2]


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> list[series.Instance]:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder)
    files = sorted((folder / SERIES_FOLDER).iterdir())
    found = [sniff(file, file.name) for file in files]
    assert all(isinstance(one, series.Instance) for one in found) and len(found) == SLICES
    return found  # type: ignore[return-value]


def codes(slices: list[series.Instance]) -> list[str]:
    return [flag["code"] for flag in geometry.flags(slices)]


def again(one: series.Instance, uid: str = "") -> series.Instance:
    return replace(one, path=f"again/{one.path}", uid=uid or one.uid)


def tilted(degrees: float) -> Callable[[list[series.Instance]], list[series.Instance]]:
    """The gantry turned about the x axis, the table moved along z: the images lean, their positions do not."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def turn(some: list[series.Instance]) -> list[series.Instance]:
        return [replace(one, orientation=(1, 0, 0, 0, cosine, sine)) for one in some]

    return turn


CASES: dict[str, tuple[Callable[[list[series.Instance]], list[series.Instance]], list[str]]] = {
    "as it is": (lambda s: s, []),
    "in any order": (lambda s: s[::-1], []),
    "one slice": (lambda s: s[:1], []),
    "two slices": (lambda s: s[:2], []),
    "one missing": (lambda s: s[:7] + s[8:], ["missing_slices"]),
    "three missing": (lambda s: s[:7] + s[8:12] + s[14:], ["missing_slices"]),
    "one doubled": (lambda s: [*s, again(s[4])], ["duplicate_instances"]),
    "another at the same place": (lambda s: [*s, again(s[4], "2.25.1")], ["duplicate_positions"]),
    "all in two phases": (lambda s: s + [again(one, f"{one.uid}.1") for one in s], []),
    "two phases, one image lost": (lambda s: s + [again(one, f"{one.uid}.1") for one in s[1:]], ["duplicate_positions"]),
    "a localizer in it": (lambda s: [replace(s[0], orientation=(0, 1, 0, 0, 0, -1)), *s[1:]], ["mixed_orientation"]),
    "another matrix": (lambda s: [replace(s[0], rows=7), *s[1:]], ["mixed_size"]),
    "another pixel": (lambda s: [replace(s[0], spacing=(0.1, 0.1)), *s[1:]], ["mixed_spacing"]),
    "tilted": (tilted(15), ["gantry_tilt"]),
    "tilted the other way": (tilted(-15), ["gantry_tilt"]),
    "tilted by a rounding": (tilted(0.1), []),
    "without positions": (lambda s: [replace(one, position=(), orientation=()) for one in s], []),
    "one without a position": (lambda s: [replace(s[0], position=()), *s[1:]], ["no_position"]),
    "no direction at all": (lambda s: [replace(one, orientation=(1, 0, 0, 1, 0, 0)) for one in s], ["bad_orientation"]),
    "uneven": (lambda s: [moved(one, 0.3 * STEP * (number % 2)) for number, one in enumerate(s)], ["uneven_spacing"]),
    "rounded": (lambda s: [moved(one, 0.004 * (number % 3)) for number, one in enumerate(s)], []),
}


def moved(one: series.Instance, by: float) -> series.Instance:
    x, y, z = one.position
    return replace(one, position=(x, y, z + by))


@pytest.mark.parametrize("case", CASES)
def test_flags(phantom: list[series.Instance], case: str) -> None:
    change, expected = CASES[case]
    assert codes(change(list(phantom))) == expected


def test_flags_do_not_depend_on_the_order(phantom: list[series.Instance]) -> None:
    some = phantom[:3] + phantom[5:8]
    assert {tuple(codes(list(order))) for order in itertools.permutations(some)} == {("missing_slices",)}


def test_sentences(phantom: list[series.Instance]) -> None:
    (missing,) = geometry.flags(phantom[:7] + phantom[8:])
    assert missing["text"] == f"1 slice seems to be missing: slices are {STEP:.4g} mm apart, but at one place {2 * STEP:.4g} mm."
    (tilt,) = geometry.flags(tilted(15)(phantom))
    assert "15.0°" in tilt["text"]
    (double,) = geometry.flags([*phantom, again(phantom[0])])
    assert double["text"] == f"1 of its {SLICES + 1} images is there already: one instance in two files."


def test_an_oblique_stack_is_not_tilted(phantom: list[series.Instance]) -> None:
    """Rows along (1, 1, 0)/√2, steps along the normal."""
    root = math.sqrt(0.5)
    some = [
        replace(one, orientation=(root, root, 0, 0, 0, 1), position=(root * k, -root * k, 0)) for k, one in enumerate(phantom)
    ]
    assert codes(some) == []


def written(folder: Path, change: Callable[[int, Any], bool]) -> Description:
    """The phantom as files again; `change` edits a slice and says whether it stays."""
    write_phantom(folder)
    for number, file in enumerate(sorted((folder / SERIES_FOLDER).iterdir())):
        data = pydicom.dcmread(file)
        keep = change(number, data)
        file.unlink()
        if keep:
            data.save_as(file, enforce_file_format=True)
    return describe(folder, [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()])[0]


def test_from_files_to_the_entry(tmp_path: Path) -> None:
    assert "flags" not in written(tmp_path / "even", lambda number, data: True).meta
    holed = written(tmp_path / "holed", lambda number, data: number != 5)
    assert [flag["code"] for flag in holed.meta["flags"]] == ["missing_slices"]

    def turn(number: int, data: Any) -> bool:
        if number == 5:
            data.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        return True

    assert [flag["code"] for flag in written(tmp_path / "turned", turn).meta["flags"]] == ["mixed_orientation"]


def test_positions_that_are_no_numbers(tmp_path: Path) -> None:
    def spoil(number: int, data: Any) -> bool:
        if number == 5:
            data.ImagePositionPatient = None
        return True

    assert [flag["code"] for flag in written(tmp_path / "spoiled", spoil).meta["flags"]] == ["no_position", "missing_slices"]


REAL = {
    "volumes/sts/STS_002/CT/dicom": [],
    "volumes/sts/STS_002/MR_T1/dicom": [],
    "volumes/sts/STS_002/PET/dicom": [],
    "breast-mri/dce/UCSF-BR-06/dce_3dfgre_orig": [],
    "breast-mri/dce/UCSF-BR-06/dce_pe1": [],
    "dicom/seg-with-source/image": [],
    "deid/pseudo-phi-series/before": [],
    "volumes/ct-tiny-series": ["missing_slices"],  # slices 18 and 180 to 182 of a longer one
    "deid/pseudo-phi-series/after-penn-profile": ["missing_slices"],  # 1, 8 and 10 of 12
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the test inputs (../shared/data) are not on this machine")
@pytest.mark.parametrize("folder", REAL)
def test_real_series(folder: str) -> None:
    root = SHARED / folder
    (found,) = describe(root, sorted(path.name for path in root.iterdir() if path.is_file()))
    assert [flag["code"] for flag in found.meta.get("flags", [])] == REAL[folder]
