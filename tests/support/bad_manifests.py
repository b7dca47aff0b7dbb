"""A manifest that uses every field, and every way to get one field of it wrong: what the check, the CLI, the API and the
panel must all say, word for word alike.

Most cases come from schema.json itself: each keyword of each field is broken once. What a schema cannot say follows by hand.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from voxelhub_service.tools.checking import schema

GOOD: dict[str, Any] = {
    "$schema": "../../service/voxelhub_service/tools/schema.json",
    "manifest": 1, "name": "blur", "version": "1.2.0", "title": "Blur", "description": "Blurs volumes.",
    "keywords": ["blur", "gauss"],
    "authors": [{"name": "Imaging group", "orcid": "0000-0002-1825-0097", "affiliation": "Example University"}],
    "licence": "Apache-2.0", "citation": "Example et al. Blurring. 2025. doi:10.1000/182", "homepage": "https://example.org/blur",
    "inputs": [
        {"name": "volume", "title": "Volume", "description": "What is blurred.",
         "accepts": [{"data_type": "ct-image", "file_format": "nifti"}, {"data_type": "mr-image", "file_format": "nifti"}],
         "minimum": 1, "maximum": 3},
        {"name": "mask", "title": "Mask", "accepts": [{"data_type": "segmentation-mask", "file_format": "nifti"}], "minimum": 0},
    ],
    "combinations": [["volume"], ["volume", "mask"]],
    "arguments": {
        "type": "object", "required": ["kernel"], "additionalProperties": False,
        "properties": {
            "sigma": {"type": "number", "title": "Sigma", "description": "Width.", "default": 1.5, "minimum": 0, "maximum": 10,
                      "exclusiveMinimum": -1, "exclusiveMaximum": 11, "multipleOf": 0.5, "x-unit": "mm"},
            "kernel": {"type": "string", "title": "Kernel", "enum": ["gauss", "box"], "x-titles": ["Gauss", "Box"]},
            "label": {"type": "string", "title": "Label", "default": "a", "minLength": 1, "maxLength": 9, "pattern": "^[a-z]+$"},
            "axes": {"type": "array", "title": "Axes", "default": [1], "minItems": 1, "maxItems": 3, "uniqueItems": True,
                     "items": {"type": "integer", "minimum": 0, "maximum": 9, "exclusiveMinimum": -1, "exclusiveMaximum": 10,
                               "multipleOf": 1}},
            "tags": {"type": "array", "title": "Tags", "default": [],
                     "items": {"type": "string", "enum": ["x", "y"], "minLength": 1, "maxLength": 2, "pattern": "^[xy]$"}},
            "seed": {"type": "integer", "title": "Seed", "default": 7, "x-hidden": True},
            "preset": {"type": "string", "title": "Preset", "x-file": "presets/*.json"},
        },
    },
    "outputs": [
        {"name": "blurred", "title": "Blurred", "description": "As the volume.", "data_type": {"like": "volume"},
         "file_format": "nifti", "path": "out/*.nii.gz", "required": True, "multiple": False, "meta": {"kind": "blurred"}},
        {"name": "table", "title": "Table", "data_type": "table", "file_format": "csv", "path": "*.csv", "required": False},
    ],
    "resources": {"cpu": 1, "memory": 1 << 30, "time": 60, "pids": 64, "gpu": 0, "output": {"base": 100, "per_input_byte": 2.5}},
    "environment": "tool-base", "lock": "requirements.lock",
    "network": True, "security": {"reaches": ["api.example.org:8443"], "sends": "Nothing of the inputs."},
    "account": "Imaging group, cost centre 4711",
    "termination": {"grace": 5, "on_time_limit": "finish"},
    "hooks": {"pre_start": [["python", "warm.py", "{output}"]]},
    "interface": "arguments",
    "command": ["python", "blur.py", "--sigma", "{arguments.sigma}", "{arguments.kernel}", "{arguments.label}",
                "{arguments.axes}", "{arguments.tags}", "{arguments.seed}", "{arguments.preset}", "{inputs.volume}",
                "{inputs.mask}", "{output}"],
    "benchmark": {"task": "segmentation", "metrics": ["dice"], "output": "blurred", "reference": "doi:10.1000/182"},
}
FILES = {"blur.py": "", "warm.py": "", "requirements.lock": "", "presets/soft.json": "{}"}  # of its folder
NOTEBOOK = {"interface": "notebook", "notebook": "blur.ipynb"}  # in place of the command


@dataclass(frozen=True)
class Case:
    """`where`, and parts of `sentence` and `fix`, must be among what is found in `raw`."""

    id: str
    raw: Any
    where: str
    sentence: str
    fix: str


def changed(where: str, value: Any, raw: Any = GOOD) -> Any:
    """A copy with the field at `where` (inputs[0].title) set, or taken out where the value is `GONE`."""
    copied = copy.deepcopy(raw)
    steps = [int(index) if index else name for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", where)]
    at = copied
    for step in steps[:-1]:
        at = at[step]
    if value is GONE:
        del at[steps[-1]]
    else:
        at[steps[-1]] = value
    return copied


GONE = object()
Break = tuple[Any, str, str]  # the wrong value, part of the sentence, part of the fix
KINDS = {"string": ("a text", 7, "in quotes"), "number": ("a number", "7", "digits"), "array": ("a list", "x", "[ ]"),
         "boolean": ("true or false", "yes", "true or false"), "integer": ("a whole number", "7", "digits"),
         "object": ("an object", "x", "{ }")}


def _wrong_type(rule: Any, value: Any) -> Break:
    first = rule if isinstance(rule, str) else rule[0]
    words, other, fix = KINDS[first]
    if not isinstance(rule, str):
        other = None
    return other, f"must be {words}", fix


def _bad_form(rule: str, value: Any) -> Break:
    bad = next(one for one in ("!", "/x", "../x", "a b\\", "") if not re.search(rule, one))
    return bad, "does not have the form that it needs", "Write "


BREAKS: dict[str, Callable[[Any, Any], Break]] = {
    "type": _wrong_type,
    "pattern": _bad_form,
    "const": lambda rule, value: ("other", "must be", "Write "),
    "enum": lambda rule, value: ("zzz", "must be one of", "Choose one of them"),
    "minLength": lambda rule, value: ("", "is empty", "Write"),
    "maxLength": lambda rule, value: ("a" * (rule + 1), f"at most {rule} are allowed", "Shorten it"),
    "minItems": lambda rule, value: ([], "is empty", "Add one"),
    "maxItems": lambda rule, value: ([copy.deepcopy(value[0]) for _ in range(rule + 1)], f"at most {rule}", "Take some"),
    "uniqueItems": lambda rule, value: ([*value, value[0]], "holds the same element twice", "Take one out"),
    "maxProperties": lambda rule, value: (dict.fromkeys((f"a{i}" for i in range(rule + 1)), 1), f"at most {rule}", "Take"),
    "minimum": lambda rule, value: (rule - 1, f"must be at least {rule}", f"at least {rule}"),
    "maximum": lambda rule, value: (rule + 1, f"must be at most {rule}", f"at most {rule}"),
    "exclusiveMinimum": lambda rule, value: (rule, f"must be above {rule}", f"above {rule}"),
}


def from_schema() -> Iterator[tuple[Case, tuple[str, ...]]]:
    """Each keyword of each field broken once, with its place in the schema."""
    yield from _broken(schema(), GOOD, "", ())
    yield from _broken({"properties": {"notebook": schema()["properties"]["notebook"]}}, NOTEBOOK, "", (), NOTEBOOK_TOOL)


def _broken(node: Any, value: Any, where: str, at: tuple[str, ...], raw: Any = GOOD) -> Iterator[tuple[Case, tuple[str, ...]]]:
    while "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        at, node = ("$defs", name), {**schema()["$defs"][name], **{k: v for k, v in node.items() if k != "$ref"}}

    def case(there: str, keyword: str, wrong: Any, sentence: str, fix: str) -> tuple[Case, tuple[str, ...]]:
        wrong = changed(there, wrong, raw) if there else wrong
        return Case(f"{there or 'manifest'} {keyword}", wrong, there, sentence, fix), (*at, keyword)

    for keyword, rule in node.items():
        if keyword in BREAKS and not (keyword == "pattern" and not isinstance(value, str)):
            yield case(where, keyword, *BREAKS[keyword](rule, value))
    for name in node.get("required", []):
        if isinstance(value, dict) and name in value:
            there = f"{where}.{name}".lstrip(".")
            yield case(there, "required", GONE, f"`{there}` is missing", f'Add "{name}"')
    if isinstance(value, dict) and node.get("additionalProperties") is False:
        near = next(iter(value))[:-1] + "x" if len(next(iter(value))) > 3 else "zzzz"
        there = f"{where}.{near}".lstrip(".")
        yield case(there, "additionalProperties", 1, f"`{there}` is no field of a manifest", "")
    if isinstance(value, dict) and "propertyNames" in node:
        there = f"{where}.Not-a-name"
        yield case(there, "propertyNames", next(iter(value.values())), "does not have the form", "Write a small letter")
    for name, below in node.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            yield from _broken(below, value[name], f"{where}.{name}".lstrip("."), (*at, "properties", name), raw)
    below = node.get("additionalProperties")
    for name in value if isinstance(below, dict) and isinstance(value, dict) else ():
        yield from _broken(below, value[name], f"{where}.{name}", (*at, "additionalProperties"), raw)
    if isinstance(value, list) and value and isinstance(node.get("items"), dict):
        yield from _broken(node["items"], value[0], f"{where}[0]", (*at, "items"), raw)


NOTEBOOK_TOOL = {**{k: v for k, v in GOOD.items() if k != "command"}, **NOTEBOOK,
                 "outputs": [*GOOD["outputs"], {"name": "executed", "title": "Notebook", "data_type": "document",
                                                "file_format": "json", "path": "*.ipynb"}]}
P = "arguments.properties."
BY_HAND: list[tuple[str, Any, str, str, str]] = [  # changed field, value, where, sentence, fix
    ("titel", "Blur", "titel", "no field of a manifest", "Did you mean `title`?"),
    ("inputs[0].minimun", 1, "inputs[0].minimun", "no field of a manifest", "Did you mean `minimum`?"),
    ("interface", "argument", "interface", "must be one of", "Did you mean `arguments`?"),
    ("inputs[1].name", "volume", "inputs[1].name", "the same name", "another name"),
    ("outputs[1].name", "blurred", "outputs[1].name", "the same name", "another name"),
    ("outputs[1].path", "out/*.nii.gz", "outputs[1].path", "takes every file", "files of its own"),
    ("inputs[0].minimum", 4, "inputs[0].minimum", "above its maximum 3", "Raise the maximum"),
    ("inputs[0].accepts[0].data_type", "ct-imagee", "inputs[0].accepts[0].data_type", "no data type", "Did you mean `ct-image`?"),
    ("inputs[0].accepts[0].file_format", "qqq", "inputs[0].accepts[0].file_format", "no file format", "Choose a file format"),
    ("outputs[1].data_type", "tabel", "outputs[1].data_type", "no data type", "Did you mean `table`?"),
    ("outputs[1].data_type", "Table 1", "outputs[1].data_type", "does not have the form", "a word of the vocabulary"),
    ("outputs[1].file_format", "cvs", "outputs[1].file_format", "no file format", "Did you mean"),
    ("outputs[0].data_type.like", "volum", "outputs[0].data_type.like", "no required input", "Did you mean `volume`?"),
    ("outputs[0].data_type.like", "mask", "outputs[0].data_type.like", "no required input", "always given"),
    ("outputs[0].meta.shape", 3, "outputs[0].meta.shape", "finds by itself", "another name"),
    ("combinations[1][1]", "maks", "combinations[1][1]", "no input maks", "Did you mean `mask`?"),
    ("combinations", [["volume"]], "combinations", "mask is in none of them", "Add it to a combination"),
    ("command", GONE, "command", "`command` is missing", 'Add "command"'),
    ("notebook", "blur.ipynb", "notebook", "no meaning with the interface arguments", '"interface": "notebook"'),
    ("interface", "notebook", "notebook", "`notebook` is missing", 'Add "notebook"'),
    ("command[3]", "--sigma={arguments.sigma}", "command[3]", "mixes a placeholder", "an element of its own"),
    ("command[3]", "{argument.sigma}", "command[3]", "no placeholder", "{arguments.NAME}"),
    ("command[3]", "{arguments.sigmoid}", "command[3]", "does not declare", "Did you mean `sigma`?"),
    ("command[10]", "{inputs.series}", "command[10]", "does not declare", "Declare it in `inputs`"),
    ("hooks.pre_start[0][2]", "{inputs.series}", "hooks.pre_start[0][2]", "does not declare", "Declare it"),
    ("interface", "files", "command[3]", "no meaning with the interface files", "--config"),
    ("security", GONE, "security", "a tool with network needs it", 'Add "security"'),
    ("account", GONE, "account", "a tool with network needs it", 'Add "account"'),
    ("benchmark.output", "blured", "benchmark.output", "no output blured", "Did you mean `blurred`?"),
    ("description", "a\0b", "description", "cannot be kept", "NUL"),
    ("resources.cpu", float("nan"), "resources.cpu", "JSON cannot carry", "finite"),
    ("arguments.required[0]", "kernal", "arguments.required[0]", "no argument kernal", "Did you mean `kernel`?"),
    (P + "execution", {"type": "string", "title": "X"}, P + "execution", "VoxelHub itself", "another name"),
    (P + "sigma.type", GONE, P + "sigma.type", "is missing", "number"),
    (P + "axes.items", GONE, P + "axes.items", "is missing", '"items"'),
    (P + "axes.items.type", GONE, P + "axes.items.type", "is missing", '"type"'),
    (P + "kernel.minimum", 1, P + "kernel.minimum", "no meaning for a text", "Take it out"),
    (P + "sigma.pattern", "x", P + "sigma.pattern", "no meaning for a number", "change the type"),
    (P + "label.items", {"type": "string"}, P + "label.items", "no meaning for a text", "Take it out"),
    (P + "tags.items.minimum", 1, P + "tags.items.minimum", "no meaning for a text", "Take it out"),
    (P + "sigma.minimum", 11, P + "sigma.minimum", "no value fits", "Correct one of them"),
    (P + "label.minLength", 10, P + "label.minLength", "no value fits", "Correct one of them"),
    (P + "axes.minItems", 4, P + "axes.minItems", "no value fits", "Correct one of them"),
    (P + "label.pattern", "[a-z", P + "label.pattern", "no regular expression", "Correct it"),
    (P + "sigma.multipleOf", 0, P + "sigma.multipleOf", "must be above 0", "above 0"),
    (P + "kernel.enum[1]", 3, P + "kernel.enum[1]", "not a text, as the type says", "Correct the value"),
    (P + "kernel.x-titles", ["Gauss"], P + "kernel.x-titles", "1 titles for 2 values", "one title for each"),
    (P + "seed.default", GONE, P + "seed.default", "a hidden argument has nothing else", 'Add "default"'),
    (P + "preset.type", "integer", P + "preset.x-file", "of type string", "Correct the type"),
    (P + "sigma.default", 20, P + "sigma.default", "Sigma must be at most 10 mm", "Correct the default"),
    (P + "axes.default", [0, 0], P + "axes.default", "holds a value twice", "Correct the default"),
]
ON_NOTEBOOK: list[tuple[str, Any, str, str, str]] = [
    ("command", ["python"], "command", "no meaning with the interface notebook", "change the interface"),
    ("outputs[2].path", "*.txt", "outputs", "belongs to no output", "*.ipynb"),
    (P + "lambda", {"type": "string", "title": "X"}, P + "lambda", "a word of Python", "another name"),
]
IN_FOLDER: list[tuple[str, Any, str, str, str]] = [  # need the tool's folder
    ("lock", "requirement.lock", "lock", "there is no file", "Did you mean `requirements.lock`?"),
    (P + "preset.x-file", "models/*.pt", P + "preset.x-file", "no file of the tool's folder", "correct the glob"),
    (P + "preset.default", "presets/sof.json", P + "preset.default", "no file of the tool's", "mean `presets/soft.json`?"),
]


def _of(table: list[tuple[str, Any, str, str, str]], raw: Any, more: str = "") -> list[Case]:
    return [Case(f"{more}{where} {i}", changed(field, value, raw), where, sentence, fix)
            for i, (field, value, where, sentence, fix) in enumerate(table)]


CASES: list[Case] = [case for case, _ in from_schema()] + _of(BY_HAND, GOOD, "by hand: ")
CASES += _of(ON_NOTEBOOK, NOTEBOOK_TOOL, "notebook: ")
FOLDER_CASES: list[Case] = _of(IN_FOLDER, GOOD, "folder: ")
NOT_SENT = [case.id for case in CASES if case.where == "resources.cpu" and case.fix == "finite"]  # JSON text has no NaN
