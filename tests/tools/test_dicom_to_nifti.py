"""The tool as its own environment runs it: real dcm2niix, the project's own phantom, and a real CT where the data is there."""

import json
import os
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from voxelhub_service.datasets.demo import write_phantom
from voxelhub_service.tools.registry import registry

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("VOXELHUB_SHARED", ROOT.parent / "shared")) / "data"
ENVIRONMENT = ROOT / ".envs" / "tool-dicom-to-nifti"
pytestmark = pytest.mark.skipif(not ENVIRONMENT.exists(), reason="the tool's environment is not installed")
PLANTED = "ZZTOP^SECRET"


def convert(output: Path, *series: Path, **arguments) -> tuple[int, str]:
    """Exit code and everything printed; the command is the manifest's own."""
    tool = registry().get("dicom-to-nifti")
    output.mkdir(exist_ok=True)
    command = tool.expand({"series": [str(one) for one in series]}, tool.with_defaults(arguments), str(output))
    done = subprocess.run(command, cwd=tool.folder, capture_output=True, text=True,
                          env={"PATH": f"{ENVIRONMENT}/bin:/usr/bin:/bin", "HOME": str(output.parent)})
    return done.returncode, done.stdout + done.stderr


def write_series(folder: Path, positions: list[float], shape=(12, 16), slope=1.0, **extra) -> np.ndarray:
    """A CT series at these z positions (mm) with identifying text wherever dcm2niix would look; its voxels (z, y, x)."""
    folder.mkdir()
    rng = np.random.default_rng(7)
    voxels = rng.integers(0, 2000, (len(positions), *shape), dtype=np.int16)
    frame, series, study = generate_uid(), generate_uid(), generate_uid()
    for number, (z, plane) in enumerate(zip(positions, voxels, strict=True)):
        item = Dataset()
        item.file_meta = FileMetaDataset()
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.SOPClassUID, item.SOPInstanceUID = CTImageStorage, generate_uid()
        item.file_meta.MediaStorageSOPClassUID, item.file_meta.MediaStorageSOPInstanceUID = item.SOPClassUID, item.SOPInstanceUID
        item.PatientName, item.PatientID, item.PatientBirthDate = PLANTED, PLANTED, "19500101"
        item.StudyDescription = item.SeriesDescription = item.ImageComments = item.ProtocolName = item.InstitutionName = PLANTED
        item.Modality, item.StudyInstanceUID, item.SeriesInstanceUID, item.FrameOfReferenceUID = "CT", study, series, frame
        item.SeriesNumber, item.InstanceNumber, item.StudyDate, item.StudyTime = 3, number + 1, "20200202", "101112"
        item.ImagePositionPatient, item.ImageOrientationPatient = [-20.0, -30.0, z], [1, 0, 0, 0, 1, 0]
        item.PixelSpacing, item.SliceThickness, item.Rows, item.Columns = [0.75, 0.5], 2.0, *shape
        item.SamplesPerPixel, item.PhotometricInterpretation = 1, "MONOCHROME2"
        item.BitsAllocated, item.BitsStored, item.HighBit, item.PixelRepresentation = 16, 16, 15, 1
        item.RescaleIntercept, item.RescaleSlope, item.RescaleType = -1024, slope, "HU"
        for name, value in extra.items():
            setattr(item, name, value)
        item.PixelData = plane.tobytes()
        item.save_as(folder / f"{number:03d}.dcm", enforce_file_format=True)
    return voxels


def as_ras(path: Path) -> nibabel.Nifti1Image:
    return nibabel.as_closest_canonical(nibabel.load(path))


def test_voxels_and_geometry(tmp_path):
    voxels = write_series(tmp_path / "1-chest CT.dcm", [10.0, 12.5, 15.0, 17.5])
    code, said = convert(tmp_path / "out", tmp_path / "1-chest CT.dcm")
    assert code == 0, said
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["chest_CT.nii.gz"]
    image = as_ras(tmp_path / "out" / "chest_CT.nii.gz")
    expected = np.diag([0.5, 0.75, 2.5, 1.0])
    # LPS to RAS: x and y change their signs, so the last column and row come first.
    expected[:3, 3] = [20.0 - 0.5 * 15, 30.0 - 0.75 * 11, 10.0]
    np.testing.assert_allclose(image.affine, expected, atol=1e-3)
    np.testing.assert_array_equal(image.get_fdata(), voxels.transpose(2, 1, 0)[::-1, ::-1].astype(float) - 1024)
    assert image.header.get_xyzt_units()[0] == "mm"


def test_nothing_of_the_patient_comes_along(tmp_path):
    write_series(tmp_path / "1-a", [0.0, 1.0, 2.0])
    for compress in (True, False):
        out = tmp_path / f"out-{compress}"
        code, said = convert(out, tmp_path / "1-a", compress=compress)
        assert code == 0 and PLANTED not in said and "SECRET" not in said and str(tmp_path) not in said
        (made,) = out.iterdir()
        assert made.name == ("a.nii.gz" if compress else "a.nii")
        raw = made.read_bytes() if not compress else nibabel.load(made).to_bytes() + made.read_bytes()
        header = nibabel.load(made).header
        assert b"SECRET" not in raw and not bytes(header["descrip"]).strip(b"\0") and not bytes(header["aux_file"]).strip(b"\0")
        assert not bytes(header["db_name"]).strip(b"\0") and not bytes(header["intent_name"]).strip(b"\0")
        assert not header.extensions


def test_equal_inputs_give_equal_bytes(tmp_path):
    write_series(tmp_path / "1-a", [0.0, 1.0, 2.0])
    for name in ("one", "two"):
        assert convert(tmp_path / name, tmp_path / "1-a")[0] == 0
    assert (tmp_path / "one/a.nii.gz").read_bytes() == (tmp_path / "two/a.nii.gz").read_bytes()


@pytest.mark.parametrize(("correct", "depth"), [(True, None), (False, 5)])
def test_of_a_volume_and_its_corrected_twin_one_stays(tmp_path, correct, depth):
    write_series(tmp_path / "1-gap", [0.0, 2.0, 4.0, 8.0, 10.0])
    code, said = convert(tmp_path / "out", tmp_path / "1-gap", correct=correct)
    assert code == 0, said
    (made,) = (tmp_path / "out").iterdir()
    slices = nibabel.load(made).shape[2]
    assert slices == depth if depth else slices > 5


def test_each_series_becomes_one_volume_with_a_name_of_its_own(tmp_path):
    for name in ("1-same", "2-same", "3-\u80f8\u90e8 CT", "4-..."):
        write_series(tmp_path / name, [0.0, 1.0])
    code, said = convert(tmp_path / "out", *sorted(tmp_path.glob("?-*")))
    assert code == 0, said
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"same.nii.gz", "same-2.nii.gz", "\u80f8\u90e8_CT.nii.gz", "volume.nii.gz"}
    assert "::progress 0.250 2 of 4 series" in said and "::progress 1 done" in said


@pytest.mark.parametrize("content", ["nothing", "text", "no pixels", "truncated"])
def test_what_cannot_be_converted_is_said(tmp_path, content):
    folder = tmp_path / "1-broken"
    if content == "nothing":
        folder.mkdir()
    elif content == "text":
        folder.mkdir()
        (folder / "a.dcm").write_text("no image")
    else:
        write_series(folder, [0.0])
        path = next(folder.iterdir())
        if content == "truncated":
            path.write_bytes(path.read_bytes()[:700])
        else:
            item = pydicom.dcmread(path)
            del item.PixelData
            item.save_as(path)
    code, said = convert(tmp_path / "out", folder)
    assert code == 1 and "::error dcm2niix found no image that it can convert in “broken”." in said
    assert not list((tmp_path / "out").iterdir())


def test_our_own_phantom(tmp_path):
    phantom = write_phantom(tmp_path)
    code, said = convert(tmp_path / "out", tmp_path / "chest-ct")
    assert code == 0, said
    got = as_ras(tmp_path / "out" / "chest-ct.nii.gz")
    expected = nibabel.as_closest_canonical(nibabel.Nifti1Image(phantom.ct.astype(np.int16), phantom.affine))
    np.testing.assert_allclose(got.affine, expected.affine, atol=1e-3)
    np.testing.assert_array_equal(got.get_fdata(), expected.get_fdata())


REAL = SHARED / "volumes" / "sts" / "STS_002" / "CT"


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not there")
def test_a_real_ct_gives_the_reference(tmp_path):
    (tmp_path / "1-ct").symlink_to(REAL / "dicom")
    code, said = convert(tmp_path / "out", tmp_path / "1-ct")
    assert code == 0, said
    got, expected = as_ras(tmp_path / "out" / "ct.nii.gz"), as_ras(REAL / "expected_image.nii.gz")
    np.testing.assert_allclose(got.affine, expected.affine, atol=1e-3)
    np.testing.assert_array_equal(got.get_fdata(), expected.get_fdata())


def test_the_manifest_says_what_the_program_takes():
    raw = json.loads((registry().get("dicom-to-nifti").folder / "tool.json").read_text())
    program = (ROOT / "tools/dicom-to-nifti/convert.py").read_text()
    assert all(f'"--{name}"' in program for name in raw["arguments"]["properties"])
