"""voxelhub.view: a volume in three planes with an overlay, drawn by NiiVue from the kernel's own files, offline."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from .catalogue import Dataset, Entry
from .dicom import read_dicom
from .errors import VoxelHubError
from .nifti import read_nifti, to_nibabel
from .volume import Volume

Viewable = Volume | Entry | Dataset | str | PathLike[str]
LIMIT = 512 * 1024**2  # bytes sent to the browser; more makes a tab fail
WINDOWS_HU = {"CT": (-1000.0, 400.0)}  # lung to soft tissue
OVERLAY = "red"
CROSSHAIR = (0.2, 0.8, 1.0, 0.8)  # RGBA: not the colour of the overlay


def view(
    image: Viewable, overlay: Viewable | None = None, *, window: tuple[float, float] | None = None,
    opacity: float = 0.5, height: int = 420,
) -> Any:
    """A widget with the axial, coronal and sagittal plane and the 3-D rendering; `overlay` (a mask) is laid over it in red.

    `image` and `overlay` are a Volume, an entry, a dataset, or the path of a NIfTI file or a DICOM folder. `window` is the
    range of values from black to white; left out, it fits the modality. `height` is in pixels.

        voxelhub.view(study.load(), overlay=study.load().like(mask))
    """
    from ipyniivue import NiiVue, ShowRender, SliceType

    base = as_volume(image)
    low, high = window or _window(base)
    layers = [{"data": _nifti_bytes(base), "name": "image.nii", "colormap": "gray", "cal_min": low, "cal_max": high}]
    if overlay is not None:
        layer = as_volume(overlay)
        top = float(np.max(layer.array)) if layer.array.size else 1.0
        layers.append({"data": _nifti_bytes(layer), "name": "overlay.nii", "colormap": OVERLAY, "opacity": opacity,
                       "cal_min": min(0.5, top), "cal_max": max(top, 1.0)})
    widget = NiiVue(height=height, slice_type=SliceType.MULTIPLANAR, multiplanar_show_render=ShowRender.ALWAYS,
                    drag_and_drop_enabled=False, is_slice_mm=True, crosshair_color=CROSSHAIR, crosshair_width=1.0,
                    crosshair_width_unit="mm")
    widget.load_volumes(layers)
    return widget


def show(entry: Entry) -> Any:
    """An entry as a cell's last line shows it best: a volume in the viewer, a table, picture or text as it is, and a sentence
    for what no notebook shows."""
    try:
        content = entry.load()
        return view(content) if isinstance(content, Volume) else content
    except VoxelHubError as error:
        return f"{entry.name}: {error}"


def as_volume(what: Viewable) -> Volume:
    """The volume of anything that can be looked at."""
    if isinstance(what, Entry | Dataset):
        what = what.load()
    if isinstance(what, str | PathLike):
        path = Path(what)
        what = read_nifti(path) if path.name.endswith((".nii", ".nii.gz")) else read_dicom(path)
    if not isinstance(what, Volume):
        raise VoxelHubError("not_a_volume", f"Three planes need a volume, not {type(what).__name__}.",
                            "Pictures, tables and texts show themselves as a cell's last line.")
    return what


def _window(volume: Volume) -> tuple[float, float]:
    known = WINDOWS_HU.get(str(volume.meta.get("modality", "")))
    if known:
        return known
    sample = volume.array.ravel()[:: max(1, volume.array.size // 200_000)].astype(np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(sample, (1, 99.5)))
    return (low, high) if high > low else (low, low + 1.0)


def _nifti_bytes(volume: Volume) -> bytes:
    """The first time point as an uncompressed NIfTI of a type that browsers draw."""
    array = volume.array[..., 0] if volume.array.ndim == 4 else volume.array
    if array.dtype.kind == "f" or array.dtype.itemsize > 4:
        array = array.astype(np.float32)
    if array.nbytes > LIMIT:
        raise VoxelHubError("too_large", f"The volume has {array.nbytes / 1e9:.1f} GB, more than a browser tab can draw.",
                            "View a part of it, or every second voxel, with Volume.like.")
    data: bytes = to_nibabel(Volume(array, volume.affine)).to_bytes()
    return data
