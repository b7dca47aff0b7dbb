"""NIfTI-1 to and from Volume, through nibabel."""

from __future__ import annotations

import zlib
from os import PathLike
from pathlib import Path

import numpy as np

from .errors import VoxelHubError
from .volume import Volume


def read_nifti(path: str | PathLike[str]) -> Volume:
    """The volume of a .nii or .nii.gz file, scaled by its slope and intercept (NIfTI-1 scl_slope, scl_inter).

    Integers stay integers where the file has no scaling; else values are float32.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.load(path)
        slope, inter = image.header.get_slope_inter() if hasattr(image.header, "get_slope_inter") else (None, None)
        if slope in (None, 1.0) and inter in (None, 0.0):
            array = np.asanyarray(image.dataobj)
        else:
            array = image.get_fdata(dtype=np.float32, caching="unchanged")
    except (ImageFileError, EOFError, ValueError, OSError, zlib.error) as error:
        if isinstance(error, FileNotFoundError):
            raise VoxelHubError("no_such_file", f"There is no file {Path(path).name}.") from None
        raise VoxelHubError("unreadable", f"{Path(path).name} is not a whole NIfTI file.",
                            "Bring it in again, or ask who made it.") from None
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    return Volume(array, image.affine, {"file_format": "NIFTI"})


def to_nibabel(volume: Volume):  # type: ignore[no-untyped-def]  # nibabel has no types
    """A nibabel image with the volume's grid as scanner coordinates (qform and sform code 1), in millimetres."""
    import nibabel

    array = volume.array
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype in (np.int64, np.uint64):  # few programs read 64-bit NIfTI; narrow where nothing is lost
        small = np.int32 if not array.size or (array.min() >= -(2**31) and array.max() < 2**31) else np.float64
        array = array.astype(small)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    image = nibabel.Nifti1Image(array, volume.affine)
    image.set_qform(volume.affine, code=1)
    image.set_sform(volume.affine, code=1)
    image.header.set_xyzt_units("mm")
    return image


def write_nifti(volume: Volume, path: str | PathLike[str]) -> Path:
    """Write a volume as NIfTI-1; a name ending in .gz is compressed. Returns the path.

        voxelhub.write_nifti(mask, "results/mask.nii.gz")
    """
    import nibabel

    target = Path(path)
    if not target.name.endswith((".nii", ".nii.gz")):
        target = target.with_name(target.name + ".nii.gz")
    target.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(to_nibabel(volume), target)
    return target
