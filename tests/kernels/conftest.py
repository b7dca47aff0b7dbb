"""A DICOM series whose every value says where it lies, so that order, scale and place are checked at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1, 0, 0, 0, 1, 0)
CORONAL = (1, 0, 0, 0, 0, -1)
SAGITTAL = (0, 1, 0, 0, 0, -1)
OBLIQUE = (0.8, 0.6, 0, 0, 0, -1)


def value_at(lps: np.ndarray) -> np.ndarray:
    """The phantom: a linear function of the place (LPS, mm); three axes tell apart every flip and swap."""
    return 3 * lps[0] + 5 * lps[1] + 7 * lps[2]


def make_series(
    folder: Path, *, columns: int = 6, rows: int = 5, slices: int = 4, orientation: tuple[float, ...] = AXIAL,
    pixel_spacing: tuple[float, float] = (2.0, 1.5), step: float = 3.0, origin: tuple[float, float, float] = (-10.0, 20.0, 30.0),
    slope: float = 1, intercept: float = -200, phases: int = 1, edit: Callable[[Dataset, int], Any] | None = None,
    places: list[float] | None = None, number: Callable[[int], int] = lambda k: k + 1, series_uid: str | None = None,
) -> Path:
    """Write slices in file names that say nothing about their order. `edit(dataset, slice)` may change or spoil one."""
    folder.mkdir(parents=True, exist_ok=True)
    across, down = np.array(orientation[:3], float), np.array(orientation[3:], float)
    normal = np.cross(across, down)
    uid, study = series_uid or generate_uid(), generate_uid()
    for k in range(slices):
        position = np.array(origin) + normal * (places[k] if places else k * step)
        for phase in range(phases):
            r, c = np.mgrid[:rows, :columns]
            where = (position[:, None, None] + across[:, None, None] * c * pixel_spacing[1]
                     + down[:, None, None] * r * pixel_spacing[0])
            stored = np.round((value_at(where) + 1000 * phase - intercept) / slope).astype(np.int16)
            image = Dataset()
            image.file_meta = FileMetaDataset()
            image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            image.file_meta.MediaStorageSOPClassUID = CTImageStorage
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
            image.SOPClassUID, image.Modality, image.PatientID, image.PatientName = CTImageStorage, "CT", "P", "Test^Phantom"
            image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, uid, study
            image.SeriesNumber, image.InstanceNumber, image.AcquisitionNumber = 1, number(k), phase + 1
            image.ImagePositionPatient, image.ImageOrientationPatient = [f"{v:.6g}" for v in position], list(orientation)
            image.PixelSpacing, image.SliceThickness = list(pixel_spacing), step
            image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = rows, columns, 1, "MONOCHROME2"
            image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
            image.RescaleSlope, image.RescaleIntercept = slope, intercept
            image.PixelData = stored.tobytes()
            if edit:
                edit(image, k)
            pydicom.dcmwrite(folder / f"{image.SOPInstanceUID[-12:]}", image, enforce_file_format=True)
    return folder


@pytest.fixture
def series() -> Callable[..., Path]:
    return make_series
