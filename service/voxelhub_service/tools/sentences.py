"""What a JSON Schema says about a manifest, in words: each of its errors as findings that name field and fix."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from jsonschema.exceptions import ValidationError

from .finding import Finding, did_you_mean, error, listed, place

KINDS = {"string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "array": "a list",
         "object": "an object"}
WRITE = {
    "string": "Write it in quotes.", "number": "Write digits, without quotes.", "array": "Write it in [ ].",
    "integer": "Write digits, without quotes or point.", "boolean": "Write true or false, without quotes.",
    "object": "Write it in { }.",
}
BOUNDS = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}


def schema_findings(wrong: ValidationError) -> list[Finding]:
    say = _SAY.get(str(wrong.validator))
    where = place(wrong.absolute_path)
    if say is None:  # a keyword that schema.json does not use
        return [error(where, f"{_named(where)} breaks the rule `{wrong.validator}`.", "See the reference of the manifest.")]
    return say(where, wrong)


def _named(where: str) -> str:
    return f"`{where}`" if where else "The manifest"


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _meaning(wrong: ValidationError, name: str = "") -> str:
    """What the schema says that a field is; "" where it says nothing."""
    schema: Any = wrong.schema
    known = schema.get("properties", {}).get(name, {}) if name else schema
    return str(known.get("description", ""))


def _required(where: str, wrong: ValidationError) -> list[Finding]:
    rule: Any = wrong.validator_value
    given: Any = wrong.instance
    missing = str(wrong.message).split("'")[1]  # jsonschema gives one error for each
    assert missing in rule and missing not in given
    meaning = _meaning(wrong, missing)
    here = _below(where, missing)
    return [error(here, f"`{here}` is missing.", f'Add "{missing}"{f": {meaning}" if meaning else ""}.')]


def _unknown(where: str, wrong: ValidationError) -> list[Finding]:
    schema: Any = wrong.schema
    given: Any = wrong.instance
    known = list(schema.get("properties", {}))
    otherwise = f"Take it out; the fields here are {listed(known)}."
    return [error(_below(where, one), f"`{_below(where, one)}` is no field of a manifest.", did_you_mean(one, known, otherwise))
            for one in given if one not in known]


def _type(where: str, wrong: ValidationError) -> list[Finding]:
    rule: Any = wrong.validator_value
    wanted = [rule] if isinstance(rule, str) else list(rule)
    kinds = " or ".join(KINDS[one] for one in wanted)
    return [error(where, f"{_named(where)} must be {kinds}, not {_kind(wrong.instance)}.", WRITE[wanted[0]])]


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "this")


def _const(where: str, wrong: ValidationError) -> list[Finding]:
    value = json.dumps(wrong.validator_value)
    return [error(where, f"`{where}` must be {value}.", f"Write {value}.")]


def _enum(where: str, wrong: ValidationError) -> list[Finding]:
    rule: Any = wrong.validator_value
    return [error(where, f"`{where}` is {_shown(wrong.instance)}; it must be one of {listed(rule)}.",
                  did_you_mean(wrong.instance, rule, "Choose one of them."))]


def _pattern(where: str, wrong: ValidationError) -> list[Finding]:
    schema: Any = wrong.schema
    if "propertyNames" in [part for part in wrong.absolute_schema_path if part != "$ref"][-2:]:
        where = _below(where, str(wrong.instance)[:60])  # the error lies at the object that has the name
    return [error(where, f"`{where}` does not have the form that it needs: {_shown(wrong.instance)}.",
                  f"Write {schema['x-form']}.")]


def _empty(where: str, wrong: ValidationError) -> list[Finding]:
    meaning = _meaning(wrong)
    return [error(where, f"`{where}` is empty.", f"Write {meaning}." if meaning else "Write a text.")]


def _few(where: str, wrong: ValidationError) -> list[Finding]:
    meaning = _meaning(wrong)
    return [error(where, f"`{where}` is empty; it needs an element.", f"Add one: {meaning}." if meaning else "Add one.")]


def _long(where: str, wrong: ValidationError) -> list[Finding]:
    given: Any = wrong.instance
    return [error(where, f"`{where}` has {len(given)} characters; at most {wrong.validator_value} are allowed.", "Shorten it.")]


def _many(where: str, wrong: ValidationError) -> list[Finding]:
    given: Any = wrong.instance
    return [error(where, f"`{where}` has {len(given)} elements; at most {wrong.validator_value} are allowed.", "Take some out.")]


def _twice(where: str, wrong: ValidationError) -> list[Finding]:
    return [error(where, f"`{where}` holds the same element twice.", "Take one out.")]


def _bound(where: str, wrong: ValidationError) -> list[Finding]:
    meaning = _meaning(wrong)
    bound = f"{BOUNDS[str(wrong.validator)]} {wrong.validator_value}"
    return [error(where, f"`{where}` is {_shown(wrong.instance)}; it must be {bound}.",
                  f"Write a number {bound}{f' ({meaning})' if meaning else ''}.")]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


_SAY: dict[str, Callable[[str, ValidationError], list[Finding]]] = {
    "required": _required, "additionalProperties": _unknown, "type": _type, "const": _const, "enum": _enum, "pattern": _pattern,
    "minLength": _empty, "minItems": _few, "maxLength": _long, "maxItems": _many, "maxProperties": _many,
    "uniqueItems": _twice, **dict.fromkeys(BOUNDS, _bound),
}
