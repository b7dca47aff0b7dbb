"""Radiomic features of regions as the IBSI standard defines them: `extract.py [options] --output … --images … --masks …`.

Computed by MIRP (Zwanenburg et al., EUPL-1.2), unmodified; this program checks and pairs the inputs, fixes and records the
configuration, and writes one row for each region. The manifest sets one thread, so that equal inputs give equal bytes.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import math
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import itk
import mirp
import numpy as np
from columns import Column, columns
from configuration import keywords, record
from diagnostics import Values, diagnostics
from pairs import BadInput, Pair, paired, read

MOST_VOXELS = 1 << 28  # of an image after interpolation


def main() -> int:
    wanted = arguments()
    logging.basicConfig(level=logging.WARNING)  # MIRP prints the names of files otherwise
    warnings.simplefilter("ignore")
    try:
        configuration = keywords(wanted)
        pairs = paired(wanted.images, wanted.masks, wanted.pairing)
        for number, (image, mask) in enumerate(pairs):
            say(f"progress {0.05 * number / len(pairs):.3f} checking {number + 1} of {len(pairs)} pairs")
            check(read(image, mask), wanted)  # all before the first is computed: a wrong one is named in the first minute
        meaning, rows = columns(configuration), []
        for number, (image, mask) in enumerate(pairs):
            say(f"progress {0.05 + 0.95 * number / len(pairs):.3f} {number + 1} of {len(pairs)} pairs")
            rows += features(read(image, mask), wanted.regions, configuration, meaning)
    except BadInput as reason:
        say(f"error {reason}")
        return 1
    write(wanted, configuration, meaning, rows)
    say("progress 1 done")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    truth = {"choices": ("true", "false"), "default": "false"}
    parser.add_argument("--modality", choices=("ct", "mr", "pet", "generic"), required=True)
    parser.add_argument("--voxel_size", type=float, default=0.0, help="mm; 0 keeps the image's")
    parser.add_argument("--by_slice", **truth)
    parser.add_argument("--interpolation", choices=("nearest", "linear", "cubic"), default="linear")
    parser.add_argument("--anti_aliasing", **truth)
    parser.add_argument("--lowest", type=float, nargs="?")
    parser.add_argument("--highest", type=float, nargs="?")
    parser.add_argument("--outliers", type=float, default=0.0, help="standard deviations; 0 keeps all")
    parser.add_argument("--discretisation", choices=("bin_size", "bin_number", "none"), default="bin_size")
    parser.add_argument("--bin_size", type=float, default=25.0)
    parser.add_argument("--bin_number", type=int, default=32)
    parser.add_argument("--ivh_bin_size", type=float, default=0.0, help="0: without bins")
    parser.add_argument("--aggregation", default="3d_merged")
    parser.add_argument("--exact", **truth)
    parser.add_argument("--regions", choices=("each", "together"), default="each")
    parser.add_argument("--pairing", choices=("name", "order"), default="name")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    parser.add_argument("--masks", type=Path, nargs="+", required=True)
    return parser.parse_args()


def check(pair: Pair, wanted: argparse.Namespace) -> None:
    """What depends on the arguments; raises BadInput."""
    if wanted.lowest is not None and wanted.highest is not None and wanted.lowest >= wanted.highest:
        raise BadInput("“Lowest intensity” is not below “Highest intensity”.")
    if wanted.by_slice == "true" and wanted.aggregation.startswith("3d"):
        raise BadInput("Slice by slice, textures cannot be aggregated in 3D. Choose a 2D or 2.5D aggregation.")
    if wanted.voxel_size > 0:
        fine = pair.grid.spacing[: 2 if wanted.by_slice == "true" else 3] / wanted.voxel_size
        if pair.image.size * float(np.prod(fine)) > MOST_VOXELS:
            raise BadInput(f"“{pair.image_title}” would have more than {MOST_VOXELS:,} voxels of {wanted.voxel_size:g} mm. "
                           "Choose larger ones.")
    if wanted.discretisation == "none":
        inside = pair.image[pair.mask > 0]
        if not np.array_equal(inside, np.rint(inside)) or inside.min() < 1 or wanted.voxel_size > 0:
            raise BadInput("Without bins, intensities must be whole numbers from 1 on, and those of "
                           f"“{pair.image_title}” are not. Choose bins of a size or a number.")


def features(pair: Pair, regions: str, configuration: dict[str, Any], meaning: list[Column]) -> Iterator[dict[str, Any]]:
    """A row for each region; raises BadInput."""
    labels = pair.labels if regions == "each" else [0]
    for number, label in enumerate(labels):
        if len(labels) > 1:
            print(f"region {number + 1} of {len(labels)}", flush=True)
        inside = pair.mask == label if label else pair.mask > 0
        name = str(label) if label else "all"
        values, seen = compute(pair, inside, name, configuration)
        yield {"image": pair.image_title, "mask": pair.mask_title, "region": name,
               **{one.column: values.get(one.column) for one in meaning}, **seen}


def compute(pair: Pair, inside: np.ndarray, name: str, configuration: dict[str, Any]) -> tuple[dict[str, Any], Values]:
    """MIRP is given neutral file names and a mask of one region."""
    with tempfile.TemporaryDirectory() as folder:
        image_path, mask_path = Path(folder) / f"image{_ending(pair.image_path)}", Path(folder) / "mask.nii"
        image_path.symlink_to(pair.image_path.resolve())
        like = itk.imread(str(pair.mask_path))
        mask = itk.GetImageFromArray(inside.astype(np.uint8))
        mask.CopyInformation(like)
        itk.imwrite(mask, str(mask_path))
        try:
            done = mirp.extract_features_and_images(
                image=str(image_path), mask=str(mask_path), sample_name="image", export_features=True, export_images=True,
                image_export_format="native", **configuration)
        except (ValueError, IndexError, FloatingPointError) as reason:
            print(f"MIRP: {type(reason).__name__}: {str(reason).replace(folder, '')}", flush=True)
            raise BadInput(f"MIRP cannot compute region {name} of “{pair.mask_title}”. It may be too small; the log says more."
                           ) from None
    table, (worked,), given = done[0] if done[0][0] is not None and done[0][1] else (None, (None,), [])
    if table is None or not given or given[0] is None or not given[0].roi_intensity.get_voxel_grid().any():
        raise BadInput(f"Nothing is left of region {name} of “{pair.mask_title}” after interpolation and the limits of "
                       "intensity. Choose smaller voxels or wider limits.")
    return dict(table.iloc[0]), diagnostics(pair.image, inside, pair.grid.spacing, worked, given[0])


def _ending(path: Path) -> str:
    with path.open("rb") as file:
        return ".nii.gz" if file.read(2) == b"\x1f\x8b" else ".nii"


def write(wanted: argparse.Namespace, configuration: dict[str, Any], meaning: list[Column], rows: list[dict[str, Any]]) -> None:
    """One table alone, so that the tables of a batch join into one; what its columns are stands with the configuration."""
    with (wanted.output / "features.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(rows[0])
        table.writerows([_cell(value) for value in row.values()] for row in rows)
    told = record(wanted, configuration) | {"columns": [asdict(one) for one in meaning]}
    text = json.dumps(told, indent=1, ensure_ascii=False)
    (wanted.output / "configuration.json").write_text(text + "\n", encoding="utf-8")


def _cell(value: Any) -> str:
    """What is not defined for a region, as a texture of one voxel, stays empty."""
    if isinstance(value, str):
        return value
    if value is None or not math.isfinite(value):
        return ""
    return f"{float(value):.9g}"


def say(text: str) -> None:
    """A line for VoxelHub, not for the log."""
    print(f"::{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
