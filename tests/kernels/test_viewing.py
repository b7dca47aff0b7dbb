"""voxelhub.view: what is sent to the browser. How it looks is tested in tests/ui."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
import voxelhub
from ipyniivue import SliceType
from voxelhub import Volume, VoxelHubError, viewing

AFFINE = np.diag([1.0, 2.0, 3.0, 1.0])


def drawn(widget) -> list[nibabel.Nifti1Image]:
    return [nibabel.Nifti1Image.from_bytes(bytes(volume.data)) for volume in widget.volumes]


def test_volume_and_overlay_are_sent_with_their_place():
    volume = Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), AFFINE, {"modality": "CT"})
    widget = voxelhub.view(volume, overlay=volume.like(volume.array > 20))
    image, mask = drawn(widget)
    np.testing.assert_array_equal(image.get_fdata(), volume.array)
    np.testing.assert_array_equal(mask.get_fdata(), volume.array > 20)
    for layer in (image, mask):
        np.testing.assert_allclose(layer.affine, AFFINE)
    assert [v.colormap for v in widget.volumes] == ["gray", "red"]
    assert (widget.volumes[0].cal_min, widget.volumes[0].cal_max) == (-1000, 400)
    assert widget.volumes[1].opacity == 0.5
    assert widget.opts.slice_type == SliceType.MULTIPLANAR
    assert not widget.opts.drag_and_drop_enabled


def test_nothing_is_fetched_from_anywhere():
    widget = voxelhub.view(Volume(np.zeros((2, 2, 2), np.uint8), AFFINE))
    assert all(volume.url is None and volume.path is None for volume in widget.volumes)


def test_paths_and_folders_can_be_viewed(tmp_path, series):
    path = voxelhub.write_nifti(Volume(np.ones((2, 2, 2), np.float64), AFFINE), tmp_path / "v.nii.gz")
    assert drawn(voxelhub.view(path))[0].get_data_dtype() == np.float32
    assert drawn(voxelhub.view(series(tmp_path / "dicom")))[0].shape == (6, 5, 4)


def test_window_fits_the_values_and_survives_odd_ones():
    assert viewing._window(Volume(np.full((2, 2, 2), 7.0), AFFINE)) == (7.0, 8.0)
    assert viewing._window(Volume(np.full((2, 2, 2), np.nan), AFFINE)) == (0.0, 1.0)
    low, high = viewing._window(Volume(np.linspace(0, 100, 1000).reshape(10, 10, 10), AFFINE))
    assert (low, high) == pytest.approx((1, 99.5), abs=0.2)


def test_what_cannot_be_drawn_is_refused(monkeypatch):
    with pytest.raises(VoxelHubError, match="need a volume, not ndarray"):
        voxelhub.view(np.zeros((2, 2, 2)))
    monkeypatch.setattr(viewing, "LIMIT", 10)
    with pytest.raises(VoxelHubError, match="more than a browser tab can draw"):
        voxelhub.view(Volume(np.zeros((9, 9, 9)), AFFINE))
