"""The study: everything in it follows from the slides, prices and limits that were given, and nothing else is in it."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from voxelhub_planner import (
    Limits,
    PlannerError,
    Request,
    Slide,
    Workload,
    example_prices,
    jigsaw_selftest,
    leakage,
    opened_slide,
    patch_grid,
    plan_front,
    split,
    study_of_slides,
    study_of_workload,
)
from voxelhub_planner.exact import figures, violations
from voxelhub_planner.presets import rounded_up
from voxelhub_planner.slides import SlidePatches

pytest.importorskip("openslide", reason="OpenSlide is not installed here")
tifffile = pytest.importorskip("tifffile", reason="tifffile, which writes the slide, is not installed here")
SIZE = 32
LIMITS = Limits(max_nodes=4, max_pair_leak=0.25)
REQUEST = Request(LIMITS, size=SIZE, time_limit_s=1.5, seed=4)
WORK = {"format": "voxelhub-workload/1", "kb_per_patch": 100, "slides": [
    {"id": "counted", "fragments": [900, 850, 300]}, {"id": "halved", "patches": 4000, "classes": 5}]}


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    noise = gaussian_filter(np.random.default_rng(3).normal(size=(640, 700, 3)), (3, 3, 0))
    tissue = np.clip(np.array([190, 110, 160]) + 500 * noise, 0, 254).astype(np.uint8)
    y, x = np.mgrid[:640, :700]
    inside = (x - 380) ** 2 / 300**2 + (y - 330) ** 2 / 260**2 < 1
    path = tmp_path_factory.mktemp("slide") / "DOE-JANE.tiff"
    tifffile.imwrite(path, np.where(inside[..., None], tissue, np.uint8(236)), tile=(64, 64), photometric="rgb")
    return path


@pytest.fixture(scope="module")
def told() -> list[tuple[float, str]]:
    return []


@pytest.fixture(scope="module")
def study(slide: Path, told: list[tuple[float, str]]) -> dict[str, Any]:
    found = study_of_slides([("colon", slide)], request=REQUEST, progress=lambda *step: told.append(step))
    return json.loads(json.dumps(found, allow_nan=False))


def picture(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_the_document_holds_what_was_asked(study: dict[str, Any], slide: Path, told: list[tuple[float, str]]) -> None:
    assert set(study) == {"format", "made", "prices", "nodes", "kb_per_patch", "split", "slides", "front", "presets", "peers",
                          "sights", "warnings"}
    assert study["format"] == "voxelhub-study/1"
    assert study["made"]["seed"] == 4
    assert study["prices"]["fictional"] is True
    assert any("invented" in line for line in study["warnings"])
    text = json.dumps(study)
    assert str(slide.parent) not in text
    assert "DOE-JANE" not in text  # only the title that was given
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == 1.0


def test_slides_carry_their_grid_and_their_split(study: dict[str, Any], slide: Path) -> None:
    (one,) = study["slides"]
    with opened_slide(slide) as opened:
        grid = patch_grid(opened, SIZE)
    assert (one["columns"], one["rows"]) == (700 // SIZE, 640 // SIZE) == (grid.columns, grid.rows)
    assert one["cells"] == grid.cells.tolist()
    assert np.bincount(one["labels"]).tolist() == one["fragments"]
    assert one["patches"] == len(one["cells"])
    assert one["sampled"] is False
    thumbnail = picture(one["thumbnail"]).astype(int)
    assert max(thumbnail.shape[:2]) == 512
    saturated = np.ptp(thumbnail, axis=2) > 30
    tile = thumbnail.shape[1] / one["columns"]
    inside = [saturated[int((y + 0.5) * tile), int((x + 0.5) * tile)] for x, y in one["cells"]]
    assert np.mean(inside) > 0.9  # the picture lies under its grid


def test_plans_and_peers_keep_to_the_limits(study: dict[str, Any]) -> None:
    (one,) = study["slides"]
    nodes = {node.id: node for node in example_prices().nodes}
    assert {node["id"] for node in study["nodes"]} == set(nodes)
    work = Workload((Slide("slide-1", tuple(one["fragments"])),), study["kb_per_patch"])
    assert study["front"]["plans"]
    for plan in study["front"]["plans"]:
        assert plan["nodes"] <= 4
        domains = [f"kept {i}" if nodes[name].trusted else nodes[name].trust_domain
                   for i, name in enumerate(plan["assignment"][0])]
        held = [i for i, domain in enumerate(domains) if not domain.startswith("kept")]
        if len({domains[i] for i in held}) == 2:
            two = leakage(one["cells"], one["labels"], ["theirs" if i in held else d for i, d in enumerate(domains)])
            assert two.colocated8 == pytest.approx(plan["leakage"]["worst_pair"])
        assert plan["leakage"]["worst_pair"] <= 0.25
        found = figures(nodes, work, (tuple(plan["assignment"][0]),))
        assert (float(found.cost_usd), float(found.makespan_s)) == (plan["cost_usd"], plan["makespan_s"])
    assert [peer["id"] for peer in study["peers"]] == ["even", "paper"]
    for peer in study["peers"]:
        assert peer["front"]["plans"] or peer["front"]["infeasible_reason"]
        assert all(plan["nodes"] <= 4 for plan in peer["front"]["plans"])


def test_presets_leave_some_plans_and_take_some(study: dict[str, Any]) -> None:
    plans = study["front"]["plans"]
    figure = {"max_nodes": "nodes", "budget_usd": "cost_usd", "deadline_s": "makespan_s"}
    kept = [sum(all(plan[figure[name]] <= value for name, value in preset["limits"].items()) for plan in plans)
            for preset in study["presets"]]
    assert [preset["id"] for preset in study["presets"]] == ["normal", "few-nodes", "tight-budget", "short-deadline"]
    assert min(kept) >= 1
    assert min(kept) < len(plans)
    assert [rounded_up(value) for value in (0.0, 0.12345, 1234.0, 5.0, 999.5)] == [0.0, 0.124, 1240.0, 5.0, 1000.0]


def test_sights_show_what_the_attack_finds(study: dict[str, Any], slide: Path) -> None:
    """The slide is smaller than the region that is looked at, so the self-test on the whole of it must say the same."""
    (one,) = study["slides"]
    with opened_slide(slide) as opened:
        grid = patch_grid(opened, SIZE)
        found = jigsaw_selftest(SlidePatches(opened, grid), grid.cells, one["labels"])
    alone = {int(party.parties[0]): party for party in found.alone}
    single = [sight for sight in study["sights"] if len(sight["fragments"]) == 1]
    assert single
    for sight in single:
        (fragment,) = sight["fragments"]
        expected = alone[fragment]
        assert (sight["patches"], sight["recall"], sight["precision"]) == (
            expected.patches, expected.recall, expected.precision)
    of = {node["id"]: node["trust_domain"] for node in study["nodes"] if not node["trusted"]}
    held = {tuple(i for i, name in enumerate(plan["assignment"][0]) if of.get(name) == domain)
            for plan in study["front"]["plans"] for domain in set(of.values())} - {()}
    assert {tuple(sight["fragments"]) for sight in study["sights"]} <= held
    assert len(study["sights"]) == min(len(held), 24)
    drawn = picture(study["sights"][0]["picture"])
    assert drawn.ndim == 3
    assert (drawn != 255).any(axis=2).mean() > 0.2


def test_one_party_with_everything_puts_the_slide_together(slide: Path) -> None:
    from voxelhub_planner import sights

    with opened_slide(slide) as opened:
        grid = patch_grid(opened, SIZE)
        labels = np.arange(len(grid.cells)) % 3
        region = sights.region_of(SlidePatches(opened, grid), grid.cells, labels.astype(np.int32))
    found, url = sights.sight(region, [0, 1, 2])
    assert found.recall > 0.8
    held = np.arange(len(grid.cells))
    pieces = sights._assembled(region, held)
    assert len(pieces[0]) > 0.8 * len(grid.cells)
    place = {patch: np.array(at) for at, patch in pieces[0].items()}
    offsets = [tuple((region.cells[patch] - at).tolist()) for patch, at in place.items()]
    assert offsets.count(max(set(offsets), key=offsets.count)) > 0.95 * len(offsets)  # where they lay, but for one shift
    assert picture(url).shape[0] <= 288


def test_work_without_pixels() -> None:
    y, x = np.mgrid[:20, :30]
    cells = np.stack([x.ravel(), y.ravel()], axis=1).tolist()
    work = {**WORK, "slides": [*WORK["slides"], {"id": "placed", "cells": cells, "split": "rs8", "seed": 2}]}
    found = json.loads(json.dumps(study_of_workload(work, request=Request(time_limit_s=1.0)), allow_nan=False))
    assert [one["title"] for one in found["slides"]] == ["counted", "halved", "placed"]
    assert [one["thumbnail"] for one in found["slides"]] == [None] * 3
    assert found["slides"][0]["cells"] == []
    assert found["slides"][2]["cells"] == cells
    assert np.bincount(found["slides"][2]["labels"]).tolist() == found["slides"][2]["fragments"]
    assert found["sights"] == []
    assert found["split"]["strategy"] == "several"
    assert any("without pixels" in line for line in found["warnings"])
    assert found["front"]["plans"]


def test_of_many_patches_some_are_listed() -> None:
    y, x = np.mgrid[:150, :160]
    cells = np.stack([x.ravel(), y.ravel()], axis=1)
    work = {**WORK, "slides": [{"id": "large", "cells": cells.tolist()}]}
    (one,) = study_of_workload(work, request=Request(time_limit_s=0.5))["slides"]
    assert (one["sampled"], one["patches"], len(one["cells"])) == (True, 24_000, 20_000)
    assert sum(one["fragments"]) == 24_000
    labels = split(cells, "lattice5")
    at = {tuple(cell): label for cell, label in zip(cells.tolist(), labels.tolist(), strict=True)}
    assert [at[tuple(cell)] for cell in one["cells"]] == one["labels"]


def test_what_is_impossible_is_said_and_not_drawn() -> None:
    work = {**WORK, "slides": WORK["slides"][:1]}
    found = study_of_workload(work, request=Request(Limits(deadline_s=0.001), time_limit_s=0.5))
    assert found["front"]["plans"] == []
    assert found["front"]["infeasible_reason"]
    assert found["presets"] == []
    assert all(peer["front"]["infeasible_reason"] for peer in found["peers"])


@pytest.mark.parametrize(("title", "content", "said"), [
    ("torn.svs", b"II*\0 and then nothing", "torn.svs: .*damaged"), ("empty.tif", b"", "empty.tif: .*damaged")])
def test_a_slide_that_cannot_be_read_is_named(tmp_path: Path, title: str, content: bytes, said: str) -> None:
    path = tmp_path / "a file with another name"
    path.write_bytes(content)
    with pytest.raises(PlannerError, match=said):
        study_of_slides([(title, path)], request=REQUEST)
    with pytest.raises(PlannerError, match="no slide"):
        study_of_slides([])


def test_a_front_of_few_slides_is_nowhere_behind_what_each_slide_alone_would_do() -> None:
    nodes = example_prices().nodes
    work = Workload((Slide("a", (420, 410, 400, 130)), Slide("b", (90, 88, 60))), 100.0)
    limits = Limits(max_nodes=5)
    front = plan_front(nodes, work, limits, time_limit_s=2.0)
    by_id = {node.id: node for node in nodes}
    single = [plan_front(nodes, Workload((one,), 100.0), limits) for one in work.slides]
    assert all(one.certified_hypervolume == 1 for one in single)
    for first in single[0].plans:
        for second in single[1].plans:
            both = (first.assignment[0], second.assignment[0])
            found = figures(by_id, work, both)
            if not violations(by_id, work, both, limits, True, found):
                assert any(plan.nodes <= found.nodes and plan.cost_usd <= float(found.cost_usd) * (1 + 1e-9)
                           and plan.makespan_s <= float(found.makespan_s) * (1 + 1e-9) for plan in front.plans)


BARE = """
import sys
for name in ("openslide", "tiffslide", "cryptography", "PIL", "tifffile", "pymoo", "networkx", "IPython", "anywidget"):
    sys.modules[name] = None
import voxelhub_planner
from pathlib import Path
missing = [name for name in voxelhub_planner.__all__ if not hasattr(voxelhub_planner, name)]
assert not missing, missing
assert not any(callable(getattr(voxelhub_planner, name)) is False for name in voxelhub_planner.__all__)
try:
    with voxelhub_planner.opened_slide(Path(sys.argv[1])):
        pass
except voxelhub_planner.PlannerError as error:
    print(error)
"""


def test_the_library_imports_with_numpy_and_scipy_alone(slide: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BARE, str(slide)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "pip install voxelhub[planner-slides]" in done.stdout
