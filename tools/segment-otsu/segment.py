"""Foreground of volumes by Otsu's threshold: `segment.py [options] --output FOLDER [--volumes FILE…] [--mr FILE…]`.

Volumes given as MR are corrected for their bias field first (N4); all others are thresholded as they are. The parts of the
foreground (voxels that touch by their faces) are then sorted out by size.

Otsu 1979, doi:10.1109/TSMC.1979.4310076; N4: Tustison et al. 2010, doi:10.1109/TMI.2010.2046908; both as in SimpleITK, on one
thread, so that equal inputs give equal bytes.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from volume import BadInput, Volume, read, stem_of, write

SMALLEST_AXIS = 8  # voxels that an axis keeps when the bias field is fitted on a coarser grid


@dataclass(frozen=True)
class Row:
    """One line of the table; intensities are the input's own, before any correction."""

    volume: str
    mask: str
    modality: str
    bias_corrected: str
    threshold: float
    separability: float  # between-class variance over total variance of the histogram, 0 to 1
    parts_found: int
    parts_kept: int
    voxels: int
    voxel_mm3: float
    volume_mm3: float
    volume_ml: float
    mean_intensity: float
    sd_intensity: float
    min_intensity: float
    max_intensity: float


def main() -> int:
    wanted = arguments()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    given = [(path, False) for path in wanted.volumes] + [(path, True) for path in wanted.mr]
    try:
        if not given:
            raise BadInput("No volume is given. Select at least one NIfTI volume.")
        for number, (path, _) in enumerate(given):
            say(f"progress {0.1 * number / len(given):.3f} checking {number + 1} of {len(given)} volumes")
            read(path)  # all of them before the first is worked on: a broken one is named in the first minute
        rows = []
        for number, (path, mr) in enumerate(given):
            say(f"progress {0.1 + 0.9 * number / len(given):.3f} {number + 1} of {len(given)} volumes")
            rows.append(segment(read(path), mr, wanted))
    except BadInput as reason:
        say(f"error {reason}")
        return 1
    table(wanted.output / "volumes.csv", rows)
    say("progress 1 done")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", choices=("largest", "all"), default="largest")
    parser.add_argument("--smallest_part", type=float, default=0.0, help="mL")
    parser.add_argument("--fill_holes", choices=("true", "false"), default="false")
    parser.add_argument("--bins", type=int, default=256)
    parser.add_argument("--bias_grid", type=int, default=4, help="N4 works on a grid coarser by this factor")
    parser.add_argument("--bias_iterations", type=int, default=50, help="N4, at most, on each of four levels")
    parser.add_argument("--save_corrected", choices=("true", "false"), default="false")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--volumes", type=Path, nargs="*", default=[])
    parser.add_argument("--mr", type=Path, nargs="*", default=[])
    return parser.parse_args()


def segment(volume: Volume, mr: bool, wanted: argparse.Namespace) -> Row:
    """Writes the mask, and the corrected volume where it is wanted; raises BadInput."""
    name = free_name(wanted.output, stem_of(volume.title))
    voxels = volume.voxels
    if voxels.min() == voxels.max():
        raise BadInput(f"Every voxel of “{volume.title}” has the same value: there is nothing to tell apart.")
    if mr:
        voxels = corrected(volume, wanted.bias_grid, wanted.bias_iterations)
        if wanted.save_corrected == "true":
            write(wanted.output / f"{name}_corrected.nii.gz", voxels, volume.image)
    threshold = otsu(voxels, wanted.bins)
    foreground = voxels > threshold
    smallest = int(np.ceil(wanted.smallest_part * 1000 / volume.voxel))
    mask, found, kept = parts(foreground, wanted.keep, smallest)
    if kept == 0:
        raise BadInput(f"Nothing is left of “{volume.title}”: its largest part has fewer than {wanted.smallest_part:g} mL. "
                       "Lower “Smallest part”.")
    if wanted.fill_holes == "true":
        mask = array(sitk.BinaryFillhole(picture(mask)))
    write(wanted.output / f"{name}_mask.nii.gz", mask.astype(np.uint8), volume.image)
    inside, size = volume.voxels[mask > 0].astype(np.float64), int(np.count_nonzero(mask))
    return Row(
        volume=volume.title, mask=f"{name}_mask.nii.gz", modality="MR" if mr else "other", bias_corrected="yes" if mr else "no",
        threshold=threshold, separability=separability(voxels, foreground), parts_found=found, parts_kept=kept,
        voxels=size, voxel_mm3=volume.voxel, volume_mm3=size * volume.voxel, volume_ml=size * volume.voxel / 1000,
        mean_intensity=inside.mean(), sd_intensity=inside.std(), min_intensity=inside.min(), max_intensity=inside.max())


def corrected(volume: Volume, grid: int, iterations: int) -> np.ndarray:
    """N4 on a coarser grid over every voxel above zero: a first mask by threshold would follow the shading."""
    image = picture(volume.voxels, volume.image.header.get_zooms())
    factors = [max(1, min(grid, size // SMALLEST_AXIS)) for size in image.GetSize()]
    small = sitk.Shrink(image, factors)
    positive = sitk.Cast(small > 0, sitk.sitkUInt8)
    if not sitk.GetArrayViewFromImage(positive).any():
        raise BadInput(f"“{volume.title}” has no tissue brighter than zero, as an MR volume has. Give it as another volume.")
    fitted = sitk.N4BiasFieldCorrectionImageFilter()
    fitted.SetMaximumNumberOfIterations([iterations] * 4)
    fitted.Execute(small, positive)
    return volume.voxels / np.exp(array(fitted.GetLogBiasFieldAsImage(image)))


def otsu(voxels: np.ndarray, bins: int) -> float:
    found = sitk.OtsuThresholdImageFilter()
    found.SetNumberOfHistogramBins(bins)
    found.Execute(picture(voxels))
    return float(np.float32(found.GetThreshold()))


def separability(voxels: np.ndarray, foreground: np.ndarray) -> float:
    share = foreground.mean()
    if share in (0.0, 1.0):
        return 0.0
    bright, dark = voxels[foreground].mean(dtype=np.float64), voxels[~foreground].mean(dtype=np.float64)
    return float(share * (1 - share) * (bright - dark) ** 2 / voxels.var(dtype=np.float64))


def parts(foreground: np.ndarray, keep: str, smallest: int) -> tuple[np.ndarray, int, int]:
    """The mask, how many parts there were, and how many are kept; parts of fewer than `smallest` voxels go."""
    labels = sitk.RelabelComponent(sitk.ConnectedComponent(picture(foreground.astype(np.uint8))))  # 1 is the largest
    numbers = array(labels)
    sizes = np.bincount(numbers.ravel())[1:]
    kept = int(np.count_nonzero(sizes >= max(smallest, 1)))
    if keep == "largest":
        kept = min(kept, 1)
    return ((numbers > 0) & (numbers <= kept)).astype(np.uint8), len(sizes), kept


def picture(voxels: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> sitk.Image:
    """(x, y, z) as SimpleITK has it; a boolean becomes an 8-bit number. Directions do not matter here."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels.T))
    image.SetSpacing([float(one) for one in spacing[:3]])
    return image


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image).T


def free_name(folder: Path, stem: str) -> str:
    number, name = 1, stem
    while (folder / f"{name}_mask.nii.gz").exists():
        number += 1
        name = f"{stem}-{number}"
    return name


def table(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([one.name for one in fields(Row)])
        writer.writerows(map(cells, rows))


def cells(row: Row) -> Iterator[str]:
    for value in asdict(row).values():
        yield f"{value:.8g}" if isinstance(value, float) else str(value)


def say(text: str) -> None:
    """A line for VoxelHub, not for the log."""
    print(f"::{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
