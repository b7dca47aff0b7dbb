"""A DICOM series to a Volume, through pydicom: right order, right values, right place.

Slices are ordered along the normal of the image plane (PS3.3 C.7.6.2.1.1), values are rescaled slice by slice
(C.11.1.1.2), and the affine turns DICOM's LPS+ into RAS+.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import VoxelHubError
from .volume import Volume

Paths = str | PathLike[str] | Iterable[str | PathLike[str]]
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
PARALLEL = 1e-3   # cosine: two orientations are the same up to the rounding of decimal strings
EVEN_MM = 0.05    # slice positions may differ this much from an even grid, as decimal strings are rounded
AGAIN = "Bring the series in again."
CONVERT = "Convert it with the tool dicom-to-nifti and load its result."


def read_dicom(source: Paths, *, allow_uneven: bool = False) -> Volume:
    """The volume of one series: a folder, a file, or a list of files.

    Files of the folder that are no images are left out. Several images at each position (phases, echoes, time points)
    become a fourth axis, in order of acquisition. Values are int16/int32 where rescaling keeps whole numbers, else float32.
    Raises VoxelHubError when the files hold more than one series, or when slices are unevenly spaced and `allow_uneven`
    is not set (then the affine has their mean distance and must not be measured on).

        volume = voxelhub.read_dicom("/projects/demo/phantom-chest-ct/v1/CT")
    """
    images = _images(source)
    columns, rows, normal = _plane(images)
    stack = _stack(images, normal)
    positions = np.array([_numbers(group[0], "ImagePositionPatient", 3) for group in stack])
    step, even = _step(positions, normal, images[0])
    if not even and not allow_uneven:
        raise VoxelHubError(
            "uneven_spacing",
            "The slices of this series are not evenly spaced: one may be missing, or the series is made of blocks.",
            "Convert it with the tool dicom-to-nifti, or pass allow_uneven=True to look at it (not to measure).",
        )
    spacing = _numbers(images[0], "PixelSpacing", 2)  # between rows, between columns
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1], lps[:3, 2] = columns * spacing[1], rows * spacing[0], step
    lps[:3, 3] = positions[0]
    return Volume(_voxels(stack), LPS_TO_RAS @ lps, _meta(images[0], even))


def _images(source: Paths) -> list[Any]:
    """The image headers of exactly one series, pixels still on disk."""
    import pydicom

    found: dict[str, list[Any]] = defaultdict(list)
    broken = 0
    for path in _files(source):
        try:
            header = pydicom.dcmread(path, defer_size=4096)
        except (pydicom.errors.InvalidDicomError, EOFError):
            continue
        except (OSError, ValueError, KeyError, AttributeError, NotImplementedError):
            broken += 1
            continue
        if "PixelData" in header and "Rows" in header:
            found[str(header.get("SeriesInstanceUID", ""))].append(header)
    if broken:
        raise VoxelHubError("unreadable", f"{broken} file(s) of this series are damaged or truncated.", AGAIN)
    if not found:
        raise VoxelHubError("no_images", "There are no DICOM images with pixels here.")
    if len(found) > 1:
        sizes = ", ".join(str(len(series)) for series in found.values())
        raise VoxelHubError("several_series", f"There are {len(found)} series here (with {sizes} images).",
                            "Load one entry: see Dataset.entries().")
    images = next(iter(found.values()))
    _refuse_unfit(images)
    return images


def _files(source: Paths) -> list[Path]:
    if isinstance(source, str | PathLike):
        path = Path(source)
        if not path.exists():
            raise VoxelHubError("no_such_file", f"There is no file or folder {path.name}.")
        return sorted(p for p in path.rglob("*") if p.is_file() and p.name != "DICOMDIR") if path.is_dir() else [path]
    return [Path(path) for path in source]


def _refuse_unfit(images: list[Any]) -> None:
    first = images[0]
    if any(int(image.get("NumberOfFrames", 1) or 1) > 1 for image in images):
        raise VoxelHubError("multi_frame", "This is a multi-frame (enhanced) DICOM object.", CONVERT)
    if any(int(image.get("SamplesPerPixel", 1)) != 1 for image in images):
        raise VoxelHubError("colour", "These are colour images, not a volume of measured values.")
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        if any(not image.get(name) for image in images):
            raise VoxelHubError("no_geometry", f"Images of this series do not say where they lie ({name} is missing).",
                                "They can be read one by one with pydicom, but not as a volume.")
    if any((image.Rows, image.Columns) != (first.Rows, first.Columns) for image in images):
        raise VoxelHubError("mixed_size", "The images of this series have different sizes.", CONVERT)


def _numbers(image: Any, name: str, count: int) -> NDArray[np.float64]:
    try:
        values = np.array([float(value) for value in image.get(name)], dtype=np.float64)
    except (TypeError, ValueError):
        values = np.array([])
    if values.shape != (count,) or not np.all(np.isfinite(values)):
        raise VoxelHubError("bad_geometry", f"{name} of an image is not made of {count} numbers.", CONVERT)
    return values


def _plane(images: list[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors (LPS) along a row, i.e. of growing column index; along a column; and their normal."""
    first = _numbers(images[0], "ImageOrientationPatient", 6)
    for image in images[1:]:
        if np.max(np.abs(_numbers(image, "ImageOrientationPatient", 6) - first)) > PARALLEL:
            raise VoxelHubError("mixed_orientation", "The images of this series are not parallel: a localizer, perhaps.", CONVERT)
    columns, rows = first[:3], first[3:]
    length = np.linalg.norm(columns), np.linalg.norm(rows)
    if min(length) < 0.9 or max(length) > 1.1 or abs(columns @ rows) > 0.01:
        raise VoxelHubError("bad_geometry", "ImageOrientationPatient is not made of two unit vectors at a right angle.", CONVERT)
    columns, rows = columns / length[0], rows / length[1]
    return columns, rows, np.cross(columns, rows)


def _stack(images: list[Any], normal: NDArray[np.float64]) -> list[list[Any]]:
    """Images grouped by position, from the lowest along the normal; in a group by order of acquisition."""
    placed = sorted(((float(_numbers(image, "ImagePositionPatient", 3) @ normal), image) for image in images), key=lambda p: p[0])
    groups: list[tuple[float, list[Any]]] = []
    for where, image in placed:
        if groups and where - groups[-1][0] < 1e-3:
            groups[-1][1].append(image)
        else:
            groups.append((where, [image]))
    stack = [sorted(group, key=_acquired) for _, group in groups]
    if len({len(group) for group in stack}) > 1:
        raise VoxelHubError("incomplete", "Some positions hold more images than others: the series is not complete.", CONVERT)
    return stack


def _acquired(image: Any) -> tuple[float, ...]:
    def number(name: str) -> float:
        try:
            return float(image.get(name) or 0)
        except (TypeError, ValueError):
            return 0.0

    return number("TemporalPositionIdentifier"), number("AcquisitionNumber"), number("InstanceNumber")


def _step(positions: NDArray[np.float64], normal: NDArray[np.float64], image: Any) -> tuple[NDArray[np.float64], bool]:
    """From one slice to the next (LPS, mm), and whether all slices lie on that grid."""
    if len(positions) == 1:
        thickness = float(image.get("SpacingBetweenSlices") or image.get("SliceThickness") or 1.0)
        return normal * abs(thickness), True
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    grid = positions[0] + np.arange(len(positions))[:, None] * step
    return step, bool(np.max(np.linalg.norm(positions - grid, axis=1)) <= max(EVEN_MM, 0.01 * float(np.linalg.norm(step))))


def _voxels(stack: list[list[Any]]) -> NDArray[Any]:
    """array[column, row, slice(, phase)] of rescaled values."""
    scales = {(_number(i, "RescaleSlope", 1.0), _number(i, "RescaleIntercept", 0.0)) for group in stack for i in group}
    whole = all(slope.is_integer() and intercept.is_integer() for slope, intercept in scales)
    first = stack[0][0]
    shape = (int(first.Columns), int(first.Rows), len(stack), len(stack[0]))
    voxels = np.empty(shape, dtype=np.int32 if whole else np.float32)
    for k, group in enumerate(stack):
        for t, image in enumerate(group):
            pixels = _pixels(image).T
            slope, intercept = _number(image, "RescaleSlope", 1.0), _number(image, "RescaleIntercept", 0.0)
            voxels[:, :, k, t] = pixels * np.int64(slope) + np.int64(intercept) if whole else pixels * slope + intercept
    if whole and voxels.min() >= np.iinfo(np.int16).min and voxels.max() <= np.iinfo(np.int16).max:
        voxels = voxels.astype(np.int16)
    return voxels[..., 0] if shape[3] == 1 else voxels


def _number(image: Any, name: str, default: float) -> float:
    value = image.get(name)
    return default if value is None or value == "" else float(value)


def pixels_of(image: Any) -> NDArray[Any]:
    """array[row, column] of one image, rescaled."""
    slope, intercept = _number(image, "RescaleSlope", 1.0), _number(image, "RescaleIntercept", 0.0)
    pixels = _pixels(image)
    return pixels if (slope, intercept) == (1.0, 0.0) else pixels * slope + intercept


def _pixels(image: Any) -> NDArray[Any]:
    try:
        pixels: NDArray[Any] = image.pixel_array
    except (RuntimeError, NotImplementedError, ValueError, AttributeError, TypeError, OSError) as error:
        syntax = image.file_meta.get("TransferSyntaxUID") if hasattr(image, "file_meta") else None
        if syntax is not None and syntax.is_compressed and isinstance(error, RuntimeError | NotImplementedError):
            raise VoxelHubError(
                "compressed", f"The pixels are compressed as {syntax.name}, which this kernel cannot read.", CONVERT) from None
        raise VoxelHubError("unreadable", "The pixels of an image are damaged or truncated.", AGAIN) from None
    return pixels


def _meta(image: Any, even: bool) -> dict[str, Any]:
    meta: dict[str, Any] = {"file_format": "DICOM", "modality": str(image.get("Modality", ""))}
    if meta["modality"] == "CT":
        meta["unit"] = "HU"
    elif image.get("Units"):
        meta["unit"] = str(image.Units)
    if not even:
        meta["evenly_spaced"] = False
    return meta
