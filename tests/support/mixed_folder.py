"""A folder as a clinic would export it: a long series of our phantom, an invented patient, and three bad files."""

from __future__ import annotations

from pathlib import Path

import numpy
import pydicom
from PIL import Image, ImageDraw
from voxelhub_service.datasets import phantom

FAMILY, NUMBER = "Mustermann", "PX-4711"  # of nobody: what the door must remove
TRUNCATED, BURNED_IN, PDF = "IM0050.dcm", "IM0104.dcm", "Befund.pdf"
SLICES = 199
USED = 36  # slices of the phantom, from below: those with its windpipe look like text at first, and reading takes time
DEPTH = phantom.SPACING[2] * USED  # mm


def write_folder(folder: Path) -> Path:
    """200 files: 199 slices of the phantom, thinner than its own, of one series, and a PDF.

    One slice is cut off, one says that names are burned into it.
    """
    folder.mkdir(parents=True)
    template = _template(folder.parent / "template")
    voxels = phantom.make_phantom().ct
    for number in range(1, SLICES + 1):
        nearest = round((number - 1) / (SLICES - 1) * (USED - 1))
        path = folder / f"IM{number:04d}.dcm"
        _write_slice(path, template, voxels[:, :, nearest].T, number, phantom.ORIGIN[2] + (number - 1) * DEPTH / SLICES)
    whole = (folder / TRUNCATED).read_bytes()
    (folder / TRUNCATED).write_bytes(whole[: len(whole) * 2 // 3])
    (folder / PDF).write_bytes(pdf(f"Befund {FAMILY}"))
    return folder


def _template(folder: Path) -> pydicom.Dataset:
    phantom.write_phantom(folder)
    data = pydicom.dcmread(folder / phantom.SERIES_FOLDER / "slice-001.dcm")
    data.PatientName, data.PatientID, data.PatientBirthDate = f"{FAMILY}^Erika", NUMBER, "19640812"
    data.ReferringPhysicianName, data.InstitutionName, data.AccessionNumber = "Doktor^Haus", "Klinikum Nirgendwo", "A-4711"
    data.PatientIdentityRemoved = "NO"
    del data.DeidentificationMethod
    data.StudyInstanceUID, data.SeriesInstanceUID = phantom.uid("door study"), phantom.uid("door series")
    data.FrameOfReferenceUID = phantom.uid("door frame")
    data.SliceThickness = f"{DEPTH / SLICES:.4f}"
    return data


def _write_slice(path: Path, data: pydicom.Dataset, pixels: numpy.ndarray, number: int, z: float) -> None:
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = phantom.uid(f"door {number}")
    data.InstanceNumber = number
    data.ImagePositionPatient = [*(str(each) for each in phantom.ORIGIN[:2]), f"{z:.3f}"]
    data.BurnedInAnnotation = "NO"
    if path.name == BURNED_IN:
        data.BurnedInAnnotation = "YES"
        picture = Image.fromarray(pixels.astype("int32"))
        ImageDraw.Draw(picture).text((4, 4), "SCALE 10 CM", fill=1500)
        pixels = numpy.asarray(picture)
    data.PixelData = numpy.ascontiguousarray(pixels, dtype="<i2").tobytes()
    data.save_as(path, enforce_file_format=True)


def pdf(text: str) -> bytes:
    """A page with one line."""
    stream = f"BT /F1 18 Tf 60 760 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    return body + b"xref\n0 5\n0000000000 65535 f \n" + table + trailer
