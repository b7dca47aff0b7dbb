"""A volume: voxels and where they lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import VoxelHubError


@dataclass(frozen=True, repr=False)
class Volume:
    """Voxels in `array[i, j, k]` (a fourth axis is time or phase) with their place in space.

    `affine` (4×4) takes voxel indices to millimetres in RAS+ (x to the Right, y to Anterior, z to Superior), as in
    NIfTI-1 and nibabel. `meta` holds what is worth knowing and never an identifier.

        volume = voxelhub.dataset("Phantom chest CT").load()
        volume.array[volume.shape[0] // 2]                         # a sagittal slice
        (mask.array > 0).sum() * mask.voxel_volume_ml              # volume of a mask, in millilitres
    """

    array: NDArray[Any]
    affine: NDArray[np.float64]
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.array.ndim not in (3, 4):
            raise VoxelHubError("not_a_volume", f"A volume has 3 or 4 axes; this array has {self.array.ndim}.")
        affine = np.asarray(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.all(np.isfinite(affine)) or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
            raise VoxelHubError("bad_affine", "The affine must be a 4×4 matrix, in millimetres, that can be inverted.")
        object.__setattr__(self, "affine", affine)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along each axis, in millimetres."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres (1 ml = 1000 mm³)."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    @property
    def orientation(self) -> str:
        """Where each axis points, as three letters of R/L, A/P, S/I."""
        import nibabel

        return "".join(str(letter) for letter in nibabel.aff2axcodes(self.affine))

    def to_ras(self) -> Volume:
        """The same volume with its axes turned and flipped (never resampled) to point Right, Anterior, Superior."""
        import nibabel

        turn = nibabel.io_orientation(self.affine)
        array = nibabel.apply_orientation(self.array, turn)
        affine = self.affine @ nibabel.orientations.inv_ornt_aff(turn, self.shape[:3])
        return Volume(array, affine, self.meta)

    def like(self, array: NDArray[Any]) -> Volume:
        """Another array in the same place: a mask, a filtered image. It must have the same first three axes."""
        if array.shape[:3] != self.shape[:3]:
            raise VoxelHubError("other_grid", f"The array has shape {array.shape}, the volume {self.shape}.",
                                "Only an array on the same grid lies in the same place.")
        return Volume(array, self.affine, {})

    def __repr__(self) -> str:
        spacing = " × ".join(f"{s:.3g}" for s in self.spacing)
        size = " × ".join(map(str, self.shape))
        about = ", ".join(f"{k} {v}" for k, v in self.meta.items() if k in ("modality", "unit"))
        return f"<Volume {size} {self.array.dtype}, {spacing} mm, {self.orientation}{', ' + about if about else ''}>"
