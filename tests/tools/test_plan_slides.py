"""The planner as a tool, as its environment runs it: small slides of nobody, and whatever may be wrong with what it is given."""

import csv
import filecmp
import io
import json
from pathlib import Path

import pytest
from support.slides import write_slide
from support.tools import ENVS, ROOT, SHARED, installed, run_tool

pytestmark = pytest.mark.skipif(not installed("plan-slides"), reason="the tool's environment is not installed")
PRICES = {"format": "voxelhub-price-list/1", "currency": "USD", "date": "2026-11-30", "nodes": [
    {"id": f"n{j}", "trust_domain": f"d{j}", "throughput_patches_per_s": 20.0 + 9 * j, "price_per_hour": 1.0 + j,
     "measured": True} for j in range(7)]}


@pytest.fixture(scope="module")
def slide(tmp_path_factory) -> Path:
    return write_slide(tmp_path_factory.mktemp("slide") / "1-biopsy.svs", columns=10, rows=8, patch=64)


def prices(folder: Path, content: object) -> list[Path]:
    path = folder / "1-prices.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return [path]


def test_the_environment_holds_the_planner_that_ships():
    source, copy = ROOT / "extensions/planner/voxelhub_planner", next((ENVS / "tool-plan-slides/lib").glob("python3*"))
    names = [str(path.relative_to(source)) for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    same, other, lost = filecmp.cmpfiles(source, copy / "site-packages/voxelhub_planner", names, shallow=False)
    assert (other, lost) == ([], []) and len(same) == len(names), "run python3 hub_config/bootstrap.py tool-plan-slides"


def test_slides_become_plans(tmp_path, slide):
    ran = run_tool("plan-slides", tmp_path / "out", {"slides": [slide], "prices": prices(tmp_path, PRICES)},
                   patch_size=64, time=1, max_nodes=5, max_share=0.4, strategy="lattice5")
    assert ran.code == 0, ran.said
    study = json.loads(ran.files()["study.json"])
    assert [one["title"] for one in study["slides"]] == ["biopsy.svs"]
    assert (study["slides"][0]["columns"], study["slides"][0]["rows"]) == (10, 8)
    assert study["prices"]["fictional"] is False and len(study["nodes"]) == 7
    plans = study["front"]["plans"]
    assert study["sights"] and {tuple(one["fragments"]) for one in study["sights"]} <= {(i,) for i in range(5)}
    assert plans and all(plan["nodes"] == 5 and plan["largest_share"] <= 0.4 for plan in plans)
    rows = list(csv.DictReader(io.StringIO(ran.files()["plans.csv"].decode())))
    assert [float(row["cost_usd"]) for row in rows] == [plan["cost_usd"] for plan in plans]
    assert rows[0]["fragments of biopsy.svs"].count("→") == 5
    told = [float(line.split()[1]) for line in ran.said.splitlines() if line.startswith("::progress")]
    assert told == sorted(told) and told[-1] == 1 and len(told) > 5
    assert f"::progress 1 {len(plans)} plan" in ran.said
    assert set(ran.files()) == {"study.json", "plans.csv"}


def test_without_prices_the_invented_list_serves_and_says_so(tmp_path, slide):
    ran = run_tool("plan-slides", tmp_path / "out", {"slides": [slide]}, patch_size=64, time=1, share_nodes=True, seed=3)
    assert ran.code == 0, ran.said
    study = json.loads(ran.files()["study.json"])
    assert study["prices"]["fictional"] is True and "invented" in study["warnings"][0]
    assert study["made"] == {"planner": "0.1.0", "seed": 3, "time_limit_s": 1.0, "own_node_per_fragment": False}
    assert study["front"]["plans"][0]["nodes"] == 0  # all of so small a slide stays in the house


def test_what_cannot_be_is_a_result_that_says_so(tmp_path, slide):
    ran = run_tool("plan-slides", tmp_path / "out", {"slides": [slide], "prices": prices(tmp_path, PRICES)},
                   patch_size=64, time=1, deadline=0.01)
    assert ran.code == 0, ran.said
    assert json.loads(ran.files()["study.json"])["front"]["plans"] == []
    assert ran.files()["plans.csv"].decode().count("\n") == 1 and "::progress 1 " in ran.said


@pytest.mark.parametrize(("content", "sentence"), [
    ("{not json", "prices.json is no JSON: line 1"), ({"format": "other"}, "prices.json lacks `currency`"),
    ({**PRICES, "nodes": [{**PRICES["nodes"][0], "price_per_hour": -1}]}, "prices.json, `nodes`, n0, `price_per_hour` must be 0"),
    ({**PRICES, "currency": "EUR"}, "prices.json is in EUR")])
def test_a_bad_price_list_is_refused_with_a_sentence(tmp_path, slide, content, sentence):
    ran = run_tool("plan-slides", tmp_path / "out", {"slides": [slide], "prices": prices(tmp_path, content)})
    assert ran.code == 1 and ran.error.startswith("The price list cannot be used. ") and sentence in ran.error, ran.said
    assert ran.files() == {} and "Traceback" not in ran.said and "1-prices" not in ran.said


def test_a_slide_that_cannot_be_read_is_named(tmp_path, slide):
    torn = tmp_path / "1-torn.svs"
    torn.write_bytes(slide.read_bytes()[:3000])
    (tmp_path / "2-empty").mkdir()
    picture = tmp_path / "3-paper.tiff"
    picture.write_bytes(b"II*\0nothing")
    nothing = tmp_path / "2-empty"
    for path, said in ((torn, "torn.svs is damaged"), (nothing, "empty is empty"), (picture, "paper.tiff is damaged")):
        ran = run_tool("plan-slides", tmp_path / f"out-{path.name}", {"slides": [slide, path]}, patch_size=64)
        assert ran.code == 1 and said in ran.error.replace(path.name, path.name[2:]), ran.said
        assert ran.files() == {} and str(tmp_path) not in ran.error and "Traceback" not in ran.said
    ran = run_tool("plan-slides", tmp_path / "large", {"slides": [slide]}, patch_size=4096)
    assert ran.code == 1 and "no patch of 4096 fits" in ran.error


@pytest.mark.skipif(not (SHARED / "wsi").is_dir(), reason="the test inputs (../shared/data) are not on this machine")
def test_real_slides(tmp_path):
    """Aperio's, and a DICOM series, which is a folder."""
    series = tmp_path / "2-series"
    series.mkdir()
    (series / "00001").write_bytes((SHARED / "wsi/dicom_wsi_volume_level_1000x2459.dcm").read_bytes())
    aperio = tmp_path / "1-CMU-1.svs"
    aperio.symlink_to(SHARED / "wsi/CMU-1-Small-Region.svs")
    ran = run_tool("plan-slides", tmp_path / "out", {"slides": [aperio, series]}, patch_size=112, time=1, strategy="lattice4")
    assert ran.code == 0, ran.said
    study = json.loads(ran.files()["study.json"])
    assert [one["title"] for one in study["slides"]] == ["CMU-1.svs", "series"]
    assert all(one["thumbnail"] and one["patches"] > 20 for one in study["slides"]) and study["sights"]
