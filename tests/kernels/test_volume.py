"""Volumes and NIfTI: what goes out comes back, in the same place."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import voxelhub
from voxelhub import Volume, VoxelHubError

AFFINE = np.array([[0, 0, 2.5, -40], [-1.5, 0, 0, 60], [0, -2, 0, 80], [0, 0, 0, 1.0]])  # axes P, I, R


def volume(dtype=np.int16) -> Volume:
    return Volume(np.arange(24, dtype=dtype).reshape(2, 3, 4), AFFINE)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz", "v"])
def test_nifti_round_trip(tmp_path, dtype, name):
    path = voxelhub.write_nifti(volume(dtype), tmp_path / name)
    back = voxelhub.read_nifti(path)
    np.testing.assert_array_equal(back.array, volume(dtype).array)
    np.testing.assert_allclose(back.affine, AFFINE, atol=1e-5)
    assert back.array.dtype == dtype
    header = nibabel.load(path).header
    assert header.get_xyzt_units()[0] == "mm"
    assert (header["qform_code"], header["sform_code"]) == (1, 1)


@pytest.mark.parametrize(("array", "kept"), [
    (np.ones((2, 2, 2), bool), np.uint8),
    (np.full((2, 2, 2), 7, np.int64), np.int32),
    (np.full((2, 2, 2), 2**40, np.int64), np.float64),
    (np.ones((2, 2, 2), np.float16), np.float32),
])
def test_types_that_nifti_lacks_are_kept_without_loss(tmp_path, array, kept):
    back = voxelhub.read_nifti(voxelhub.write_nifti(Volume(array, np.eye(4)), tmp_path / "v.nii"))
    np.testing.assert_array_equal(back.array, array)
    assert back.array.dtype == kept


def test_scaling_of_the_file_is_applied(tmp_path):
    image = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    nibabel.save(image, tmp_path / "v.nii")
    raw = nibabel.load(tmp_path / "v.nii")
    np.testing.assert_allclose(voxelhub.read_nifti(tmp_path / "v.nii").array, raw.get_fdata())


@pytest.mark.parametrize("spoil", [lambda b: b[:400], lambda b: b[:100], lambda b: b""], ids=["data", "header", "all"])
def test_a_truncated_file_is_refused(tmp_path, spoil):
    path = voxelhub.write_nifti(volume(), tmp_path / "v.nii")
    path.write_bytes(spoil(path.read_bytes())[:360])
    with pytest.raises(VoxelHubError, match=r"v\.nii is not a whole NIfTI file") as refusal:
        voxelhub.read_nifti(path)
    assert str(tmp_path) not in str(refusal.value)


def test_to_ras_turns_axes_and_keeps_every_voxel_in_its_place():
    turned = volume().to_ras()
    assert volume().orientation == "PIR"
    assert turned.orientation == "RAS"
    for index in np.ndindex(volume().shape):
        where = AFFINE @ [*index, 1]
        there = np.rint(np.linalg.inv(turned.affine) @ where)[:3].astype(int)
        assert turned.array[tuple(there)] == volume().array[index]


def test_measures():
    assert volume().spacing == pytest.approx((1.5, 2.0, 2.5))
    assert volume().voxel_volume_ml == pytest.approx(1.5 * 2 * 2.5 / 1000)
    assert repr(volume()) == "<Volume 2 × 3 × 4 int16, 1.5 × 2 × 2.5 mm, PIR>"


def test_like_shares_the_place_and_refuses_another_grid():
    mask = volume().like(volume().array > 5)
    np.testing.assert_array_equal(mask.affine, AFFINE)
    with pytest.raises(VoxelHubError, match="same grid"):
        volume().like(np.zeros((3, 2, 4)))


@pytest.mark.parametrize(("array", "affine", "code"), [
    (np.zeros((2, 2)), np.eye(4), "not_a_volume"),
    (np.zeros((2, 2, 2)), np.eye(3), "bad_affine"),
    (np.zeros((2, 2, 2)), np.zeros((4, 4)), "bad_affine"),
    (np.zeros((2, 2, 2)), np.full((4, 4), np.nan), "bad_affine"),
])
def test_what_is_no_volume_is_refused(array, affine, code):
    with pytest.raises(VoxelHubError) as refusal:
        Volume(array, affine)
    assert refusal.value.code == code
