"""The CT series of the journeys: a real one where ../shared/data is, else the project's own synthetic one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy
from numpy.typing import NDArray
from voxelhub_service.datasets import phantom as synthetic

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("VOXELHUB_SHARED", ROOT.parent / "shared")) / "data"


@dataclass(frozen=True)
class Study:
    """A DICOM series, the NIfTI it must become (RAS+, mm), and a mask on the same grid."""

    series: list[Path]
    array: NDArray[numpy.float64]
    affine: NDArray[numpy.float64]
    mask: Path
    real: bool


def make_study(folder: Path) -> Study:
    """`folder` receives the synthetic study, or nothing where the real one is at hand."""
    real = SHARED / "volumes" / "sts" / "STS_002" / "CT"
    if real.is_dir():
        reference, mask, series = real / "expected_image.nii.gz", real / "expected_mask.nii.gz", real / "dicom"
        array, affine = canonical(reference)
        return Study(sorted(series.glob("*.dcm")), array, affine, mask, real=True)
    phantom = synthetic.write_phantom(folder)
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(phantom.ct, phantom.affine))
    slices = sorted((folder / synthetic.SERIES_FOLDER).iterdir())
    return Study(slices, numpy.asarray(image.dataobj, dtype=float), image.affine, folder / synthetic.MASK_NAME, real=False)


def canonical(path: Path) -> tuple[NDArray[numpy.float64], NDArray[numpy.float64]]:
    """Voxels and affine of a NIfTI file after reorientation to RAS+."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    return numpy.asarray(image.dataobj, dtype=float), numpy.asarray(image.affine)


def assert_same_volume(path: Path, study: Study) -> None:
    array, affine = canonical(path)
    assert array.shape == study.array.shape
    assert numpy.array_equal(array, study.array)
    assert numpy.allclose(affine, study.affine, atol=1e-3)
