"""Tools of openVRE become ours and ours become theirs; written after the public schema, with each of its quirks."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voxelhub_service.datasets.vocabulary import vocabulary
from voxelhub_service.tools.arguments import complete
from voxelhub_service.tools.checking import check_manifest
from voxelhub_service.tools.manifest import parse
from voxelhub_service.tools.openvre import OUTPUT, from_openvre, ordinary
from voxelhub_service.tools.openvre_export import to_openvre

TOOL = {
    "_id": "lesion_measure", "name": "Lesion measure", "title": "Measures lesions in MR",
    "short_description": "Volume and shape.", "long_description": "Reads a volume and a mask.",
    "url": "https://example.org/lesion", "publication": "doi:10.1000/182",
    "owner": {"author": "Imaging group", "institution": "Example University", "contact": "someone@example.org"},
    "status": 1, "external": True, "keywords": ["mri"], "keywords_tool": ["lesion", "mri"], "has_custom_viewer": "false",
    "infrastructure": {"cpus": 2, "memory": 12, "wallTime": "90", "executable": "/home/vre/lesion/measure.py",
                       "clouds": {"one": {"launcher": "SGE", "queue": "default.q"}}},
    "input_files": [
        {"name": "image", "description": "Volume", "help": "In NIfTI", "file_type": ["NIFTI", "DICOM"], "data_type": ["mr_image"],
         "required": "true", "allow_multiple": True},
        {"name": "Mask", "description": "Mask", "help": "", "file_type": ["NIFTI"], "data_type": ["image_mask", "bioimage"],
         "required": False, "allow_multiple": False}],
    "input_files_public_dir": [
        {"name": "atlas", "description": "Atlas", "help": "", "type": "enum", "required": True, "allow_multiple": False,
         "enum_items": {"name": ["atlas/one"], "description": ["The first"]}, "file_type": ["TAR"], "data_type": ["file"]}],
    "input_files_combinations": [
        {"description": "Without mask", "input_files": ["image"], "input_files_public_dir": ["atlas"]},
        ["image", "Mask", "atlas", "gone"], []],
    "arguments": [
        {"name": "smooth:sigma", "description": "Sigma", "help": "Width", "type": "number", "required": True, "default": "1.5",
         "minimum": 0, "exclusiveMinimum": True, "maximum": 10, "allow_multiple": False},
        {"name": "fill", "description": "Fill holes", "help": "", "type": "boolean", "required": "false", "default": "false"},
        {"name": "steps", "description": "Steps", "help": "", "type": "integer", "required": True},
        {"name": "method", "description": "Method", "help": "", "type": "enum", "required": True, "default": "b",
         "enum_items": {"name": ["a", "b"], "description": ["Alpha", "Beta"]}},
        {"name": "kind", "description": "Kind", "help": "", "type": {"type": "string", "enum": ["x", "y"]}, "default": "y"},
        {"name": "several", "description": "Several", "help": "", "type": "enum_multiple", "default": ["p"],
         "enum_items": {"name": ["p", "q"], "description": ["only one"]}},
        {"name": "repository", "description": "Repository", "help": "", "type": "hidden", "value": "https://example.org/r"},
        {"name": "odd", "description": "Odd", "help": "", "type": "colour", "default": {"a": 1}},
        {"name": "execution", "type": "string"}],
    "output_files": [
        {"name": "table", "required": True, "allow_multiple": False,
         "file": {"file_type": "CSV", "data_type": "table", "file_path": "result.csv", "compressed": "null",
                  "meta_data": {"description": "Measures", "tool": "lesion_measure", "visible": True, "unit": "mm"}}},
        {"name": "report", "required": False, "allow_multiple": True,
         "file": {"file_type": "OWN", "data_type": "tool_statistics", "meta_data": {"visible": False}}}],
}


def test_a_tool_is_carried_over(tmp_path):
    done = from_openvre(TOOL)
    assert [one.text() for one in done.findings if one.level == "error"] == []
    manifest = parse(done.manifest, tmp_path)
    assert (manifest.name, manifest.title, manifest.version) == ("lesion-measure", "Measures lesions in MR", "1.0.0")
    assert manifest.description == "Volume and shape.\nReads a volume and a mask." and manifest.keywords == ("mri", "lesion")
    assert manifest.authors[0].affiliation == "Example University" and manifest.citation == "doi:10.1000/182"
    assert (manifest.resources.cpu, manifest.resources.memory, manifest.resources.time) == (2, 12 << 30, 5400)
    assert manifest.interface == "files" and manifest.command == ("python", "measure.py")
    image, mask, atlas = manifest.inputs
    assert image.accepts == (("mr-image", "nifti"), ("mr-image", "dicom")) and (image.minimum, image.maximum) == (1, 100)
    assert mask.name == "mask" and mask.accepts == (("segmentation-mask", "nifti"), ("*", "nifti")) and mask.minimum == 0
    assert atlas.accepts == (("file", "tar"),)
    assert manifest.combinations == ()  # with the mask or without it: what the inputs say already
    properties = manifest.arguments["properties"]
    assert properties["smooth_sigma"] == {"title": "Sigma", "description": "Width", "type": "number", "exclusiveMinimum": 0,
                                          "maximum": 10, "default": 1.5}
    assert properties["fill"]["default"] is False and properties["method"]["x-titles"] == ["Alpha", "Beta"]
    assert properties["kind"]["enum"] == ["x", "y"] and properties["several"]["items"]["enum"] == ["p", "q"]
    assert properties["repository"] == {
        "title": "Repository", "type": "string", "x-hidden": True, "default": "https://example.org/r"}
    assert "default" not in properties["odd"] and "execution" not in properties and manifest.arguments["required"] == ["steps"]
    assert complete(manifest.arguments, {"steps": 3})["several"] == ["p"]
    table, report = manifest.outputs
    assert (table.path, table.data_type, table.multiple, table.meta) == ("result.csv", "table", False, {"unit": "mm"})
    assert (report.path, report.file_format, report.data_type, report.required) == ("report*", "binary", "file", False)


def test_what_could_not_be_carried_over_is_said():
    found = {(one.level, one.where) for one in from_openvre(TOOL).findings}
    warned = {where for level, where in found if level == "warning"}
    assert {"input_files[1].name", "input_files[1].data_type", "input_files_public_dir[0]", "input_files_combinations[1]",
            "input_files_combinations[2]", "arguments[0].name", "arguments[5].enum_items", "arguments[7].type",
            "arguments[7].default", "output_files[1].file.file_path", "output_files[1].file.file_type",
            "output_files[1].file.data_type", "output_files[1].file.meta_data.visible", "infrastructure.executable",
            "environment", "version", "licence"} <= warned
    assert {("note", "owner.contact"), ("note", "status"), ("note", "_id"), ("note", "arguments[8]")} <= found
    assert all(one.sentence.endswith(".") and one.fix for one in from_openvre(TOOL).findings)


@pytest.mark.parametrize(("combinations", "expected"), [
    ([["image", "Mask", "atlas"]], [{"image", "mask", "atlas"}]),
    ([{"input_files": ["image"]}, ["Mask", "image"]], [{"image"}, {"image", "mask"}]),
    ([["image", "atlas"], ["atlas", "image", "Mask"]], []), ([], []), (None, []),
])
def test_combinations(combinations, expected):
    done = from_openvre({**TOOL, "input_files_combinations": combinations})
    assert [set(one) for one in done.manifest.get("combinations", [])] == expected
    forgotten = expected and not any("atlas" in one for one in expected)
    assert any(one.where == "combinations" and one.level == "error" for one in done.findings) == bool(forgotten)


def test_what_cannot_be_a_tool_here_is_an_error():
    raw = {**TOOL, "infrastructure": {"interactive": True, "container_image": "rstudio", "executable": ""}}
    errors = {one.where for one in from_openvre(raw).findings if one.level == "error"}
    assert errors == {"infrastructure.interactive", "infrastructure.executable"}
    for nonsense in (None, 3, [], {}, {"input_files": 1}, {"input_files": [], "output_files": {}}):
        done = from_openvre(nonsense)
        assert done.manifest == {} and done.findings[0].level == "error"
    assert any(one.where == "inputs" for one in from_openvre({"input_files": [], "output_files": []}).findings)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3), max_leaves=8)


def places(value, path=()):
    yield path
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(one, (*path, key))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([path for path in places(TOOL) if path]), JSON)
def test_it_never_raises_whatever_stands_where(path, value):
    raw = copy.deepcopy(TOOL)
    at = raw
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    done = from_openvre(raw)
    assert done.findings and all(one.sentence and one.fix for one in done.findings)


TAKEN = ("execution", "project", "description", "tool", "visible", "taxon_id", "assembly", "flags", "labels", "modality", "shape",
         "sources", "spacing")
names = st.from_regex(r"[a-z][a-z0-9]{0,8}(_[a-z0-9]{1,4})?", fullmatch=True).filter(lambda one: one not in TAKEN)
words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)
types, formats = st.sampled_from([*vocabulary().data_types, "*"]), st.sampled_from([*vocabulary().file_formats, "*"])
numbers = st.integers(-1000, 1000) | st.integers(-1000, 1000).map(lambda one: one / 4)


@st.composite
def inputs(draw, name):
    some_types = draw(st.lists(types, min_size=1, max_size=2, unique=True))
    some_formats = draw(st.lists(formats, min_size=1, max_size=2, unique=True))
    return {"name": name, "title": draw(words), "description": draw(st.just("") | words),
            "accepts": [{"data_type": t, "file_format": f} for t in some_types for f in some_formats],
            "minimum": draw(st.sampled_from([0, 1])), "maximum": draw(st.sampled_from([1, 100]))}


@st.composite
def arguments(draw):
    spec = {"title": draw(words)}
    if draw(st.booleans()):
        spec["description"] = draw(words)
    kind = draw(st.sampled_from(["number", "integer", "boolean", "string", "enum", "several", "hidden"]))
    if kind == "enum":
        spec |= {"type": "string", "enum": draw(st.lists(words, min_size=1, max_size=3, unique=True))}
        titles = [draw(words) for _ in spec["enum"]]
        spec |= {"x-titles": titles} if draw(st.booleans()) and titles != spec["enum"] else {}
        spec |= {"default": spec["enum"][0]} if draw(st.booleans()) else {}
    elif kind == "several":
        default = draw(st.lists(st.integers(0, 9), max_size=3))
        spec |= {"type": "array", "items": {"type": "integer", "minimum": 0}, "default": default}
    elif kind == "hidden":
        spec |= {"type": "string", "x-hidden": True, "default": draw(words)}
    elif kind == "boolean":
        spec |= {"type": "boolean", "default": draw(st.booleans())}
    elif kind == "string":
        spec |= {"type": "string", "default": draw(words), "maxLength": 20}
    else:
        low = draw(st.integers(-1000, 0) if kind == "integer" else numbers.filter(lambda one: one <= 0))
        spec |= {"type": kind, draw(st.sampled_from(["minimum", "exclusiveMinimum"])): low, "maximum": 1000, "default": 1}
    return spec


@st.composite
def outputs(draw, name, title):
    a_type, a_format = draw(types.filter(lambda one: one != "*")), draw(formats.filter(lambda one: one != "*"))
    return {"name": name, "title": title, "description": title, "data_type": a_type, "file_format": a_format,
            "path": f"{name}.*", "required": draw(st.booleans()), "multiple": draw(st.booleans()),
            **({"meta": {"unit": "mm"}} if draw(st.booleans()) else {})}


@st.composite
def manifests(draw):
    given_names = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    some = [draw(inputs(name)) for name in given_names]
    raw = {
        "manifest": 1, "name": draw(st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)?", fullmatch=True).filter(lambda one: len(one) < 60)),
        "version": "2.1", "title": draw(words), "description": draw(words),
        "keywords": draw(st.lists(words, max_size=3, unique=True)), "inputs": some,
        "arguments": {"type": "object", "properties": draw(st.dictionaries(names, arguments(), max_size=4)),
                      "additionalProperties": False},
        "outputs": [draw(outputs(*one)) for one in draw(st.dictionaries(names, words, min_size=1, max_size=3)).items()],
        "resources": {"cpu": draw(st.integers(1, 64)), "memory": draw(st.integers(1, 4096)) << 24,
                      "time": draw(st.integers(1, 10**6)), "output": dict(OUTPUT)},
        "environment": "tool-base", "interface": "files", "command": ["python", "main.py"]}
    required = [name for name, spec in raw["arguments"]["properties"].items() if "default" not in spec and draw(st.booleans())]
    if required:
        raw["arguments"]["required"] = required
    if draw(st.booleans()):
        raw["authors"] = [{"name": draw(words), "affiliation": draw(words)}]
    if draw(st.booleans()):
        raw["citation"], raw["homepage"] = draw(words), "https://example.org/x"
    if len(some) > 1 and draw(st.booleans()):
        raw["combinations"] = draw(st.sampled_from([[[given_names[0]], given_names], [[one] for one in given_names]]))
    return raw


@settings(max_examples=200, deadline=None)
@given(manifests())
def test_ours_to_theirs_and_back(raw):
    assert [one.text() for one in check_manifest(raw) if one.level == "error" and one.where != "combinations"] == []
    theirs, lost = to_openvre(raw)
    assert lost == []
    back = from_openvre(json.loads(json.dumps(theirs)))
    optional = {one["name"] for one in raw["inputs"] if not one["minimum"]}
    required = {one["name"] for one in raw["inputs"]} - optional
    if {frozenset(one) for one in raw.get("combinations", [])} == ordinary(required, optional):  # the inputs say so already
        raw = {key: value for key, value in raw.items() if key != "combinations"}
    assert back.manifest == raw


@pytest.mark.parametrize(("field", "value", "part"), [
    ("licence", "MIT", "the licence"), ("interface", "arguments", "answer its command line"),
    ("hooks", {"pre_start": []}, "steps before the start"),
    ("outputs", [{"name": "a", "title": "A", "data_type": {"like": "i"}, "file_format": "csv", "path": "a"}], "of an input"),
    ("arguments", {"type": "object", "properties": {"x": {"title": "X", "type": "number", "x-unit": "mm"}}}, "x-unit"),
    ("inputs", [{"name": "i", "title": "I", "accepts": [
        {"data_type": "table", "file_format": "csv"}, {"data_type": "document", "file_format": "pdf"}]}],
     "some of its data types"),
])
def test_what_theirs_cannot_say_is_said(field, value, part):
    raw = {"name": "t", "version": "1.0", "title": "T", "description": "D", "interface": "files", "command": ["./t"],
           "inputs": [{"name": "i", "title": "I", "accepts": [{"data_type": "*", "file_format": "*"}]}],
           "outputs": [{"name": "a", "title": "A", "data_type": "table", "file_format": "csv", "path": "a"}],
           "resources": {"cpu": 1, "memory": 1 << 30, "time": 60, "output": OUTPUT}, field: value}
    _, lost = to_openvre(raw)
    assert len(lost) == 1 and part in lost[0].sentence
