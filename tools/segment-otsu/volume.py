"""NIfTI volumes in and out: read with every check that the segmentation relies on, written with the geometry of what was read."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001}  # by the unit that the header names; without one, millimetres
LARGEST = 1 << 27  # voxels
UNREADABLE = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, OverflowError, zlib.error)


class BadInput(Exception):
    """A sentence for the person who started the run."""


@dataclass(frozen=True)
class Volume:
    """`voxels` are float32 of shape (x, y, z); `voxel` is the size of one in mm³."""

    title: str
    voxels: np.ndarray
    image: nibabel.Nifti1Image
    voxel: float


def title_of(path: Path) -> str:
    """The entry's name: VoxelHub puts a number before it."""
    return re.sub(r"^\d+-", "", path.name)


def stem_of(title: str) -> str:
    """A file name from an entry's name, without a known ending."""
    text = re.sub(r"\.nii(\.gz)?$", "", title, flags=re.IGNORECASE)
    text = re.sub(r"[^\w.-]+", "_", text).strip("._-")
    while len(text.encode()) > 150:
        text = text[:-1]
    return text or "volume"


def read(path: Path) -> Volume:
    """Raises BadInput."""
    title = title_of(path)
    image = _opened(path, title)
    shape = _shape(image, title)
    voxels = _decoded(image, title).reshape(shape)
    if not np.isfinite(voxels).all():
        raise BadInput(f"“{title}” holds values that are no numbers (NaN or infinite). Replace them first.")
    return Volume(title, voxels, image, _voxel(image, title))


def _opened(path: Path, title: str) -> nibabel.Nifti1Image:
    if path.is_dir():
        raise BadInput(f"“{title}” is a series of files. Turn it into NIfTI first.")
    try:
        image = nibabel.load(path)
    except UNREADABLE:
        raise _broken(title) from None
    if not isinstance(image, nibabel.Nifti1Image):
        raise _broken(title)
    return image


def _shape(image: nibabel.Nifti1Image, title: str) -> tuple[int, ...]:
    """Three numbers, by the header alone: what is too large is never decoded."""
    if image.get_data_dtype().kind not in "iuf":
        raise BadInput(f"“{title}” holds colours or complex numbers. Give a volume with one number in each voxel.")
    shape = tuple(map(int, image.shape))
    if len(shape) > 3 and max(shape[3:]) > 1:
        raise BadInput(f"“{title}” has {len(shape)} dimensions ({' × '.join(map(str, shape))}). Give one volume of three "
                       "dimensions, as of one point in time.")
    if len(shape) < 3 or min(shape[:3]) < 2:
        raise BadInput(f"“{title}” is a single picture. Give a volume of at least two slices.")
    if np.prod(shape, dtype=float) > LARGEST:
        raise BadInput(f"“{title}” has more than {LARGEST:,} voxels, and this tool takes no more. Resample or crop it.")
    return shape[:3]


def _decoded(image: nibabel.Nifti1Image, title: str) -> np.ndarray:
    try:
        return np.asarray(image.dataobj, np.float32)
    except UNREADABLE:
        raise _broken(title) from None


def _broken(title: str) -> BadInput:
    return BadInput(f"“{title}” cannot be read as NIfTI: it is broken, ends too early, or is something else. "
                    "Export or copy it again.")


def _voxel(image: nibabel.Nifti1Image, title: str) -> float:
    unit = MILLIMETRES.get(image.header.get_xyzt_units()[0], 1.0)
    size = abs(float(np.linalg.det(image.affine[:3, :3]))) * unit**3
    if not (np.isfinite(size) and size > 0):
        raise BadInput(f"“{title}” does not say where its voxels lie: its geometry is flat. Export it again.")
    return size


def write(path: Path, voxels: np.ndarray, like: nibabel.Nifti1Image) -> None:
    """A .nii.gz of these voxels with exactly the orientation and place of `like`, and nothing else of its header.

    Equal inputs give equal bytes.
    """
    header = type(like.header)(endianness=like.header.endianness)
    for name in ("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z",
                 "srow_x", "srow_y", "srow_z", "xyzt_units"):
        header[name] = like.header[name]
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    header["pixdim"][:4] = like.header["pixdim"][:4]
    image = type(like)(voxels, None, header)
    with path.open("wb") as sink, gzip.GzipFile("", "wb", 6, sink, mtime=0) as packed:  # no name, no time
        packed.write(image.to_bytes())
