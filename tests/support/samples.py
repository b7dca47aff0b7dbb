"""Small synthetic images that tests make themselves; nothing of a patient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


def ball(shape: tuple[int, int, int] = (48, 48, 24)) -> np.ndarray[Any, Any]:
    """A bright ball in air, in Hounsfield units, int16, indexed [x, y, z]."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    radius = np.sqrt((grid**2).sum(axis=0))
    return np.where(radius < 0.8, 40 + 600 * (0.8 - radius), -1000).astype(np.int16)


def write_volume(path: Path, shape: tuple[int, int, int] = (48, 48, 24)) -> Path:
    nib.save(nib.Nifti1Image(ball(shape), np.diag([2.0, 2.0, 3.0, 1.0])), path)
    return path


def write_mask(path: Path, shape: tuple[int, int, int] = (48, 48, 24)) -> Path:
    """On the grid of `write_volume`."""
    nib.save(nib.Nifti1Image((ball(shape) > 200).astype(np.uint8), np.diag([2.0, 2.0, 3.0, 1.0])), path)
    return path


def write_ct_series(folder: Path, shape: tuple[int, int, int] = (48, 48, 24)) -> Path:
    """The ball as a CT series, one file a slice."""
    folder.mkdir(parents=True)
    voxels, study, series, frame = ball(shape), generate_uid(), generate_uid(), generate_uid()
    for k in range(voxels.shape[2]):
        _slice(voxels[:, :, k].T, k, study, series, frame).save_as(folder / f"{k:03d}.dcm", enforce_file_format=True)
    return folder


def _slice(pixels: np.ndarray[Any, Any], k: int, study: str, series: str, frame: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
    ds.PatientName, ds.PatientID, ds.Modality, ds.SeriesDescription = "Phantom", "phantom", "CT", "synthetic ball"
    ds.StudyDate, ds.StudyTime, ds.SeriesNumber, ds.InstanceNumber = "20260101", "080000", 1, k + 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-48.0, -48.0, 3.0 * k], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.SpacingBetweenSlices = [2.0, 2.0], 3.0, 3.0
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "HU"
    ds.PixelData = np.ascontiguousarray(pixels).astype("<i2").tobytes()
    return ds
