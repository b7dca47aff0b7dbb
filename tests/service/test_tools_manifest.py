"""Manifests: what is accepted, what is refused with which sentence, and how a command comes about without a shell."""

import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from voxelhub_service.tools import manifest as module
from voxelhub_service.tools.manifest import ManifestError, load_manifest, parse
from voxelhub_service.tools.registry import Registry, registry

GOOD = {
    "manifest": 1, "name": "blur", "version": "1.2", "title": "Blur", "description": "Blurs.",
    "inputs": [
        {"name": "volume", "title": "Volume", "accepts": [{"data_type": "*", "file_format": "nifti"}]},
        {"name": "mask", "title": "Mask", "accepts": [{"data_type": "segmentation-mask", "file_format": "nifti"}], "minimum": 0},
    ],
    "arguments": {"type": "object", "required": ["kernel"], "properties": {
        "sigma": {"type": "number", "title": "Sigma", "default": 1.5, "exclusiveMinimum": 0, "maximum": 10},
        "kernel": {"type": "string", "title": "Kernel", "enum": ["gauss", "box"]},
        "axes": {"type": "array", "title": "Axes", "items": {"type": "integer"}},
        "wrap": {"type": "boolean", "title": "Wrap", "default": False}}},
    "outputs": [
        {"name": "out", "title": "Blurred", "data_type": {"like": "volume"}, "file_format": "nifti", "path": "out/**/*.nii.gz"},
    ],
    "resources": {"cpu": 1, "memory": 1 << 30, "time": 60, "output": {"base": 100, "per_input_byte": 2.5}},
    "environment": "imaging",
    "command": ["python", "blur.py", "--sigma", "{arguments.sigma}", "{arguments.axes}", "{arguments.wrap}", "{inputs.volume}",
                "{inputs.mask}", "{output}", "{arguments.kernel}"],
}


def changed(path: str, value: object) -> dict:
    raw = copy.deepcopy(GOOD)
    *way, last = path.split(".")
    at = raw
    for step in way:
        at = at[int(step)] if step.isdecimal() else at[step]
    key = int(last) if last.isdecimal() else last
    if value is None:
        del at[key]
    else:
        at[key] = value
    return raw


def test_the_command_is_a_list_and_each_value_one_element(tmp_path):
    manifest = parse(GOOD, tmp_path)
    evil = "$(rm -rf /); 'x' \n--flag"
    arguments = {"sigma": 2.5, "kernel": evil, "axes": [0, 2], "wrap": True}
    command = manifest.expand({"volume": [f"/inputs/volume/1-{evil}"]}, arguments, "/o")
    assert command == ["python", "blur.py", "--sigma", "2.5", "0", "2", "true", f"/inputs/volume/1-{evil}", "/o", evil]
    assert manifest.expand({}, {}, "/o") == ["python", "blur.py", "--sigma", "/o"]


@pytest.mark.parametrize(("arguments", "expected"), [
    ({"kernel": "box"}, {"sigma": 1.5, "kernel": "box", "wrap": False}),
    ({"kernel": "box", "sigma": 3, "axes": [1]}, {"sigma": 3, "kernel": "box", "axes": [1], "wrap": False}),
    ({}, "Fill in Kernel."),
    ({"kernel": "x"}, "Kernel must be one of gauss, box."),
    ({"kernel": "box", "sigma": 11}, "Sigma must be at most 10."),
    ({"kernel": "box", "sigma": 0}, "Sigma must be above 0."),
    ({"kernel": "box", "sigma": "1"}, "Sigma must be a number."),
    ({"kernel": "box", "wrap": 1}, "Wrap must be yes or no."),
    ({"kernel": "box", "axes": [0.5]}, "Axes must be a whole number."),
    ({"kernel": "box", "what": 1}, "This tool has no argument what."),
])
def test_arguments(tmp_path, arguments, expected):
    manifest = parse(GOOD, tmp_path)
    if isinstance(expected, dict):
        assert manifest.with_defaults(arguments) == expected
    else:
        with pytest.raises(ManifestError) as caught:
            manifest.with_defaults(arguments)
        assert str(caught.value) == expected


@pytest.mark.parametrize(("path", "value", "part"), [
    ("manifest", 2, "`manifest` must be 1. Write 1."),
    ("name", "Blur It", "Write small letters, digits and -"),
    ("title", None, "`title` is missing. Add \"title\""),
    ("shell", "rm", "`shell` is no field of a manifest."),
    ("command", "python blur.py", "`command` must be a list, not a text. Write it in [ ]."),
    ("command.3", "--sigma={arguments.sigma}", "mixes a placeholder"),
    ("command.3", "{arguments.sigmoid}", "does not declare"),
    ("command.6", "{inputs.series}", "does not declare"),
    ("inputs.1.name", "volume", "same name"),
    ("inputs.0.minimum", 2, ""),
    ("inputs.1.minimum", 3, ""),
    ("outputs.0.data_type", {"like": "mask"}, "no required input"),
    ("outputs.0.path", "../out", "Write a path below the output folder"),
    ("outputs.0.path", "/etc/*", "Write a path below the output folder"),
    ("arguments.properties.sigma.default", -1, "default of argument sigma"),
    ("arguments.properties.sigma.minimum", "low", "must be a number, not a text"),
    ("resources.memory", 1, "must be at least 16777216"),
    ("environment", "../core", "as in tool-base"),
])
def test_what_is_wrong_is_said(tmp_path, path, value, part):
    if not part:
        assert parse(changed(path, value), tmp_path)  # the maximum follows the minimum where it is not given
        return
    with pytest.raises(ManifestError) as caught:
        parse(changed(path, value), tmp_path)
    assert part in str(caught.value)


def test_a_maximum_below_the_minimum(tmp_path):
    raw = changed("inputs.0.minimum", 3)
    raw["inputs"][0]["maximum"] = 2
    with pytest.raises(ManifestError, match="minimum is above its maximum"):
        parse(raw, tmp_path)


def write_tool(folder: Path, raw: dict) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tool.json").write_text(json.dumps(raw))
    return folder


def test_the_digest_names_manifest_and_program(tmp_path):
    folder = write_tool(tmp_path / "blur", GOOD)
    (folder / "blur.py").write_text("print(1)")
    first = load_manifest(folder).digest
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "blur.pyc").write_bytes(b"x")
    (folder / "tool.json").write_text(json.dumps(GOOD, indent=3, sort_keys=True))
    assert load_manifest(folder).digest == first
    (folder / "blur.py").write_text("print(2)")
    second = load_manifest(folder).digest
    write_tool(folder, changed("version", "1.3"))
    assert len({first, second, load_manifest(folder).digest}) == 3


def test_the_registry_leaves_out_what_is_wrong_and_sees_changes(tmp_path):
    write_tool(tmp_path / "blur", GOOD)
    write_tool(tmp_path / "other", GOOD)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tool.json").write_text("{")
    (tmp_path / "README").write_text("no tool")
    tools = Registry(tmp_path)
    assert [one.name for one in tools.all()] == ["blur"] and len(tools.problems()) == 2
    assert tools.get("blur", "1.2") and tools.get("blur", "9") is None and tools.get("../blur") is None
    (tmp_path / "blur" / "new.py").write_text("1")
    digest = tools.all()[0].digest
    assert digest == load_manifest(tmp_path / "blur").digest


def test_the_tools_that_ship_are_right_and_speak_the_vocabulary():
    assert registry().problems() == [] and registry().all()
    known = json.loads((Path(module.__file__).parents[1] / "datasets" / "vocabulary.json").read_text())
    terms = {one["id"] for kind in known.values() for one in kind} | {"*"}
    for tool in registry().all():
        used = {term for one in tool.inputs for pair in one.accepts for term in pair}
        used |= {one.file_format for one in tool.outputs} | {one.data_type for one in tool.outputs if one.data_type}
        assert used <= terms, tool.name
        for one in tool.arguments["properties"].values():
            assert one["title"]
        asked = [one for one in map(tool.arguments["properties"].get, tool.arguments.get("required", [])) if "default" not in one]
        assert all(one.get("description") for one in asked), "who must choose is told what"


def test_the_schema_is_one():
    Draft202012Validator.check_schema(json.loads(Path(module.__file__).with_name("schema.json").read_text()))
