"""Price lists, calibration and the command: good files do what they say, bad ones are refused with a sentence."""

from __future__ import annotations

import copy
import datetime
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voxelhub_planner import PlannerError
from voxelhub_planner.__main__ import run
from voxelhub_planner.calibrate import calibrate, calibration_file
from voxelhub_planner.formats import limits_of, workload_of
from voxelhub_planner.prices import example_prices, price_list_of, read_price_list, schema, with_calibration

LIST: dict[str, Any] = {
    "format": "voxelhub-price-list/1", "currency": "USD", "date": "2026-11-30", "nodes": [
        {"id": f"n{j}", "trust_domain": f"d{j}", "throughput_patches_per_s": 20.0 + j, "price_per_hour": 1.0 + j % 3,
         "region": "eu" if j % 2 else "us"} for j in range(7)]}
WORK: dict[str, Any] = {
    "format": "voxelhub-workload/1", "kb_per_patch": 100, "slides": [
        {"id": "a", "fragments": [300, 200, 100]}, {"id": "b", "patches": 1000, "classes": 4},
        {"id": "c", "cells": [[x, y] for x in range(30) for y in range(20)], "split": "lattice5", "seed": 3}]}


def changed(content: dict[str, Any], path: tuple[Any, ...], value: object) -> dict[str, Any]:
    other = copy.deepcopy(content)
    at: Any = other
    for key in path[:-1]:
        at = at[key]
    if value is KeyError:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return other


@pytest.mark.parametrize(("path", "value", "word"), [
    (("nodes", 0, "throughput_patches_per_s"), 0, "n0, `throughput_patches_per_s` must be above 0"),
    (("nodes", 0, "throughput_patches_per_s"), "fast", "must be a number"),
    (("nodes", 0, "price_per_hour"), -1, "0 or more"), (("nodes", 1, "id"), "n0", "Two nodes"),
    (("nodes", 0, "currency"), "EUR", "one currency"), (("nodes", 0, "colour"), "red", "unknown key, 'colour'"),
    (("nodes", 0, "trust_domain"), KeyError, "lacks `trust_domain`"), (("nodes",), [], "must not be empty"),
    (("currency",), "euro", "must look like"), (("currency",), "EUR", "usd_per_unit"), (("date",), "2026-02-30", "no day"),
    (("format",), "2", "must be"), (("nodes", 0, "trusted"), 1, "boolean"), (("nodes", 0), 3, "must be an object"),
])
def test_a_bad_price_list_is_refused_with_a_sentence(path: tuple[Any, ...], value: object, word: str) -> None:
    with pytest.raises(PlannerError, match=word):
        price_list_of(changed(LIST, path, value))


SIMPLE = st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3)
KEYS = st.sampled_from(["id", "nodes", "x"])
JSON = st.recursive(SIMPLE, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2))
PATHS = st.sampled_from([
    ("format",), ("currency",), ("date",), ("source",), ("nodes",), ("nodes", 0), ("nodes", 1, "id"), ("nodes", 0, "trusted"),
    ("nodes", 0, "price_per_hour"), ("nodes", 2, "uplink_mbps"), ("nodes", 2, "gpu"), ("nodes", 0, "throughput_patches_per_s"),
    ("usd_per_unit",), ("other",)])


@settings(deadline=None, max_examples=200)
@given(PATHS, JSON)
def test_our_reading_of_the_schema_is_a_whole_implementations(path: tuple[Any, ...], value: object) -> None:
    content = changed(LIST, path, value)
    valid = jsonschema.Draft202012Validator(schema()).is_valid(content)
    try:
        price_list_of(content)
    except PlannerError as error:
        assert str(error)
        rest = ("no day", "Two nodes", "one currency", "usd_per_unit", "finite")  # what a schema cannot say
        assert not valid or any(word in str(error) for word in rest)
    else:
        assert valid


def test_prices_in_another_currency_are_turned_into_dollars() -> None:
    euros = price_list_of({**LIST, "currency": "EUR", "usd_per_unit": 1.25})
    assert euros.nodes[0].price_usd_per_hour == 1.25
    assert euros.age_days(datetime.date(2026, 12, 10)) == 10


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1, "format": 2}', '{"x": NaN}', "\udcff"])
def test_a_file_that_is_no_price_list(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(PlannerError, match=r"prices\.json"):
        read_price_list(path)
    with pytest.raises(PlannerError, match="cannot be read"):
        read_price_list(tmp_path / "none.json")


@pytest.mark.parametrize(("content", "word"), [
    ({**WORK, "slides": [{"id": "a", "fragments": []}]}, "fragments"), ({**WORK, "slides": [{"id": "a"}]}, "one of"),
    ({**WORK, "slides": [{"id": "a", "fragments": [0, 0]}]}, "empty"), ({**WORK, "kb_per_patch": -1}, "kb_per_patch"),
    ({**WORK, "slides": [{"id": "a", "fragments": [1]}] * 2}, "Two slides"), ({**WORK, "speed": 1}, "unknown key"),
    ({**WORK, "slides": [{"id": "a", "cells": []}]}, "empty"), ({**WORK, "slides": [{"id": "a", "fragments": [1.5]}]}, "whole"),
    ({**WORK, "slides": [{"id": "a", "cells": [[0, 0]], "split": "x"}]}, "strategy"), ([], "object"),
])
def test_a_bad_workload_is_refused_with_a_sentence(content: object, word: str) -> None:
    with pytest.raises(PlannerError, match=word):
        workload_of(content)


@pytest.mark.parametrize("content", [{"budget": 1}, {"max_nodes": "8"}, {"deadline_s": -1}, {"regions": "eu"}, []])
def test_bad_limits_are_refused(content: object) -> None:
    with pytest.raises(PlannerError, match=r"\."):
        limits_of(content)


def written(folder: Path) -> tuple[str, str]:
    for name, content in (("prices", LIST), ("work", WORK)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return str(folder / "prices.json"), str(folder / "work.json")


def test_the_command_plans(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices, work = written(tmp_path)
    answer = tmp_path / "answer.json"
    assert run(["plan", prices, work, "--max-nodes", "6", "--time", "1", "--json", str(answer)]) == 0
    said = capsys.readouterr().out
    assert "The cheapest plan" in said
    assert "300 → n" in said
    front = json.loads(answer.read_text())
    assert front["slides"] == ["a", "b", "c"]
    assert front["plans"][0]["cost_usd"] > 0
    assert 0 < front["certified_hypervolume"] <= 1
    assert run(["plan", prices, work, "--max-nodes", "6", "--region", "eu", "--time", "1", "--json", "-"]) == 3
    refused = json.loads(capsys.readouterr().out)
    assert refused["plans"] == []
    assert refused["infeasible_reason"]
    assert run(["plan", prices, work, "--codesign", "--max-nodes", "5"]) == 0
    assert run(["plan", prices, str(tmp_path / "none.json")]) == 1
    assert "none.json cannot be read" in capsys.readouterr().err


def test_measured_throughput_replaces_the_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ticks = iter([0.0, 2.0, 10.0, 16.0, 20.0, 22.5, 30.0, 36.1])  # 100 patches in 2 s, 500 in 6 s
    found = calibrate("n2", lambda n: None, sizes=(100, 500), repetitions=2, clock=lambda: next(ticks))
    assert (found.throughput_patches_per_s, found.setup_s) == (100.0, 1.0)
    prices = with_calibration(price_list_of(LIST), calibration_file([found]))
    assert prices.nodes[2].throughput_patches_per_s == 100
    assert prices.nodes[2].setup_s == 1
    assert prices.measured == ("n2",)
    with pytest.raises(PlannerError, match="not in the price list"):
        with_calibration(price_list_of(LIST), {"format": "voxelhub-calibration/1", "nodes": [{"id": "x"}]})
    nothing = {**calibration_file([found]), "nodes": [{"id": "n2", "throughput_patches_per_s": 0}]}
    with pytest.raises(PlannerError, match="n2"):
        with_calibration(price_list_of(LIST), nothing)
    output = tmp_path / "measured.json"
    work = "import sys, time; time.sleep(0.05 + int(sys.argv[1]) / 1000)"
    command = [sys.executable, "-c", work, "{patches}"]
    assert run(["calibrate", "n1", str(output), "--patches", "50", "400", "--repetitions", "2", "--", *command]) == 0
    assert "patches/s" in capsys.readouterr().out
    measured = json.loads(output.read_text())["nodes"][0]
    assert 300 < measured["throughput_patches_per_s"] < 1500  # 1000 of an idle machine
    assert run(["calibrate", "n1", str(output), "--", "false", "{patches}"]) == 1
    assert run(["calibrate", "n1", str(output), "--", "true"]) == 1


def test_wrong_usage_is_said() -> None:
    assert run([]) == 2
    assert run(["dance"]) == 2


def test_the_example_list_is_valid_invented_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = example_prices()
    assert found.fictional
    assert "none of these providers exists" in found.source
    trusted = [node for node in found.nodes if node.trusted]
    domains = {node.trust_domain: sum(other.trust_domain == node.trust_domain for other in found.nodes)
               for node in found.nodes if not node.trusted}
    assert len(trusted) >= 2
    assert len(domains) in (3, 4)
    assert min(domains.values()) >= 2
    work = tmp_path / "work.json"
    work.write_text(json.dumps(WORK))
    assert run(["plan", "example", str(work), "--time", "1"]) == 0
    assert "invented" in capsys.readouterr().out


def test_a_study_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices, work, study = (tmp_path / name for name in ("prices.json", "work.json", "study.json"))
    prices.write_text(json.dumps(LIST))
    work.write_text(json.dumps({**WORK, "slides": WORK["slides"][:1]}))
    assert run(["plan", str(prices), str(work), "--study", str(study), "--time", "1", "--max-nodes", "3"]) == 0
    found = json.loads(study.read_text())
    assert found["format"] == "voxelhub-study/1"
    assert {plan["nodes"] for plan in found["front"]["plans"]} == {3}
    assert f"{len(found['front']['plans'])} plans; study.json has them" in capsys.readouterr().out
    assert run(["plan", str(prices), str(work), "--study", str(study), "--time", "1", "--max-nodes", "2"]) == 3
    for arguments in ([str(work), str(work)], [str(tmp_path / "slide.svs")], [str(work), "--study", str(study), "--json", "-"],
                      [str(tmp_path / "slide.svs"), "--study", str(study)]):
        capsys.readouterr()
        assert run(["plan", str(prices), *arguments]) == 1
        assert capsys.readouterr().err.startswith("voxelhub plan: ")
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in ("plan", "split", "seal", "open", "attack", "calibrate"))
