"""Slides become grids of tissue: planted tissue is found, real slides are read, damaged ones are refused, memory stays small."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from voxelhub_planner import PlannerError
from voxelhub_planner.slides import SlidePatches, opened_slide, otsu, patch_grid, saturation

SHARED = Path(__file__).parents[3] / "shared/data/wsi"
SVS, DICOM = SHARED / "CMU-1-Small-Region.svs", SHARED / "dicom_wsi_volume_level_1000x2459.dcm"
real = pytest.mark.skipif(not SHARED.is_dir(), reason="the test inputs (../shared/data) are not on this machine")


class Planted:
    """A slide that is computed where it is read: pink discs, grained, on grey paper; the right rim is not covered."""

    def __init__(self, width: int, height: int, downsamples: tuple[int, ...] = (1,), radius: int = 900, pitch: int = 3000,
                 ) -> None:
        self.level_downsamples = tuple(map(float, downsamples))
        self.level_dimensions = tuple((width // scale, height // scale) for scale in downsamples)
        self.radius, self.pitch, self.largest = radius, pitch, 0

    def is_tissue(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        dx, dy = x % self.pitch - self.pitch / 2, y % self.pitch - self.pitch / 2
        return dx * dx + dy * dy < self.radius**2

    def read_region(self, location: tuple[int, int], level: int, size: tuple[int, int]) -> np.ndarray:
        self.largest = max(self.largest, size[0] * size[1])
        scale = int(self.level_downsamples[level])
        x, y = (at + np.arange(count, dtype=np.int32) * scale + scale // 2 for at, count in zip(location, size, strict=True))
        grain = (x * 7 % 9).astype(np.uint8) + (y * 13 % 7).astype(np.uint8)[:, None]
        pixels = np.full((size[1], size[0], 4), (228, 226, 230, 255), np.uint8)
        pixels[self.is_tissue(x, y[:, None])] = (200, 90, 160, 255)
        pixels[:, :, :3] += grain[:, :, None]
        pixels[:, x >= self.level_dimensions[0][0] * 0.99] = 0  # nothing was scanned there: black, and transparent
        return pixels


@pytest.mark.parametrize(("downsamples", "level", "size"), [
    ((1,), 0, 224), ((1, 4, 16), 0, 224), ((1, 4, 16), 1, 100), ((1, 3), 0, 50)])
def test_planted_tissue_is_found(downsamples: tuple[int, ...], level: int, size: int) -> None:
    slide = Planted(9100, 6200, downsamples)
    grid = patch_grid(slide, size, 0.5, level)
    scale = slide.level_downsamples[level]
    column, row = np.meshgrid(np.arange(grid.columns), np.arange(grid.rows))
    at = (np.arange(32) + 0.5) / 32
    x, y = ((place[..., None] + at) * size * scale for place in (column, row))
    inside = slide.is_tissue(x[:, :, None, :], y[:, :, :, None]) & (x[:, :, None, :] < 9100 * 0.99)
    share = inside.mean(axis=(2, 3))
    found = np.zeros_like(share)
    found[grid.cells[:, 1], grid.cells[:, 0]] = 1
    wanted = share >= 0.5
    assert (found.astype(bool) & wanted).sum() / (found.astype(bool) | wanted).sum() >= 0.95
    assert np.abs(grid.tissue - share[grid.cells[:, 1], grid.cells[:, 0]]).max() < 0.12


def test_patches_are_the_slides_own_pixels_in_their_places() -> None:
    slide = Planted(4000, 4000, (1, 4))
    grid = patch_grid(slide, 100, 0.9, 1)
    patches = SlidePatches(slide, grid)
    assert len(patches) == len(grid.cells) > 5
    x, y = (int(n) for n in grid.cells[3])
    assert np.array_equal(patches[3], slide.read_region((400 * x, 400 * y), 1, (100, 100))[:, :, :3])
    assert np.array_equal(np.lexsort(grid.cells.T), np.arange(len(grid.cells)))  # row by row


def test_a_slide_of_20_gigabytes_is_read_in_little_memory() -> None:
    slide = Planted(90_112, 81_920, (1, 4, 16), pitch=6000, radius=2600)  # 22 GB as RGB
    tracemalloc.start()
    grid = patch_grid(slide)
    patches = SlidePatches(slide, grid)
    for index in range(0, len(patches), len(patches) // 40):
        assert patches[index].shape == (224, 224, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{len(patches)} patches of a {90_112 * 81_920 * 3 / 1e9:.0f} GB slide, at most {peak / 2**20:.0f} MiB")
    assert len(patches) > 50_000
    assert slide.largest <= 1024 * 1024
    assert peak < 1 << 29


def test_paper_alone_is_no_tissue() -> None:
    blank = Planted(3000, 3000, radius=0)
    with pytest.raises(PlannerError, match="pale or empty"):
        patch_grid(blank)


def test_otsu_parts_two_heaps_where_the_definition_does() -> None:
    random = np.random.default_rng(0)
    seen = np.concatenate([random.normal(40, 6, 4000), random.normal(150, 20, 2000)]).clip(0, 255).astype(np.uint8)
    variance = [0.0] * 256
    for level in range(13, 255):
        low, high = seen[seen <= level].astype(float), seen[seen > level].astype(float)
        if len(low) and len(high):
            variance[level] = len(low) * len(high) * (low.mean() - high.mean()) ** 2
    assert otsu(seen) == int(np.argmax(variance))


@real
@pytest.mark.parametrize(("path", "size", "least", "most"), [(SVS, 112, 0.25, 0.6), (DICOM, 64, 0.02, 0.95)])
def test_real_slides_give_tissue_that_is_more_coloured_than_the_rest(path: Path, size: int, least: float, most: float) -> None:
    pytest.importorskip("openslide", reason="OpenSlide is not installed here")
    with opened_slide(path) as slide:
        grid = patch_grid(slide, size)
        patches = SlidePatches(slide, grid)
        assert patches[0].shape == (size, size, 3)
        share = len(grid.cells) / (grid.columns * grid.rows)
        seen, scale = saturation(slide, size, 0)
        print(f"{path.name}: {len(grid.cells)} of {grid.columns * grid.rows} cells ({share:.0%}), threshold {grid.threshold}")
        inside = np.zeros((grid.rows, grid.columns), bool)
        inside[grid.cells[:, 1], grid.cells[:, 0]] = True
        per_cell = np.array([[seen[int(y * size * scale[1]):int((y + 1) * size * scale[1]),
                                   int(x * size * scale[0]):int((x + 1) * size * scale[0])].mean()
                              for x in range(grid.columns)] for y in range(grid.rows)])
    assert least < share < most
    assert per_cell[inside].mean() > 2 * per_cell[~inside].mean()


@real
def test_a_corrupt_slide_is_refused_by_name_without_its_path(tmp_path: Path) -> None:
    pytest.importorskip("openslide", reason="OpenSlide is not installed here")
    (tmp_path / "cut.svs").write_bytes(SVS.read_bytes()[:900_000])
    (tmp_path / "text.svs").write_text("not a slide")
    (tmp_path / "empty.svs").touch()
    for path in (SHARED / "broken.svs", tmp_path / "cut.svs", tmp_path / "text.svs", tmp_path / "empty.svs"):
        with pytest.raises(PlannerError) as caught, opened_slide(path) as slide:
            grid = patch_grid(slide)
            for index in range(len(grid.cells)):
                SlidePatches(slide, grid)[index]
        assert "damaged" in str(caught.value), caught.value
        assert str(path.parent) not in str(caught.value)


@real
def test_damage_within_a_slide_is_noticed_as_it_is_read(tmp_path: Path) -> None:
    pytest.importorskip("openslide", reason="OpenSlide is not installed here")
    content = bytearray(SVS.read_bytes())
    content[200_000:400_000] = bytes(200_000)
    (tmp_path / "hole.svs").write_bytes(content)
    with pytest.raises(PlannerError, match="damaged"), opened_slide(tmp_path / "hole.svs") as slide:
        patch_grid(slide)


def test_a_slide_that_is_not_there_and_a_reader_that_is_not() -> None:
    with pytest.raises(PlannerError, match=r"gone\.svs is not there"), opened_slide(Path("gone.svs")):
        pass


def test_without_a_reader_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.svs").touch()
    monkeypatch.setattr("voxelhub_planner.slides.READERS", (("no_such_reader", "Slide"),))
    with pytest.raises(PlannerError, match="planner-slides"), opened_slide(tmp_path / "a.svs"):
        pass


@pytest.mark.parametrize("change", [
    {"size": 0}, {"size": 5000}, {"size": 1.5}, {"overlap": 0}, {"overlap": 2}, {"level": 1}, {"level": -1}])
def test_bad_wishes_are_refused_with_a_sentence(change: dict[str, float]) -> None:
    with pytest.raises(PlannerError, match=r"\."):
        patch_grid(Planted(3000, 3000), **change)  # type: ignore[arg-type]


def test_a_slide_that_fails_to_read_is_refused() -> None:
    def read_region(*_: object) -> None:
        raise OSError("at /secret/place")

    slide = SimpleNamespace(level_dimensions=((500, 500),), level_downsamples=(1.0,), read_region=read_region)
    with pytest.raises(PlannerError, match="damaged") as caught:
        patch_grid(slide, 100)
    assert "secret" not in str(caught.value)
