"""Diagnostic values of the IBSI manual: what image and mask were like before and after interpolation and re-segmentation.

Named as in the tables of reference values. They show at a glance whether two sites worked on the same voxels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

AXES = "xyz"
Values = dict[str, float]


def diagnostics(image: np.ndarray, mask: np.ndarray, spacing: np.ndarray, worked: Any, region: Any) -> Values:
    """`image`, `mask` (boolean) as read, (z, y, x) with `spacing` in mm, x first; `worked`, `region`: MIRP's after all steps."""
    interpolated, whole = worked.get_voxel_grid(), region.roi.get_voxel_grid()
    intensity, shape = region.roi_intensity.get_voxel_grid(), region.roi_morphology.get_voxel_grid()
    return {
        **_image(image, spacing, "init_img"), **_image(interpolated, np.array(worked.image_spacing)[::-1], "interp_img"),
        **_region(image, mask, mask, "init_roi"), **_region(interpolated, whole, whole, "interp_roi"),
        **_region(interpolated, intensity, shape, "reseg_roi"),
    }


def _image(voxels: np.ndarray, spacing: np.ndarray, when: str) -> Values:
    found: Values = {f"img_dim_{axis}_{when}": size for axis, size in zip(AXES, voxels.shape[::-1], strict=True)}
    found |= {f"vox_dim_{axis}_{when}": float(size) for axis, size in zip(AXES, spacing, strict=True)}
    return found | {f"{what}_int_{when}": value for what, value in _intensities(voxels).items()}


def _region(voxels: np.ndarray, intensity: np.ndarray, shape: np.ndarray, when: str) -> Values:
    found: Values = {f"int_mask_dim_{axis}_{when}": size for axis, size in zip(AXES, intensity.shape[::-1], strict=True)}
    for name, mask in (("int_mask", intensity), ("morph_mask", shape)):
        found |= {f"{name}_bb_dim_{axis}_{when}": size for axis, size in zip(AXES, _box(mask), strict=True)}
    found |= {"int_mask_vox_count_" + when: int(intensity.sum()), "morph_mask_vox_count_" + when: int(shape.sum())}
    return found | {f"int_mask_{what}_int_{when}": value for what, value in _intensities(voxels[intensity]).items()}


def _intensities(values: np.ndarray) -> Values:
    return {"mean": float(values.mean(dtype=np.float64)), "min": float(values.min()), "max": float(values.max())}


def _box(mask: np.ndarray) -> list[int]:
    """Extent along x, y, z."""
    sizes = []
    for axis in (2, 1, 0):
        there = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        sizes.append(int(there[-1] - there[0] + 1) if there.size else 0)
    return sizes
