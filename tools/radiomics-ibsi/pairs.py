"""Images and their masks: which belongs to which, read and checked before anything is computed."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import itk
import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

MOST_REGIONS = 100
APART = 1e-3  # mm, between an image's and a mask's corners; of a voxel's size for spacing and direction
UNREADABLE = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, OverflowError, zlib.error)
SAME_GRID = "Bring the mask onto the image's grid, or choose the image that it was drawn on."


class BadInput(Exception):
    """A sentence for the person who started the run."""


@dataclass(frozen=True)
class Grid:
    """Place in space as ITK has it: numbers of voxels, mm, and the direction matrix with an axis in each column; x first."""

    size: tuple[int, ...]
    spacing: np.ndarray
    origin: np.ndarray
    direction: np.ndarray

    def corner(self) -> np.ndarray:
        return self.origin + self.direction @ (self.spacing * (np.array(self.size) - 1))


@dataclass(frozen=True)
class Pair:
    """`image` (float) and `mask` (whole numbers) have shape (z, y, x); `labels` are the mask's, without 0."""

    image_title: str
    mask_title: str
    image_path: Path
    mask_path: Path
    image: np.ndarray
    mask: np.ndarray
    grid: Grid
    labels: list[int]


def title_of(path: Path) -> str:
    """The entry's name: VoxelHub puts a number before it."""
    return re.sub(r"^\d+-", "", path.name)


def paired(images: list[Path], masks: list[Path], by: str) -> list[tuple[Path, Path]]:
    """By their order, or by name: a mask's name begins with its image's. One image with one mask needs no rule."""
    if not images or not masks:
        raise BadInput(f"No {'mask' if images else 'image'} is given. Select images and their masks.")
    if len(images) == len(masks) == 1:
        return [(images[0], masks[0])]
    if by == "order":
        if len(images) != len(masks):
            raise BadInput(f"There are {len(images)} images and {len(masks)} masks. By order, each image needs exactly one mask.")
        return list(zip(images, masks, strict=True))
    pairs = [(_image_of(mask, images), mask) for mask in masks]
    for image in images:
        if all(image != one for one, _ in pairs):
            raise BadInput(f"No mask's name begins with “{stem(image)}”, the name of an image. "
                           "Rename the masks, or pair by order.")
    return sorted(pairs, key=lambda pair: images.index(pair[0]))


def stem(path: Path) -> str:
    return re.sub(r"\.nii(\.gz)?$", "", title_of(path), flags=re.IGNORECASE)


def _image_of(mask: Path, images: list[Path]) -> Path:
    """The one with the longest name that the mask's begins with."""
    name = stem(mask).casefold()
    fitting = [image for image in images if name.startswith(stem(image).casefold())]
    longest = max((len(stem(image)) for image in fitting), default=0)
    best = [image for image in fitting if len(stem(image)) == longest]
    if len(best) != 1:
        how = "with no image's name" if not best else f"with the name of {len(best)} images"
        raise BadInput(f"The name of the mask “{title_of(mask)}” begins {how}. Rename the masks, or pair by order.")
    return best[0]


def read(image_path: Path, mask_path: Path) -> Pair:
    """Raises BadInput."""
    image_title, mask_title = title_of(image_path), title_of(mask_path)
    image, grid = _volume(image_path, image_title)
    mask, mask_grid = _volume(mask_path, mask_title)
    _same_grid(grid, mask_grid, image_title, mask_title)
    if not np.array_equal(mask, np.rint(mask)) or mask.min() < 0:
        raise BadInput(f"“{mask_title}” is no mask: it holds numbers that are not whole or are below zero.")
    labels = [int(one) for one in np.unique(mask) if one > 0]
    if not labels:
        raise BadInput(f"“{mask_title}” marks no voxel. Draw a region first.")
    if len(labels) > MOST_REGIONS:
        raise BadInput(f"“{mask_title}” holds {len(labels)} regions; this tool takes at most {MOST_REGIONS}. Is it a mask?")
    return Pair(image_title, mask_title, image_path, mask_path, image, mask.astype(np.int64), grid, labels)


def _volume(path: Path, title: str) -> tuple[np.ndarray, Grid]:
    """Decoded by nibabel, because ITK reads NaN as 0 and what is cut off as 0, too; placed by ITK, as MIRP does it."""
    if path.is_dir():
        raise BadInput(f"“{title}” is a series of files. Turn it into NIfTI first.")
    try:
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Image):
            raise _unreadable(title)
        size = _checked_size(image, title)
        voxels = np.asarray(image.dataobj).reshape(size).T
    except UNREADABLE:
        raise _unreadable(title) from None
    if not np.isfinite(voxels).all():
        raise BadInput(f"“{title}” holds values that are no numbers (NaN or infinite). Replace them first.")
    return voxels, _grid(path, size, title)


def _checked_size(image: nibabel.Nifti1Image, title: str) -> tuple[int, ...]:
    size = tuple(map(int, image.shape))
    if image.get_data_dtype().kind not in "iuf":
        raise BadInput(f"“{title}” holds colours or complex numbers. Give a volume with one number in each voxel.")
    if len(size) > 3 and max(size[3:]) > 1:
        raise BadInput(f"“{title}” has {len(size)} dimensions ({_times(size)}). Give one volume of three dimensions, as of one "
                       "point in time.")
    if len(size) < 3 or min(size[:3]) < 2:
        raise BadInput(f"“{title}” is a single picture. Give a volume of at least two slices.")
    return size[:3]


def _grid(path: Path, size: tuple[int, ...], title: str) -> Grid:
    try:
        reader = itk.ImageIOFactory.CreateImageIO(str(path), itk.CommonEnums.IOFileMode_ReadMode)
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
    except (RuntimeError, AttributeError) as reason:
        if "orthonormal" in str(reason):
            raise BadInput(f"“{title}” has slanted axes, which ITK does not take. Resample it onto a straight grid.") from None
        raise _unreadable(title) from None
    axes = range(3)
    spacing, origin = (np.array([get(axis) for axis in axes]) for get in (reader.GetSpacing, reader.GetOrigin))
    return Grid(size, spacing, origin, np.array([reader.GetDirection(axis) for axis in axes]).T)


def _unreadable(title: str) -> BadInput:
    return BadInput(f"“{title}” cannot be read as NIfTI: it is broken, ends too early, or is something else. "
                    "Export or copy it again.")


def _same_grid(image: Grid, mask: Grid, image_title: str, mask_title: str) -> None:
    between = f"“{mask_title}” does not lie on the grid of “{image_title}”"
    if image.size != mask.size:
        raise BadInput(f"{between}: it has {_times(mask.size)} voxels, the image {_times(image.size)}. {SAME_GRID}")
    if not np.allclose(image.spacing, mask.spacing, rtol=APART, atol=0):
        raise BadInput(f"{between}: its voxels are {_mm(mask.spacing)}, the image's {_mm(image.spacing)}. {SAME_GRID}")
    apart = max(np.abs(image.origin - mask.origin).max(), np.abs(image.corner() - mask.corner()).max())
    turned = np.abs(image.direction - mask.direction).max()
    if apart > APART * max(1.0, image.spacing.max()) or turned > APART:
        raise BadInput(f"{between}: it lies up to {apart:.3g} mm beside it or is turned. {SAME_GRID}")


def _times(size: tuple[int, ...]) -> str:
    return " × ".join(map(str, size))


def _mm(spacing: np.ndarray) -> str:
    return " × ".join(f"{one:.4g}" for one in spacing) + " mm"
