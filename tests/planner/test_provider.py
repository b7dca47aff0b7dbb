"""Played by a provider: given only what its machines hold, it tries to order, to place and to join the patches of a slide.

The attacker gets a folder and lists it. It knows the algorithm, the truth about three patches that it recognises, and nothing
else; `cells` below is used to score what it says, never by what says it.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from voxelhub_planner import png, split
from voxelhub_planner.attack import recover_coordinates
from voxelhub_planner.jigsaw import borders, jigsaw_selftest, matches
from voxelhub_planner.sealing import Manifest, new_key, seal
from voxelhub_planner.slides import SlidePatches, opened_slide, patch_grid

SVS = Path(__file__).parents[3] / "shared/data/wsi/CMU-1-Small-Region.svs"
SIZE = 16


def textured(columns: int = 20, rows: int = 16) -> tuple[list[np.ndarray], np.ndarray]:
    noise = np.random.default_rng(7).normal(size=(rows * SIZE, columns * SIZE, 3))
    image = np.clip(128 + 900 * gaussian_filter(noise, (2.5, 2.5, 0)), 0, 255).astype(np.uint8)
    cells = np.array([(x, y) for y in range(rows) for x in range(columns)])
    return [image[y * SIZE:(y + 1) * SIZE, x * SIZE:(x + 1) * SIZE] for x, y in cells.tolist()], cells


def sent(folder: Path, strategy: str, patches: list[np.ndarray], cells: np.ndarray) -> Manifest:
    labels = split(cells, strategy, seed=3)
    return seal(patches, cells, labels, new_key(), "slide", folder / "sent", folder / "manifest")


def held(folder: Path, fragments: list[str]) -> list[Path]:
    """What those machines hold, in the order in which it was written."""
    homes = [folder / "sent" / name for name in fragments]
    return [file for home in homes for file in sorted(home.iterdir(), key=lambda file: file.stat().st_ino)]


def orders(folder: Path, fragment: str) -> dict[str, list[str]]:
    """Every order that a file system keeps."""
    entries = list(os.scandir(folder / "sent" / fragment))
    keys = {"name": lambda entry: entry.name, "entry": lambda entry: entry.inode(),
            "written": lambda entry: (entry.stat().st_ctime_ns, entry.name), "changed": lambda entry: entry.stat().st_mtime_ns}
    return {"listed": [entry.name[:-4] for entry in entries]} | {
        kind: [entry.name[:-4] for entry in sorted(entries, key=key)] for kind, key in keys.items()}


def test_no_order_that_a_node_sees_follows_the_slide(tmp_path: Path) -> None:
    """`even`, where neighbours do meet in one fragment; by chance 8 of 319 others touch."""
    patches, cells = textured()
    known = sent(tmp_path, "even", patches, cells)
    for kind in orders(tmp_path, known.fragments[0]):
        near, steps = 0, 0
        for fragment in known.fragments:
            listed = cells[[known.places[name] for name in orders(tmp_path, fragment)[kind]]]
            step = np.abs(np.diff(listed, axis=0)).max(axis=1)
            near, steps = near + int((step == 1).sum()), steps + len(step)
        assert near / steps < 4 * 8 / 319, kind


def test_no_time_in_a_folder_differs(tmp_path: Path) -> None:
    patches, cells = textured()
    sent(tmp_path, "lattice5", patches, cells)
    assert {entry.stat().st_mtime for entry in (tmp_path / "sent").rglob("*")} == {315532800}


def test_three_known_patches_do_not_place_the_others(tmp_path: Path) -> None:
    """From names as numbers, order and file sizes at once, and from each alone."""
    patches, cells = textured()
    right = tries = 0
    for n in range(5):
        home = tmp_path / str(n)
        home.mkdir()
        known = sent(home, "lattice5", patches, cells)
        files = held(home, list(known.fragments))
        columns = np.array([[int(file.stem, 16) / 2**128, rank, file.stat().st_size] for rank, file in enumerate(files)], float)
        truth = cells[[known.places[file.stem] for file in files]]
        recognised = np.random.default_rng(n).choice(len(files), 3, replace=False)
        rest = np.setdiff1d(np.arange(len(files)), recognised)
        for features in (columns, columns[:, :1], columns[:, 1:2], columns[:, 2:]):
            guess = np.rint(recover_coordinates(features, recognised, truth[recognised]))
            right, tries = right + int((guess[rest] == truth[rest]).all(axis=1).sum()), tries + len(rest)
    assert right / tries < 4 / len(cells)


def joined(files: list[Path]) -> list[tuple[str, str, int]]:
    """What two parties say after laying their patches side by side: left or upper name, right or lower name, direction."""
    pixels = [png.decoded(file.read_bytes()) for file in files]
    left, right, upper, lower = borders(pixels)
    return [(files[i].stem, files[j].stem, axis) for axis, pairs in enumerate((matches(right, left), matches(lower, upper)))
            for i, j in pairs.tolist()]


@pytest.mark.parametrize(("strategy", "least", "most"), [("lattice5", 0.05, 0.13), ("rs4", 0.35, 0.75)])
def test_what_two_providers_join_is_what_the_self_test_said(tmp_path: Path, strategy: str, least: float, most: float) -> None:
    patches, cells = textured()
    known = sent(tmp_path, strategy, patches, cells)
    forecast = jigsaw_selftest(patches, cells, known.labels).worst_pair
    files = held(tmp_path, [known.fragments[int(label)] for label in forecast.parties])
    claims = joined(files)
    steps = [cells[known.places[other]] - cells[known.places[one]] for one, other, _ in claims]
    right = sum(tuple(step) == ((1, 0), (0, 1))[axis] for step, (_, _, axis) in zip(steps, claims, strict=True))
    pairs = 19 * 16 + 20 * 15
    assert (len(claims), right / pairs) == (forecast.claimed, pytest.approx(forecast.recall))
    assert least < right / pairs < most


@pytest.mark.skipif(not SVS.is_file(), reason="the real slide (../shared/data/wsi) is not on this machine")
def test_the_order_of_splits_on_a_real_slide() -> None:
    pytest.importorskip("openslide", reason="OpenSlide is not installed here")
    with opened_slide(SVS) as slide:
        grid = patch_grid(slide, 112)
        every = SlidePatches(slide, grid)
        patches = [every[index] for index in range(len(every))]
    strips = np.empty(len(grid.cells), int)
    strips[np.lexsort((grid.cells[:, 1], grid.cells[:, 0]))] = np.arange(len(grid.cells)) * 5 // len(grid.cells)
    splits = {name: split(grid.cells, name, seed=1) for name in ("lattice5", "rs8", "even", "rs4")} | {"strips": strips}
    found = {name: jigsaw_selftest(patches, grid.cells, labels) for name, labels in splits.items()}
    recall = {name: one.worst_pair.recall for name, one in found.items()}
    cut = jigsaw_selftest(patches, grid.cells, splits["even"], trim=4).everything.recall
    unsplit = found["even"].everything.recall
    print(f"{len(patches)} patches, worst pair: {recall}, all {unsplit:.3f}, trimmed by 4 of 112: {cut:.3f}")
    assert max(recall["lattice5"], recall["rs8"]) < recall["even"] < min(recall["strips"], recall["rs4"])
    assert recall["lattice5"] < 0.13
    assert recall["rs4"] > 0.45
    assert unsplit > 0.9 > 0.3 > cut
