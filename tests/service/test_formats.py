"""Every family of files is recognised by content and typed rightly, or refused with a sentence."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from support.study import SHARED
from voxelhub_service.datasets import series
from voxelhub_service.datasets.describing import Description, describe
from voxelhub_service.datasets.sniff import sniff
from voxelhub_service.datasets.vocabulary import vocabulary
from voxelhub_service.errors import Problem

# modality, SOP class, kind, data type; with pixels unless the class is none of images
MODALITIES = [
    ("CT", "CT Image Storage", "image", "ct-image"),
    ("MR", "MR Image Storage", "image", "mr-image"),
    ("PT", "Positron Emission Tomography Image Storage", "image", "pet-image"),
    ("NM", "Nuclear Medicine Image Storage", "image", "spect-image"),
    ("US", "Ultrasound Image Storage", "image", "ultrasound-image"),
    ("MG", "Digital Mammography X-Ray Image Storage - For Presentation", "image", "mammogram"),
    ("DX", "Digital X-Ray Image Storage - For Presentation", "image", "radiograph"),
    ("CR", "Computed Radiography Image Storage", "image", "radiograph"),
    ("XA", "X-Ray Angiographic Image Storage", "image", "radiograph"),
    ("SM", "VL Whole Slide Microscopy Image Storage", "image", "whole-slide-image"),
    ("XC", "VL Photographic Image Storage", "image", "photograph"),
    ("OT", "Secondary Capture Image Storage", "image", "image"),
    ("SEG", "Segmentation Storage", "file", "segmentation-mask"),
    ("RTDOSE", "RT Dose Storage", "image", "dose-map"),
    ("RTSTRUCT", "RT Structure Set Storage", "file", "structure-set"),
    ("RTPLAN", "RT Plan Storage", "file", "dicom-object"),
    ("SR", "Comprehensive SR Storage", "file", "dicom-object"),
    ("KO", "Key Object Selection Document Storage", "file", "dicom-object"),
    ("PR", "Grayscale Softcopy Presentation State Storage", "file", "dicom-object"),
    ("DOC", "Encapsulated PDF Storage", "file", "dicom-object"),
    ("ECG", "12-lead ECG Waveform Storage", "file", "waveform"),
    ("ZZ", "CT Image Storage", "image", "dicom-object"),
]
WITH_PIXELS = {"image"}


def class_named(name: str) -> UID:
    from pydicom.uid import UID_dictionary

    return next(UID(uid) for uid, entry in UID_dictionary.items() if entry[0] == name)


def write_object(path: Path, modality: str, sop_class: str, pixels: bool, **more: Any) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = class_named(sop_class), generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = generate_uid(), generate_uid(), modality
    if pixels:
        ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 4, 6, 8, 8, 7
        ds.SamplesPerPixel, ds.PixelRepresentation, ds.PhotometricInterpretation = 1, 0, "MONOCHROME2"
        ds.PixelData = bytes(24)
    for name, value in more.items():
        setattr(ds, name, value)
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize(("modality", "sop_class", "kind", "data_type"), MODALITIES, ids=[row[0] for row in MODALITIES])
def test_dicom_of_every_modality(tmp_path: Path, modality: str, sop_class: str, kind: str, data_type: str) -> None:
    write_object(tmp_path / "IM1", modality, sop_class, kind == "image" or modality == "SEG")
    (found,) = describe(tmp_path, ["IM1"])
    assert (found.kind, found.data_type, found.file_format) == (kind, data_type, "dicom")


def test_what_lies_in_one_series_by_mistake_is_told_apart(tmp_path: Path) -> None:
    shared = {"StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "2.25.2"}
    write_object(tmp_path / "a", "CT", "CT Image Storage", True, **shared)
    write_object(tmp_path / "b", "SR", "Comprehensive SR Storage", False, **shared)
    assert [one.data_type for one in describe(tmp_path, ["a", "b"])] == ["ct-image", "dicom-object"]


def big_tiff(description: bytes) -> bytes:
    """One directory of three tags; BigTIFF, little endian."""
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
    tags = struct.pack("<HHQQ", 256, 4, 1, 4000) + struct.pack("<HHQQ", 257, 4, 1, 3000)
    at = 16 + 8 + 60 + 8
    tags += struct.pack("<HHQQ", 270, 2, len(description), at)
    return head + struct.pack("<Q", 3) + tags + struct.pack("<Q", 0) + description


NRRD = (b"NRRD0004\n# made here\ntype: short\ndimension: 3\nsizes: 2 3 4\nspace directions: (0.5,0,0) (0,0,-2) (0,3,0)\n"
        b"encoding: raw\n\n")
META = (b"ObjectType = Image\nNDims = 3\nDimSize = 2 3 4\nElementType = MET_SHORT\nElementSpacing = 0.5 2 3\n"
        b"ElementDataFile = LOCAL\n")
READS = b"@one\nAC\nGT\n+\n@@\nII\n@two\nA\n+two\n+\n"  # two lines of letters; qualities that look like titles
FILES = [
    (
        "slide.tif",
        big_tiff(b"Aperio Image Library v12|AppMag = 20"),
        "image",
        "whole-slide-image",
        "svs",
        {"shape": [4000, 3000]},
    ),
    ("big.tif", big_tiff(b"a picture made here"), "image", "image", "tiff", {"shape": [4000, 3000]}),
    ("film", b"P5\n# made here\n3 2\n255\n......", "image", "image", "pgm", {"shape": [3, 2]}),
    ("v", NRRD + bytes(48), "file", "volume", "nrrd", {"shape": [2, 3, 4], "spacing": [0.5, 2.0, 3.0]}),
    ("v.mha", META + bytes(48), "file", "volume", "metaimage", {"shape": [2, 3, 4], "spacing": [0.5, 2.0, 3.0]}),
    ("reads.fastq", READS, "file", "sequence-reads", "fastq", {}),
    ("reads.fq.gz", gzip.compress(READS), "file", "sequence-reads", "fastq", {}),
    ("reads", b"@one\nACGT\n+\nIIII\n", "file", "sequence-reads", "fastq", {}),
    ("report.html", b"<!DOCTYPE html>\n<html><head><title>a,b</title></head></html>\n", "text", "document", "html", {}),
    ("letter", b"@all\nhello\n+ best wishes, to all of you\n", "text", "document", "text", {}),
]


@pytest.mark.parametrize(("name", "data", "kind", "data_type", "file_format", "meta"), FILES, ids=[row[0] for row in FILES])
def test_other_files(tmp_path: Path, name: str, data: bytes, kind: str, data_type: str, file_format: str, meta: Any) -> None:
    (tmp_path / name).write_bytes(data)
    seen = sniff(tmp_path / name, name)
    assert (seen.kind, seen.data_type, seen.file_format, seen.meta) == (kind, data_type, file_format, meta)  # type: ignore[union-attr]
    assert file_format in vocabulary().data_types[data_type].formats or data_type == "document"


BROKEN = [
    ("cut.nrrd", NRRD + bytes(47), "promises more data"),
    ("open.nrrd", NRRD[:60], "does not end"),
    ("odd.nrrd", NRRD.replace(b"sizes: 2 3 4", b"sizes: 2 -3 4"), "impossible"),
    ("cut.mha", META + bytes(47), "promises more data"),
    ("odd.mha", META.replace(b"DimSize = 2 3 4", b"DimSize = 2 3"), "impossible"),
    ("cut.tif", b"II*\0\x00\x10\0\0\0\0\0\0", "ends too early"),
    ("slide.svs", b"no slide", "named as a slide"),
    ("x.fastq", b"@a\nAC\n+\nI\n", "ends within record 1"),
    ("x.fq", b"hello\n", "Record 1"),
    ("x.fq.gz", gzip.compress(READS * 99)[:-9], "compressed data is broken"),
]


@pytest.mark.parametrize(("name", "data", "words"), BROKEN, ids=[row[0] for row in BROKEN])
def test_what_is_not_whole_has_a_sentence(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Problem, match=words) as caught:
        sniff(tmp_path / name, name)
    assert caught.value.code in ("file_not_whole", "not_fastq")


def test_the_table_of_contents_of_a_disc(tmp_path: Path) -> None:
    """DICOMDIR media: instances without an ending, and a file that only lists them."""
    folder = tmp_path / "DICOM/PA0/ST0/SE0"
    folder.mkdir(parents=True)
    write_object(folder / "IM0", "CT", "CT Image Storage", True)
    write_object(tmp_path / "DICOMDIR", "OT", "Media Storage Directory Storage", False)
    found = describe(tmp_path, ["DICOMDIR", "DICOM/PA0/ST0/SE0/IM0"])
    assert [(one.name, one.kind, one.data_type, one.file_format) for one in found] == [
        ("CT image 1", "image", "ct-image", "dicom"), ("DICOMDIR", "file", "dicom-object", "dicom"),
    ]  # fmt: skip


def test_a_bids_tree(tmp_path: Path) -> None:
    import nibabel
    import numpy as np

    scans = [f"sub-{n}/anat/sub-{n}_T1w.nii.gz" for n in ("01", "02")]
    for path in scans:
        (tmp_path / path).parent.mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(np.random.default_rng(0).normal(size=(4, 4, 4)), np.eye(4)), tmp_path / path)
    (tmp_path / "dataset_description.json").write_text('{"Name": "made here", "BIDSVersion": "1.10.0"}')
    (tmp_path / "participants.tsv").write_text("participant_id\tage\nsub-01\t30\nsub-02\t40\n")
    (tmp_path / "README").write_text("Made by a test.\n")
    found = {one.path: one for one in describe(tmp_path, [*scans, "dataset_description.json", "participants.tsv", "README"])}
    assert [(found[path].name, found[path].kind) for path in scans] == [
        ("sub-01_T1w.nii.gz", "volume"), ("sub-02_T1w.nii.gz", "volume")
    ]  # fmt: skip
    kinds = [found[path].data_type for path in ("dataset_description.json", "participants.tsv", "README")]
    assert kinds == ["structured-data", "table", "document"]


# --- the real inputs: folder, pattern, kind, data type, format

D = "dicom/"
SHARED_TABLE = [
    (D + "derived-objects", "ct_image.dcm", "ct-image", "dicom"),
    (D + "derived-objects", "dx_image.dcm", "radiograph", "dicom"),
    (D + "derived-objects", "seg_image_*.dcm", "segmentation-mask", "dicom"),
    (D + "derived-objects", "sm_image.dcm", "whole-slide-image", "dicom"),
    (D + "derived-objects", "sr_document.dcm", "dicom-object", "dicom"),
    (D + "seg-with-source/image", "*.dcm", "ct-image", "dicom"),
    (D + "seg-with-source/mask", "*.dcm", "segmentation-mask", "dicom"),
    (D + "transfer-syntaxes", "CT*.dcm", "ct-image", "dicom"),
    (D + "transfer-syntaxes", "image_dfl.dcm", "image", "dicom"),
    (D + "charsets", "*.dcm", "image", "dicom"),
    (D + "awkward", "fodicom_DICOMDIR", "dicom-object", "dicom"),
    (D + "awkward", "fodicom_CR-MONO1-10-chest", "radiograph", "dicom"),
    (D + "awkward", "fodicom_GH610.dcm", "pet-image", "dicom"),
    (D + "awkward", "pydicom_emri_small_big_endian.dcm", "mr-image", "dicom"),
    ("deid/burned-in", "cr_*.dcm", "radiograph", "dicom"),
    ("deid/burned-in", "mg_*.dcm", "mammogram", "dicom"),
    ("deid/burned-in", "*.json", "structured-data", "json"),
    ("deid/standard", "*.csv", "table", "csv"),
    ("mammography/dicom", "*.dcm", "mammogram", "dicom"),
    ("mammography/ddsm-tissue/images", "*.png", "image", "png"),
    ("mammography/mini-mias/original-pgm", "*.pgm", "image", "pgm"),
    ("ultrasound/busi-masks", "*.png", "image", "png"),
    ("breast-mri/dce/UCSF-BR-06/dce_pe1", "*.dcm", "mr-image", "dicom"),
    ("breast-mri/dce/UCSF-BR-06/seg", "*.dcm", "segmentation-mask", "dicom"),
    ("breast-mri/ispy2-masks", "*.nii.gz", "segmentation-mask", "nifti"),
    ("breast-mri", "*.csv", "table", "csv"),
    ("volumes/sts/STS_002/PET/dicom", "*.dcm", "pet-image", "dicom"),
    ("volumes/sts/STS_002/CT", "*rtstruct*", "structure-set", "dicom"),
    ("volumes/sts/STS_002/CT", "expected_image.nii.gz", "volume", "nifti"),
    ("volumes/sts/STS_002/CT", "expected_mask.nii.gz", "segmentation-mask", "nifti"),
    ("volumes/nifti-small", "anatomical.nii", "volume", "nifti"),
    ("volumes/ct-tiny-series", "*", "ct-image", "dicom"),
    ("radiomics/pyradiomics", "*.nrrd", "volume", "nrrd"),
    ("radiomics/ibsi1-ct-phantom", "phantom.nii.gz", "volume", "nifti"),
    ("radiomics/ibsi1-ct-phantom", "mask.nii.gz", "segmentation-mask", "nifti"),
    ("wsi", "CMU-1-Small-Region.svs", "whole-slide-image", "svs"),
    ("wsi", "dicom_wsi*.dcm", "whole-slide-image", "dicom"),
    ("metagenomics", "*.tsv", "table", "tsv"),
    ("metagenomics/fastq", "[!e]*.f*q", "sequence-reads", "fastq"),
    ("metagenomics/fastq", "example.fastq*", "sequence-reads", "fastq"),
    ("planner", "*.json", "structured-data", "json"),
]
REFUSED = [("metagenomics/fastq", "error_*", 11), (D + "awkward", "fodicom_GH[12]*", 5), (D + "awkward", "*too_short*", 1),
           ("wsi", "broken.svs", 1)]  # fmt: skip
real = pytest.mark.skipif(not SHARED.is_dir(), reason="the test inputs (../shared/data) are not on this machine")


def seen_as(file: Path) -> tuple[str, str]:
    seen = sniff(file, file.name)
    if isinstance(seen, series.Instance):
        (one,) = series.group([seen], [file.name])
        return one.data_type, one.file_format
    return seen.data_type, seen.file_format


@real
@pytest.mark.parametrize(
    ("folder", "pattern", "data_type", "file_format"), SHARED_TABLE, ids=[f"{r[0]}/{r[1]}" for r in SHARED_TABLE]
)
def test_real_inputs(folder: str, pattern: str, data_type: str, file_format: str) -> None:
    files = [file for file in sorted((SHARED / folder).glob(pattern)) if file.is_file()]
    if pattern == "*rtstruct*" and not files:
        files = [file for file in (SHARED / folder).iterdir() if file.suffix == ".dcm"]
    assert files
    assert {file.name: seen_as(file) for file in files} == {file.name: (data_type, file_format) for file in files}


@real
@pytest.mark.parametrize(("folder", "pattern", "count"), REFUSED, ids=[f"{r[0]}/{r[1]}" for r in REFUSED])
def test_real_inputs_that_are_broken(folder: str, pattern: str, count: int) -> None:
    files = sorted((SHARED / folder).glob(pattern))
    assert len(files) == count
    for file in files:
        with pytest.raises(Problem) as caught:
            sniff(file, file.name)
        assert caught.value.detail.endswith(".") and caught.value.fix
        print(f"{file.name}: {caught.value.detail}")


@real
def test_no_real_input_stays_unknown() -> None:
    """What is left as a plain file is known here by name."""
    unknown = set()
    for file in sorted(path for path in SHARED.rglob("*") if path.is_file()):
        if file.suffix in (".png", ".dcm"):
            continue
        try:
            if seen_as(file)[0] == "file":
                unknown.add(file.name)
        except Problem:
            continue
    assert unknown == {"busi_64.npz"}


def test_descriptions_hold_no_identifier(tmp_path: Path) -> None:
    write_object(tmp_path / "a", "CT", "CT Image Storage", True, PatientName="Planted^Name", SeriesDescription="Planted")
    (found,) = describe(tmp_path, ["a"])
    assert isinstance(found, Description) and "lanted" not in repr(found) and "2.25" not in repr(found)
