"""From the arguments of a run to MIRP's keywords, and the record of both that goes beside the features."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from typing import Any

import numpy as np

# How texture matrices are aggregated, by MIRP's words, with the codes of the IBSI reference manual.
DIRECTIONS = {  # co-occurrence and run length: one matrix for each direction
    "2d_averaged": "2d_average", "2d_merged": "2d_slice_merge", "2.5d_direction": "2.5d_direction_merge",
    "2.5d_merged": "2.5d_volume_merge", "3d_averaged": "3d_average", "3d_merged": "3d_volume_merge",
}
AGGREGATION_CODES = {
    "2d_average": "BTW3", "2d_slice_merge": "SUJT", "2.5d_direction_merge": "JJUI", "2.5d_volume_merge": "ZW7Z",
    "3d_average": "ITBB", "3d_volume_merge": "IAZD", "2d": "8QNN", "2.5d": "62GR", "3d": "KOBO",
}
DISCRETISATION = {"bin_size": "fixed_bin_size", "bin_number": "fixed_bin_number", "none": "none"}
MODALITIES = {"ct": "ct", "mr": "mr", "pet": "pt", "generic": None}
INTERPOLATION = {"nearest": 0, "linear": 1, "cubic": 3}
PACKAGES = ("mirp", "itk", "numpy", "pandas", "scipy", "scikit-image")


def aggregations(wanted: str, by_slice: bool) -> tuple[list[str], list[str]]:
    """MIRP's words for matrices with directions, and for those of zones and neighbourhoods."""
    names = [name for name in DIRECTIONS if not (by_slice and name.startswith("3d"))] if wanted == "all" else [wanted]
    return [DIRECTIONS[name] for name in names], list(dict.fromkeys(name.split("_")[0] for name in names))


def keywords(wanted: argparse.Namespace) -> dict[str, Any]:
    """Of mirp.extract_features_and_images."""
    by_slice = wanted.by_slice == "true"
    directions, zones = aggregations(wanted.aggregation, by_slice)
    found: dict[str, Any] = {
        "image_modality": MODALITIES[wanted.modality], "by_slice": by_slice, "no_approximation": wanted.exact == "true",
        "ibsi_compliant": True, "base_feature_families": "all", "anti_aliasing": wanted.anti_aliasing == "true",
        "base_discretisation_method": DISCRETISATION[wanted.discretisation],
        "glcm_spatial_method": directions, "glrlm_spatial_method": directions, "glszm_spatial_method": zones,
        "gldzm_spatial_method": zones, "ngtdm_spatial_method": zones, "ngldm_spatial_method": zones,
        "ivh_discretisation_method": "none",
    }
    if wanted.voxel_size > 0:
        order = INTERPOLATION[wanted.interpolation]
        found |= {"new_spacing": wanted.voxel_size, "spline_order": order, "roi_spline_order": min(order, 1)}
    if wanted.discretisation == "bin_size":
        found["base_discretisation_bin_width"] = wanted.bin_size
    elif wanted.discretisation == "bin_number":
        found["base_discretisation_n_bins"] = wanted.bin_number
    if wanted.ivh_bin_size > 0:
        found |= {"ivh_discretisation_method": "fixed_bin_size", "ivh_discretisation_bin_width": wanted.ivh_bin_size}
    if wanted.lowest is not None or wanted.highest is not None:
        limits = [np.nan if one is None else float(one) for one in (wanted.lowest, wanted.highest)]
        found["resegmentation_intensity_range"] = limits
    if wanted.outliers > 0:
        found["resegmentation_sigma"] = wanted.outliers
    return found


def record(wanted: argparse.Namespace, mirp: dict[str, Any]) -> dict[str, Any]:
    """What somebody else needs to compute the same numbers; nothing of the inputs but how they were worked on."""
    arguments = {name: value for name, value in vars(wanted).items() if name not in ("output", "images", "masks")}
    return {
        "standard": "Image Biomarker Standardisation Initiative, reference manual (chapter 1), arXiv:1612.07003v11",
        "software": {name: version(name) for name in PACKAGES},
        "arguments": arguments,
        "mirp": {name: _plain(value) for name, value in sorted(mirp.items())},
        "aggregation": {word: f"IBSI:{code}" for word, code in AGGREGATION_CODES.items()
                        if word in mirp["glcm_spatial_method"] or word in mirp["glszm_spatial_method"]},
        "co-occurrence": {"distance": "1 voxel (Chebyshev)", "symmetric": True},
        "dependence": {"distance": "1 voxel (Chebyshev)", "coarseness": 0},
    }


def _plain(value: Any) -> Any:
    """NaN, which stands for an open end of a range, is no JSON."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and np.isnan(value) else value
