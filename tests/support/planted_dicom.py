"""DICOM objects for the planted corpus: small, valid where it says so, with an invented person in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, dcmwrite
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage
from support.planted import PERSON, Planter

SIDE = 16


def put(dataset: Dataset, tag: int | str, value: bytes | str, vr: str = "") -> None:
    """An element with exactly these bytes, whether its VR allows them or not; pydicom would decode private ones."""
    number = Tag(tag_for_keyword(tag) if isinstance(tag, str) else tag)
    vr = vr or dictionary_VR(number)
    data = value.encode() if isinstance(value, str) else value
    if len(data) % 2:
        data += b"\0" if vr in ("UI", "OB", "UN") else b" "
    dataset._dict[number] = RawDataElement(number, vr, len(data), data, 0, False, True)


def meta_of(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.TransferSyntaxUID, meta.ImplementationClassUID = syntax, "1.2.826.0.1.3680043.8.498.1"
    return meta


def write(path: Path, dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> None:
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = meta_of(dataset, syntax)
    dataset.preamble = getattr(dataset, "preamble", None) or b"\0" * 128
    as_it_is(dataset, dataset.file_meta.TransferSyntaxUID)
    dcmwrite(path, dataset, enforce_file_format=True)


def as_it_is(dataset: Dataset, syntax: str) -> None:
    """Tells pydicom that the raw elements are in the file's own encoding, so that it writes their bytes unseen."""
    dataset.set_original_encoding(syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian, dataset._character_set)
    for element in dataset.elements():
        if element.VR == "SQ" and not isinstance(element, RawDataElement):
            for item in element.value:
                as_it_is(item, syntax)


def identity(plant: Planter, dataset: Dataset, patient: str = "") -> None:
    """The modules Patient, Study and Equipment of the invented person, valid."""
    dataset.PatientName = (
        f"{plant.person('family name', 'given name', 'middle name')}^{PERSON['given name']}^{PERSON['middle name']}"
    )
    dataset.PatientID = patient or f"MRN-{plant.person('number')}"
    dataset.IssuerOfPatientID = plant.of_issuer()
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = plant.date("PatientBirthDate"), "F", "061Y"
    dataset.PatientAddress = f"14 {plant.person('street')} Lane"
    dataset.PatientTelephoneNumbers = f"+44 20 {plant.person('telephone')}"
    dataset.ReferringPhysicianName = f"{plant.person('physician')}^Edmund"
    dataset.InstitutionName = f"{plant.person('hospital')} General Hospital"
    dataset.AccessionNumber = plant.person("accession")
    dataset.StudyID = plant.word("StudyID")
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = dataset.AcquisitionDate = plant.date("StudyDate")
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = dataset.AcquisitionTime = "083015"
    dataset.StudyDescription = f"CT CHEST {PERSON['family name']} {plant.word('StudyDescription')}"
    dataset.SeriesDescription = f"AXIAL 5mm for Dr {PERSON['physician']} {plant.word('SeriesDescription')}"
    dataset.Manufacturer, dataset.ManufacturerModelName = "SIEMENS", plant.word("ManufacturerModelName")
    dataset.DeviceSerialNumber, dataset.StationName = plant.word("DeviceSerialNumber"), plant.word("StationName")
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.PositionReferenceIndicator = ""


def general(plant: Planter, sop_class: str, modality: str, patient: str = "") -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.Modality = sop_class, modality
    dataset.SOPInstanceUID, dataset.StudyInstanceUID = plant.uid("SOPInstanceUID"), plant.uid("StudyInstanceUID")
    dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = plant.uid("SeriesInstanceUID"), plant.uid("FrameOfReferenceUID")
    identity(plant, dataset, patient)
    return dataset


def pixels_of(seed: int, side: int = SIDE) -> np.ndarray[Any, Any]:
    """A soft picture of 12 bits, int16, without any text."""
    row, column = np.mgrid[0:side, 0:side]
    return (1000 + 600 * np.sin((row + seed) / 5.0) + 500 * np.cos((column + 2 * seed) / 7.0)).astype("<i2")


def put_pixels(dataset: Dataset, pixels: np.ndarray[Any, Any], signed: bool = True) -> None:
    """Gray frames (rows x columns, frames x rows x columns) or colour (rows x columns x 3, 8 bit)."""
    colour = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[-1] == 3
    frames = pixels.ndim == 3 and not colour
    dataset.Rows, dataset.Columns = pixels.shape[1:] if frames else pixels.shape[:2]
    if frames:
        dataset.NumberOfFrames = len(pixels)
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    bits = 8 * pixels.dtype.itemsize
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(signed and bits == 16)
    dataset.add_new(0x7FE00010, "OW" if bits == 16 else "OB", pixels.tobytes())


def ct(plant: Planter, patient: str = "", number: int = 1) -> Dataset:
    """A CT slice that PS3.3 would accept."""
    dataset = general(plant, CTImageStorage, "CT", patient)
    dataset.ImageType, dataset.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], number
    dataset.KVP, dataset.AcquisitionNumber, dataset.PatientPosition = 120, 1, "HFS"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [-8.0, -8.0, 5.0 * number], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness, dataset.SliceLocation = [1.0, 1.0], 5.0, 5.0 * number
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    dataset.BodyPartExamined, dataset.BurnedInAnnotation = "CHEST", "NO"
    put_pixels(dataset, pixels_of(number))
    return dataset


def mr(plant: Planter, patient: str = "") -> Dataset:
    dataset = general(plant, MRImageStorage, "MR", patient)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions, dataset.MRAcquisitionType = "SE", "NONE", "", "2D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength, dataset.PatientPosition = 500, 15, 1, "HFS"
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness, dataset.BurnedInAnnotation = [1.0, 1.0], 3.0, "NO"
    put_pixels(dataset, pixels_of(7))
    return dataset


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def reference(dataset: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    return item
