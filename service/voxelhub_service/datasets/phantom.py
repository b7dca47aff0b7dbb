"""A synthetic chest CT of our own making: a body with lungs, a spine and one nodule, as DICOM slices and a NIfTI mask.

It is deterministic to the byte. HU values are textbook ones: air −1000, lung −850, soft tissue 40, bone 700, nodule 60.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROWS, COLUMNS, SLICES = 128, 144, 56
SPACING = (2.5, 2.75, 5.0)  # mm between columns, between rows, between slices
ORIGIN = (-180.0, -150.0, -140.0)  # mm, LPS, centre of the first voxel
NODULE_CENTRE, NODULE_RADIUS = (78.0, -6.0, 15.0), 14.0  # mm, LPS
NAMESPACE = uuid.UUID("6b9f1c8e-3f6a-5d0b-9c53-7a5b1a0c9d11")
SERIES_FOLDER, MASK_NAME = "chest-ct", "nodule-mask.nii.gz"


@dataclass(frozen=True)
class Phantom:
    """`ct` in HU and `mask`, both [column, row, slice]; `affine` to millimetres in RAS+."""

    ct: Any
    mask: Any
    affine: Any


def make_phantom() -> Phantom:
    axes = [
        origin + spacing * np.arange(count)
        for origin, spacing, count in zip(ORIGIN, SPACING, (COLUMNS, ROWS, SLICES), strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    body = (x / 160) ** 2 + ((y - 20) / 115) ** 2 < 1
    ct = np.where(body, 40.0, -1000.0)
    ct[body & ((x / 152) ** 2 + ((y - 20) / 107) ** 2 >= 1)] = -90  # fat under the skin
    for side in (-1, 1):
        ct[((x - side * 72) / 55) ** 2 + ((y - 12) / 78) ** 2 + (z / 130) ** 2 < 1] = -850
    ct[((x - 18) / 38) ** 2 + ((y + 12) / 42) ** 2 + ((z + 40) / 55) ** 2 < 1] = 45  # heart
    ct[(x / 8) ** 2 + ((y + 5) / 8) ** 2 < 1] = np.where(z > 40, -950, 45)[(x / 8) ** 2 + ((y + 5) / 8) ** 2 < 1]  # trachea
    spine = (x / 17) ** 2 + ((y - 100) / 15) ** 2 < 1
    ct[spine] = np.where(np.mod(z, 25) < 20, 700, 80)[spine]  # vertebrae and disks
    cx, cy, cz = NODULE_CENTRE
    mask = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 <= NODULE_RADIUS**2
    ct[mask] = 60
    noise = np.random.Generator(np.random.PCG64(20261125)).normal(0, 12, ct.shape)
    hu = np.clip(np.rint(ct + noise * (ct > -1000)), -1024, 3071).astype(np.int16)
    lps = np.diag([*SPACING, 1.0])
    lps[:3, 3] = ORIGIN
    return Phantom(hu, mask.astype(np.uint8), np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps)


def write_phantom(folder: Path) -> Phantom:
    """`chest-ct/slice-NNN.dcm` and `nodule-mask.nii.gz` below the folder; the same bytes each time."""
    phantom = make_phantom()
    (folder / SERIES_FOLDER).mkdir(parents=True, exist_ok=True)
    for number in range(SLICES):
        _write_slice(folder / SERIES_FOLDER / f"slice-{number + 1:03d}.dcm", phantom.ct[:, :, number].T, number)
    _write_mask(folder / MASK_NAME, phantom)
    return phantom


def uid(name: str) -> str:
    """Below 2.25, the root for UIDs made of UUIDs (ITU-T X.667; DICOM PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(NAMESPACE, name).int}"


def _write_slice(path: Path, pixels: Any, number: int) -> None:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, uid(f"slice {number}")
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, uid("implementation")
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    values: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyDate": "20260101",
        "StudyTime": "120000",
        "AccessionNumber": "",
        "Modality": "CT",
        "Manufacturer": "VoxelHub",
        "StudyDescription": "Synthetic phantom",
        "SeriesDescription": "Chest phantom",
        "ReferringPhysicianName": "",
        "PatientName": "Phantom^Synthetic",
        "PatientID": "PHANTOM",
        "PatientBirthDate": "",
        "PatientSex": "O",
        "PatientIdentityRemoved": "YES",
        "DeidentificationMethod": "synthetic, never a person",
        "SliceThickness": str(SPACING[2]),
        "KVP": "120",
        "PatientPosition": "HFS",
        "StudyInstanceUID": uid("study"),
        "SeriesInstanceUID": uid("series"),
        "StudyID": "1",
        "SeriesNumber": "1",
        "AcquisitionNumber": "1",
        "InstanceNumber": str(number + 1),
        "ImagePositionPatient": [str(ORIGIN[0]), str(ORIGIN[1]), str(ORIGIN[2] + number * SPACING[2])],
        "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
        "FrameOfReferenceUID": uid("frame"),
        "PositionReferenceIndicator": "",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": ROWS,
        "Columns": COLUMNS,
        "PixelSpacing": [str(SPACING[1]), str(SPACING[0])],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "WindowCenter": "40",
        "WindowWidth": "400",
        "RescaleIntercept": "0",
        "RescaleSlope": "1",
        "RescaleType": "HU",
    }
    for keyword, value in values.items():
        setattr(data, keyword, value)
    data.PixelData = np.ascontiguousarray(pixels, dtype="<i2").tobytes()
    data.save_as(path, enforce_file_format=True)


def _write_mask(path: Path, phantom: Phantom) -> None:
    import gzip

    import nibabel

    image = nibabel.Nifti1Image(phantom.mask, phantom.affine)
    image.header.set_xyzt_units("mm")
    with path.open("wb") as sink, gzip.GzipFile("", "wb", 6, sink, mtime=0) as packed:
        packed.write(image.to_bytes())
