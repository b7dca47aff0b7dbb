"""Arguments of a run against the schema of a tool: filled with defaults, or a sentence that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema.exceptions import ValidationError, best_match

from .patterns import UntrustedValidator

TYPES = {"boolean": "yes or no", "integer": "a whole number", "number": "a number", "string": "a text", "array": "a list"}
BOUNDS = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}
COUNTS = {"minItems": ("at least", "value"), "maxItems": ("at most", "value"),
          "minLength": ("at least", "character"), "maxLength": ("at most", "character")}


class ManifestError(ValueError):
    """A sentence for the tool's developer, or for who fills in its form."""


class ArgumentError(ManifestError):
    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name  # of the argument; "" when it is about none


def complete(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the tool gets them, in the schema's order; raises ArgumentError."""
    properties: dict[str, Any] = schema.get("properties", {})
    filled = {name: spec["default"] for name, spec in properties.items() if "default" in spec} | dict(given)
    for name, spec in properties.items():
        if spec.get("x-hidden") and filled.get(name) != spec.get("default"):
            raise ArgumentError(name, f"{spec.get('title', name)} is set by the tool and cannot be changed.")
    error = best_match(UntrustedValidator(schema).iter_errors(filled))
    if error is not None:
        name = _name(error)
        raise ArgumentError(name, sentence(error, properties))
    return {name: filled[name] for name in properties if name in filled}


def _name(error: ValidationError) -> str:
    if error.absolute_path:
        return str(error.absolute_path[0])
    if error.validator == "required" and isinstance(error.instance, Mapping):
        rule: Any = error.validator_value
        return next((one for one in rule if one not in error.instance), "")
    return ""


def sentence(error: ValidationError, properties: Mapping[str, Any]) -> str:
    """What the panel says too, word for word (extensions/lab/src/tools/schema.ts)."""
    name = str(error.absolute_path[0]) if error.absolute_path else ""
    spec = properties.get(name, {})
    title = spec.get("title", name)
    unit = f" {spec['x-unit']}" if spec.get("x-unit") else ""
    rule: Any = error.validator_value
    given: Any = error.instance
    kind = str(error.validator)
    if kind == "additionalProperties":
        return "This tool has no argument " + ", ".join(sorted(set(given) - set(properties))) + "."
    if kind == "required":
        missing = [n for n in rule if n not in given]
        return "Fill in " + ", ".join(properties.get(n, {}).get("title", n) for n in missing) + "."
    if kind == "enum":
        return f"{title} must be one of {', '.join(map(_plain, rule))}."
    if kind in BOUNDS:
        return f"{title} must be {BOUNDS[kind]} {_plain(rule)}{unit}."
    if kind == "multipleOf":
        return f"{title} must be a multiple of {_plain(rule)}{unit}."
    if kind in COUNTS:
        words, thing = COUNTS[kind]
        return f"{title} must have {words} {rule} {thing}{'' if rule == 1 else 's'}."
    if kind == "uniqueItems":
        return f"{title} holds a value twice."
    if kind == "pattern":
        return f"{title} does not have the expected form."
    if kind == "type":
        return f"{title} must be {TYPES.get(str(rule), str(rule))}."
    if not name:
        return "The arguments do not fit this tool."
    return f"{title} does not fit: it breaks the rule `{kind}` of this tool."


def _plain(value: Any) -> str:
    """As a page writes it: 2 for 2.0, true for True."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
