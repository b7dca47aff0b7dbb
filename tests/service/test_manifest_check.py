"""The check of a manifest: each field wrong, one at a time, gives a sentence that names it and what would make it right."""

import json
import re

import pytest
from support.bad_manifests import CASES, FILES, FOLDER_CASES, GOOD, NOTEBOOK_TOOL, Case, changed, from_schema
from voxelhub_service.tools.checking import check_manifest, schema
from voxelhub_service.tools.manifest import check_folder, load_manifest

SAID_BY_NO_FIELD = {"$schema", "$id", "title", "description", "default", "properties", "$defs", "items", "x-form", "$ref",
                    "additionalProperties"}


def folder_of(tmp_path, raw):
    folder = tmp_path / "blur"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "tool.json").write_text(json.dumps(raw))
    return folder


def holds(case: Case, findings) -> bool:
    return any(one.level == "error" and one.where == case.where and case.sentence in one.sentence and case.fix in one.fix
               for one in findings)


def test_the_whole_manifest_is_right(tmp_path):
    assert check_manifest(GOOD) == [] and check_manifest(NOTEBOOK_TOOL) == []
    findings, manifest = check_folder(folder_of(tmp_path, GOOD))
    assert findings == [] and manifest is not None
    assert manifest.arguments["properties"]["preset"]["enum"] == ["presets/soft.json"]
    assert manifest.termination.grace == 5 and manifest.security.reaches == ("api.example.org:8443",)
    assert load_manifest(tmp_path / "blur") == manifest


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_wrong_field_is_named_with_its_fix(case):
    findings = check_manifest(case.raw)
    assert holds(case, findings), [one.text() for one in findings]
    for one in findings:
        assert one.sentence.endswith(".") and one.fix and re.search(r"[.?]$", one.fix), one
        assert not one.where or f"`{one.where}`" in one.sentence or f"`{one.where.rpartition('.')[0]}" in one.sentence, one


@pytest.mark.parametrize("case", FOLDER_CASES, ids=lambda case: case.id)
def test_a_wrong_file_is_named_with_its_fix(case, tmp_path):
    findings, manifest = check_folder(folder_of(tmp_path, case.raw))
    assert holds(case, findings) and manifest is None, [one.text() for one in findings]


def test_no_keyword_of_the_schema_is_forgotten():
    broken = {path for _, path in from_schema()}

    def keywords(node, at):
        for keyword, rule in node.items():
            if keyword in ("properties", "$defs"):
                for name, below in rule.items():
                    yield from keywords(below, ("$defs", name) if keyword == "$defs" else (*at, "properties", name))
            elif keyword == "items" or (keyword == "additionalProperties" and isinstance(rule, dict)):
                yield from keywords(rule, (*at, keyword))
            elif keyword not in SAID_BY_NO_FIELD or (keyword == "additionalProperties" and rule is False):
                yield (*at, keyword)

    by_hand = ("properties", "outputs", "items", "properties", "data_type", "pattern")  # its other form is an object
    assert {path for path in keywords(schema(), ()) if path not in broken} == {by_hand}


def test_all_that_is_wrong_is_said_at_once():
    raw = changed("titel", 1, changed("resources.memory", 1, changed("inputs[0].accepts[0].file_format", "nifty", GOOD)))
    assert {"titel", "resources.memory", "inputs[0].accepts[0].file_format"} <= {one.where for one in check_manifest(raw)}


@pytest.mark.parametrize("raw", [None, 1, "x", [], [1], {}, {"inputs": 3, "arguments": [], "outputs": {}, "hooks": [1]},
                                 {"inputs": [1, None, {"name": 3, "accepts": 4}], "arguments": {"properties": {"a": 1, "b": {}}},
                                  "combinations": [1, [2, None]], "command": [3], "resources": [], "benchmark": 4}])
def test_nonsense_is_refused_and_nothing_else_happens(raw):
    findings = check_manifest(raw)
    assert findings and findings[0].level == "error" and all(one.sentence and one.fix for one in findings)


def test_what_a_tool_can_do_without_is_a_warning(tmp_path):
    raw = changed("licence", "x", GOOD)
    del raw["licence"], raw["citation"], raw["network"]
    found = {(one.level, one.where) for one in check_manifest(raw)}
    assert found == {("warning", "licence"), ("note", "citation"), ("warning", "security"), ("warning", "account")}
    raw = changed("command", ["python", "blur.py"])
    assert {one.level for one in check_manifest(raw)} == {"warning"} and len(check_manifest(raw)) == 10
    findings, manifest = check_folder(folder_of(tmp_path, changed("command[1]", "blurr.py")))
    assert manifest is not None and "Did you mean `blur.py`?" in findings[0].fix


def test_a_manifest_that_is_no_json(tmp_path):
    for text, part in (("{", "no JSON text"), ("\xff", "no JSON"), ("[" * 100000, "no JSON"), (" " * 300000, "than 256 KiB")):
        (tmp_path / "tool.json").write_text(text, "latin-1")
        findings, manifest = check_folder(tmp_path)
        assert manifest is None and findings[0].where == "tool.json" and part in findings[0].sentence
