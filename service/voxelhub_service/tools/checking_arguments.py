"""What is wrong with the arguments that a manifest declares, beyond the form that schema.json demands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from .arguments import BOUNDS, TYPES, sentence
from .finding import Finding, did_you_mean, error, texts
from .patterns import UntrustedValidator

NUMBER = (*BOUNDS, "multipleOf")
TEXT, LIST = ("minLength", "maxLength", "pattern"), ("items", "minItems", "maxItems", "uniqueItems")
MEANT_FOR = dict.fromkeys(NUMBER, ("number", "integer")) | dict.fromkeys(TEXT, ("string",)) | dict.fromkeys(LIST, ("array",))
PAIRS = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))


def argument_findings(schema: Any, files: Sequence[str] | None) -> Iterator[Finding]:
    """`files` are those of the tool's folder, where it is known."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return
    for index, name in texts(schema.get("required")):
        if name not in properties:
            where = f"arguments.required[{index}]"
            yield error(where, f"`{where}`: there is no argument {name}.",
                        did_you_mean(name, properties, "Name arguments that `arguments.properties` declares."))
    for name, spec in properties.items():
        if isinstance(spec, dict):
            yield from _argument(f"arguments.properties.{name}", spec, files)


def _argument(where: str, spec: Mapping[str, Any], files: Sequence[str] | None) -> Iterator[Finding]:
    if "type" not in spec and "enum" not in spec:
        yield error(f"{where}.type", f"`{where}.type` is missing.", 'Add "type": boolean, integer, number, string or array.')
    items = spec.get("items")
    yield from _keywords(where, spec)
    if isinstance(items, dict):
        yield from _keywords(f"{where}.items", items)
        if "type" not in items and "enum" not in items:
            yield error(f"{where}.items.type", f"`{where}.items.type` is missing.",
                        'Add "type": boolean, integer, number or string.')
    if spec.get("type") == "array" and "items" not in spec:
        yield error(f"{where}.items", f"`{where}.items` is missing: nobody knows what the values are.",
                    'Add "items": {"type": "string"}, or number or integer.')
    yield from _own_keys(where, spec)
    yield from _default(where, spec, files)


def _keywords(where: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    kind = spec.get("type")
    for keyword, kinds in MEANT_FOR.items():
        if keyword in spec and isinstance(kind, str) and kind in TYPES and kind not in kinds:
            yield error(f"{where}.{keyword}", f"`{where}.{keyword}` has no meaning for {TYPES[kind]}.",
                        "Take it out, or change the type.")
    for least, most in PAIRS:
        if _number(spec.get(least)) and _number(spec.get(most)) and spec[least] > spec[most]:
            yield error(f"{where}.{least}", f"`{where}.{least}` is above `{most}`: no value fits.", "Correct one of them.")
    pattern = spec.get("pattern")
    if isinstance(pattern, str):
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as wrong:
            yield error(f"{where}.pattern", f"`{where}.pattern` is no regular expression: {wrong}.", "Correct it.")
    if isinstance(kind, str) and kind in TYPES and isinstance(spec.get("enum"), list):
        for index, value in enumerate(spec["enum"]):
            if not Draft202012Validator({"type": kind}).is_valid(value):
                yield error(f"{where}.enum[{index}]", f"`{where}.enum[{index}]` is not {TYPES[kind]}, as the type says.",
                            "Correct the value or the type.")


def _own_keys(where: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    items = spec.get("items")
    values = spec.get("enum", items.get("enum") if isinstance(items, dict) else None)
    titles = spec.get("x-titles")
    if isinstance(titles, list) and (not isinstance(values, list) or len(values) != len(titles)):
        many = len(values) if isinstance(values, list) else 0
        yield error(f"{where}.x-titles", f"`{where}.x-titles` has {len(titles)} titles for {many} values of an enum.",
                    "Write one title for each value.")
    if spec.get("x-hidden") is True and "default" not in spec:
        yield error(f"{where}.default", f"`{where}.default` is missing: a hidden argument has nothing else.", 'Add "default".')
    if "x-file" in spec and (spec.get("type") != "string" or "enum" in spec):
        yield error(f"{where}.x-file", f"`{where}.x-file` is for an argument of type string without enum.",
                    "Correct the type, or take it out.")


def _default(where: str, spec: Mapping[str, Any], files: Sequence[str] | None) -> Iterator[Finding]:
    if "default" not in spec or not _sound(spec):
        return
    name = where.rpartition(".")[2]
    here = f"{where}.default"
    glob = spec.get("x-file")
    if isinstance(glob, str) and files is not None and isinstance(spec["default"], str):
        fitting = [path for path in files if fnmatchcase(path, glob)]
        if spec["default"] not in fitting:
            yield error(here, f"`{here}`: the default of argument {name} is no file of the tool's folder that fits {glob}.",
                        did_you_mean(spec["default"], fitting, "Name one of its files."))
        return
    wrong = best_match(UntrustedValidator({"properties": {name: spec}}).iter_errors({name: spec["default"]}))
    if wrong is not None:
        yield error(here, f"`{here}`: the default of argument {name} does not fit: {sentence(wrong, {name: spec})}",
                    "Correct the default or the rule.")


def _sound(spec: Mapping[str, Any]) -> bool:
    """A validator of it does not raise."""
    items = spec.get("items", {})
    parts = [spec, items] if isinstance(items, dict) else []
    try:
        return bool(parts) and all(one.get("type", "string") in TYPES and isinstance(one.get("enum", []), list)
                                   and all(_number(one[key]) for key in NUMBER if key in one)
                                   and one.get("multipleOf", 1) > 0
                                   and re.compile(one.get("pattern", "")) is not None for one in parts) and all(
            isinstance(spec[key], int) for key in ("minLength", "maxLength", "minItems", "maxItems") if key in spec)
    except (TypeError, re.error, RecursionError, OverflowError):
        return False


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
