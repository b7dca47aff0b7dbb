"""Files of an entry to what a researcher works with: Volume, Table, image array or text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import VoxelHubError
from .volume import Volume

TEXT_LIMIT = 64 * 1024**2  # bytes; a longer text belongs to a program that reads it piece by piece


def load_files(kind: str, file_format: str, files: list[Path]) -> Any:
    """Read `files` of an entry of this kind and format. Raises VoxelHubError with what to do instead."""
    missing = [path for path in files if not path.exists()]
    if missing or not files:
        raise VoxelHubError("no_such_file", "Files of this entry are not where they should be.",
                            "Ask an administrator to run `voxelhub fsck`.")
    if kind in ("series", "volume"):
        return _volume(files)
    if kind == "image":
        return _image(files)
    if kind == "table":
        from .tables import read_table

        return read_table(_single(files))
    if kind == "text":
        return _text(_single(files))
    raise VoxelHubError("no_reader", f"There is no reader for the format {file_format or 'of this file'} here.",
                        "Open the file at .path with a library that knows it.")


def _volume(files: list[Path]) -> Volume:
    from .dicom import read_dicom
    from .nifti import read_nifti

    if len(files) == 1 and files[0].name.lower().endswith((".nii", ".nii.gz")):
        return read_nifti(files[0])
    return read_dicom(files)


def _image(files: list[Path]) -> Any:
    """array[row, column(, colour)] of one picture; of a DICOM image, its stored pixels after rescaling."""
    import numpy as np

    path = _single(files)
    with path.open("rb") as file:
        head = file.read(132)
    if head[128:132] == b"DICM":
        import pydicom

        from .dicom import pixels_of

        return pixels_of(pydicom.dcmread(path))
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return np.asarray(picture)
    except (UnidentifiedImageError, OSError):
        raise VoxelHubError("unreadable", f"{path.name} is not a whole picture.", "Bring it in again.") from None


def _text(path: Path) -> str:
    if path.stat().st_size > TEXT_LIMIT:
        raise VoxelHubError("too_long", f"{path.name} is too long to read at once.",
                            "Open the file at .path and read it in pieces.")
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _single(files: list[Path]) -> Path:
    if len(files) != 1:
        raise VoxelHubError("several_files", f"This entry is made of {len(files)} files.", "Open them one by one: see .files().")
    return files[0]
