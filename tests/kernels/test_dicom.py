"""Order, values and place of a DICOM series, against an analytic phantom, dcm2niix and real series."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import voxelhub
from pydicom.uid import JPEGLSLossless, RLELossless

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("VOXELHUB_SHARED", ROOT.parent / "shared")) / "data"
DCM2NIIX = Path(os.environ.get("VOXELHUB_ENVS_DIR", ROOT / ".envs")) / "tool-dicom-to-nifti/bin/dcm2niix"
ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "axial, feet first": (-1, 0, 0, 0, 1, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "oblique": (0.8, 0.6, 0, 0, 0, -1),
}


def expected(volume: voxelhub.Volume) -> np.ndarray:
    """The phantom's value at each voxel, from the affine alone: 3 x + 5 y + 7 z in LPS."""
    index = np.indices(volume.shape[:3]).reshape(3, -1)
    x, y, z = (volume.affine @ np.vstack([index, np.ones(index.shape[1])]))[:3]
    return (3 * -x + 5 * -y + 7 * z).reshape(volume.shape[:3])


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_every_voxel_lies_where_the_affine_says(tmp_path, series, orientation):
    folder = series(tmp_path, orientation=orientation, number=lambda k: 99 - k)  # instance numbers run the other way
    volume = voxelhub.read_dicom(folder)
    assert volume.shape == (6, 5, 4)
    np.testing.assert_allclose(volume.array, expected(volume), atol=0.51)  # stored as whole numbers
    np.testing.assert_allclose(volume.spacing, (1.5, 2.0, 3.0))
    assert volume.meta == {"file_format": "DICOM", "modality": "CT", "unit": "HU"}


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_equals_the_result_of_dcm2niix(tmp_path, series, orientation):
    if not DCM2NIIX.exists():
        pytest.skip("the environment tool-dicom-to-nifti is not installed")
    folder = series(tmp_path / "in", orientation=orientation)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run([DCM2NIIX, "-z", "y", "-f", "volume", "-o", out, folder], check=True, capture_output=True)
    [converted] = out.glob("*.nii.gz")
    ours, theirs = voxelhub.read_dicom(folder).to_ras(), voxelhub.read_nifti(converted).to_ras()
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-3)
    np.testing.assert_allclose(ours.array, theirs.array, atol=1e-3)


@pytest.mark.parametrize("modality", ["CT", "MR_T1", "PET"])
def test_equals_the_reference_of_a_real_series(modality):
    folder = DATA / "volumes/sts/STS_002" / modality
    if not folder.exists():
        pytest.skip("the folder of shared test inputs is not here")
    ours = voxelhub.read_dicom(folder / "dicom").to_ras()
    reference = voxelhub.read_nifti(folder / "expected_image.nii.gz").to_ras()
    np.testing.assert_allclose(ours.affine, reference.affine, atol=1e-3)
    np.testing.assert_allclose(ours.array, reference.array, atol=1e-3)


def test_rescaling_keeps_whole_numbers_whole_and_fractions_exact(tmp_path, series):
    whole = voxelhub.read_dicom(series(tmp_path / "a", slope=2, intercept=-1024))
    assert whole.array.dtype == np.int16

    def per_slice(image, k):
        image.RescaleSlope, image.RescaleIntercept = 0.5 * (k + 1), 0.25

    scaled = voxelhub.read_dicom(series(tmp_path / "b", slope=1, intercept=0, edit=per_slice))
    plain = voxelhub.read_dicom(series(tmp_path / "c", slope=1, intercept=0))
    assert scaled.array.dtype == np.float32
    np.testing.assert_allclose(scaled.array, plain.array * (0.5 * np.arange(1, 5)) + 0.25)


def test_values_beyond_int16_do_not_wrap(tmp_path, series):
    volume = voxelhub.read_dicom(series(tmp_path, edit=lambda image, k: setattr(image, "RescaleSlope", 1000)))
    assert volume.array.dtype == np.int32
    assert volume.array.max() > 2**15


def test_phases_become_a_fourth_axis_in_order_of_acquisition(tmp_path, series):
    volume = voxelhub.read_dicom(series(tmp_path, phases=3, intercept=0))
    assert volume.shape == (6, 5, 4, 3)
    for phase in range(3):
        np.testing.assert_allclose(volume.array[..., phase], expected(volume) + 1000 * phase, atol=0.51)


def test_one_slice_takes_its_thickness(tmp_path, series):
    volume = voxelhub.read_dicom(series(tmp_path, slices=1, step=4.0))
    assert volume.shape == (6, 5, 1)
    np.testing.assert_allclose(volume.spacing, (1.5, 2.0, 4.0))


def test_other_files_in_the_folder_are_left_out(tmp_path, series):
    folder = series(tmp_path)
    (folder / "README.txt").write_text("not an image")
    (folder / "empty").write_bytes(b"")
    assert voxelhub.read_dicom(folder).shape == (6, 5, 4)


def test_rle_is_read(tmp_path, series):
    def pack(image, k):
        image.compress(RLELossless, generate_instance_uid=False)

    plain = voxelhub.read_dicom(series(tmp_path / "plain"))
    packed = voxelhub.read_dicom(series(tmp_path / "rle", edit=pack))
    np.testing.assert_array_equal(plain.array, packed.array)


def _as_jpeg_ls(image, k):
    """Says JPEG-LS and carries a frame of it (the start of one; no decoder here gets that far)."""
    from pydicom.encaps import encapsulate

    image.PixelData = encapsulate([b"\xff\xd8\xff\xf7" + bytes(60)])
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = JPEGLSLossless


def _short(image, k):
    image.PixelData = image.PixelData[:20]


REFUSED = {
    "compressed": ({"edit": _as_jpeg_ls}, "JPEG-LS Lossless Image Compression"),
    "unreadable": ({"edit": _short}, "damaged or truncated"),
    "uneven_spacing": ({"places": [0, 3, 6, 12]}, "not evenly spaced"),
    "several_series": ({"edit": lambda i, k: setattr(i, "SeriesInstanceUID", f"1.2.{k % 2 + 1}")}, "2 series here"),
    "mixed_size": ({"edit": lambda i, k: setattr(i, "Rows", 5 - (k == 2))}, "different sizes"),
    "mixed_orientation": ({"edit": lambda i, k: setattr(i, "ImageOrientationPatient", [1, 0, 0, 0, 1 - k, -k])}, "not parallel"),
    "no_geometry": ({"edit": lambda i, k: delattr(i, "ImagePositionPatient")}, "ImagePositionPatient is missing"),
    "bad_geometry": ({"edit": lambda i, k: setattr(i, "ImageOrientationPatient", [1, 0, 0, 1, 0, 0])}, "right angle"),
    "multi_frame": ({"slices": 1, "edit": lambda i, k: setattr(i, "NumberOfFrames", 2)}, "multi-frame"),
    "incomplete": ({"edit": lambda i, k: setattr(i, "ImagePositionPatient", [-10, 20, 30 + 3 * min(k, 2)])}, "not complete"),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_series_that_is_no_volume_is_refused_with_a_sentence(tmp_path, series, code):
    options, words = REFUSED[code]
    with pytest.raises(voxelhub.VoxelHubError, match=words) as refusal:
        voxelhub.read_dicom(series(tmp_path, **options))
    assert refusal.value.code == code
    assert str(tmp_path) not in str(refusal.value)
    assert "Phantom" not in str(refusal.value)


def test_uneven_slices_can_be_looked_at_but_say_so(tmp_path, series):
    volume = voxelhub.read_dicom(series(tmp_path, places=[0, 3, 6, 12]), allow_uneven=True)
    assert volume.meta["evenly_spaced"] is False
    assert volume.spacing[2] == pytest.approx(4.0)
