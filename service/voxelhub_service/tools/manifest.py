"""Tool manifest, version 1 (schema.json): read, check, and turn into a command.

A placeholder in `command` is a whole list element and becomes whole list elements, so no value ever meets a shell.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rfc8785
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match

_PLACEHOLDER = re.compile(r"\{(?:(inputs|arguments)\.([a-z][a-z0-9_]*)|output)\}")


class ManifestError(ValueError):
    """A sentence for the tool's developer."""


@dataclass(frozen=True)
class Input:
    name: str
    title: str
    description: str
    accepts: tuple[tuple[str, str], ...]  # (data type, file format); "*" stands for everything
    minimum: int
    maximum: int

    def takes(self, data_type: str, file_format: str) -> bool:
        return any(t in ("*", data_type) and f in ("*", file_format) for t, f in self.accepts)


@dataclass(frozen=True)
class OutputSpec:
    name: str
    title: str
    data_type: str  # a term, or "" when it follows an input
    like: str  # that input
    file_format: str
    path: str
    required: bool


@dataclass(frozen=True)
class Resources:
    cpu: float
    memory: int
    time: int
    pids: int
    gpu: int
    output_base: int
    output_per_input_byte: float

    def output(self, input_size: int) -> int:
        """Bytes a run with inputs of this size may write."""
        return self.output_base + int(self.output_per_input_byte * input_size)


@dataclass(frozen=True)
class Manifest:
    name: str
    version: str
    title: str
    description: str
    keywords: tuple[str, ...]
    inputs: tuple[Input, ...]
    arguments: dict[str, Any]
    outputs: tuple[OutputSpec, ...]
    resources: Resources
    environment: str
    network: bool
    command: tuple[str, ...]
    folder: Path = field(compare=False)
    digest: str = ""

    def input(self, name: str) -> Input | None:
        return next((one for one in self.inputs if one.name == name), None)

    def with_defaults(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the tool gets them; raises ManifestError with a sentence for the user."""
        properties: dict[str, Any] = self.arguments.get("properties", {})
        filled = {name: spec["default"] for name, spec in properties.items() if "default" in spec} | dict(arguments)
        error = best_match(Draft202012Validator(self.arguments).iter_errors(filled))
        if error is not None:
            raise ManifestError(_sentence(error, properties))
        return {name: filled[name] for name in properties if name in filled}

    def expand(self, inputs: Mapping[str, Sequence[str]], arguments: Mapping[str, Any], output: str) -> list[str]:
        """The command as a list; an argument without value leaves no element behind."""
        done: list[str] = []
        for element in self.command:
            match = _PLACEHOLDER.fullmatch(element)
            if match is None:
                done.append(element)
            elif match[1] is None:
                done.append(output)
            elif match[1] == "inputs":
                done += inputs.get(match[2], [])
            else:
                done += _texts(arguments.get(match[2]))
        return done


def load_manifest(folder: Path) -> Manifest:
    """The manifest of the tool in this folder, `tool.json`; raises ManifestError that says what to change."""
    try:
        raw = json.loads((folder / "tool.json").read_text("utf-8"))
    except FileNotFoundError:
        raise ManifestError(f"{folder.name}: tool.json is missing.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ManifestError(f"{folder.name}: tool.json is no JSON text ({error}).") from None
    manifest = parse(raw, folder)
    if manifest.name != folder.name:
        raise ManifestError(f"{folder.name}: tool.json names the tool {manifest.name}; folder and name must be the same.")
    return manifest


def parse(raw: Any, folder: Path) -> Manifest:
    error = best_match(_validator().iter_errors(raw))
    if error is not None:
        raise ManifestError(f"{folder.name}: {error.json_path} {error.message}.")
    arguments = raw.get("arguments") or {"type": "object", "properties": {}}
    arguments = {**arguments, "additionalProperties": False}
    resources = raw["resources"]
    manifest = Manifest(
        name=raw["name"], version=raw["version"], title=raw["title"], description=raw["description"],
        keywords=tuple(raw.get("keywords", [])),
        inputs=tuple(Input(one["name"], one["title"], one.get("description", ""),
                           tuple((pair["data_type"], pair["file_format"]) for pair in one["accepts"]),
                           one.get("minimum", 1), one.get("maximum", max(1, one.get("minimum", 1)))) for one in raw["inputs"]),
        arguments=arguments,
        outputs=tuple(OutputSpec(one["name"], one["title"],
                                 "" if isinstance(one["data_type"], dict) else one["data_type"],
                                 one["data_type"]["like"] if isinstance(one["data_type"], dict) else "",
                                 one["file_format"], one["path"], one.get("required", True)) for one in raw["outputs"]),
        resources=Resources(resources["cpu"], resources["memory"], resources["time"], resources.get("pids", 512),
                            resources.get("gpu", 0), resources["output"]["base"], resources["output"]["per_input_byte"]),
        environment=raw["environment"], network=raw.get("network", False), command=tuple(raw["command"]), folder=folder,
        digest=tool_digest(raw, folder),
    )
    _check(manifest)
    return manifest


def tool_digest(raw: Any, folder: Path) -> str:
    """SHA-256 over the manifest's canonical JSON (RFC 8785) and each file of the tool's folder: what a run names as its tool."""
    total = hashlib.sha256(rfc8785.dumps(raw))
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
            if path.is_file() and not path.is_symlink() and not hidden and relative.name != "tool.json":
                total.update(f"\0{relative.as_posix()}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _check(manifest: Manifest) -> None:
    """What a schema cannot say."""
    where = manifest.name
    for kind, things in (("input", manifest.inputs), ("output", manifest.outputs)):
        names = [one.name for one in things]
        if len(set(names)) < len(names):
            raise ManifestError(f"{where}: two {kind}s have the same name.")
    for one in manifest.inputs:
        if one.minimum > one.maximum:
            raise ManifestError(f"{where}: input {one.name} has a minimum above its maximum.")
    for output in manifest.outputs:
        follows = manifest.input(output.like) if output.like else None
        if output.like and (follows is None or follows.minimum < 1):
            raise ManifestError(f"{where}: output {output.name} follows {output.like}, which is no required input.")
    try:
        Draft202012Validator.check_schema(manifest.arguments)
    except SchemaError as error:
        raise ManifestError(f"{where}: the arguments are no JSON Schema: {error.message}.") from None
    properties = manifest.arguments["properties"]
    for name, spec in properties.items():
        wrong = best_match(Draft202012Validator(spec).iter_errors(spec["default"])) if "default" in spec else None
        if wrong is not None:
            raise ManifestError(f"{where}: the default of argument {name} does not fit: {wrong.message}.")
    for element in manifest.command:
        match = _PLACEHOLDER.fullmatch(element)
        if match is None and _PLACEHOLDER.search(element):
            raise ManifestError(f"{where}: in the command, {element!r} mixes a placeholder with text; give it its own element.")
        if match and match[1]:
            known = properties if match[1] == "arguments" else {one.name for one in manifest.inputs}
            if match[2] not in known:
                raise ManifestError(f"{where}: the command names {element}, which the manifest does not declare.")


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)]


def _sentence(error: ValidationError, properties: Mapping[str, Any]) -> str:
    name = str(error.absolute_path[0]) if error.absolute_path else ""
    title = properties.get(name, {}).get("title", name)
    rule: Any = error.validator_value
    given: Any = error.instance
    if error.validator == "additionalProperties":
        return "This tool has no argument " + ", ".join(sorted(set(given) - set(properties))) + "."
    if error.validator == "required":
        missing = [n for n in rule if n not in given]
        return "Fill in " + ", ".join(properties.get(n, {}).get("title", n) for n in missing) + "."
    if error.validator == "enum":
        return f"{title} must be one of {', '.join(map(str, rule))}."
    if error.validator in {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}:
        words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}
        return f"{title} must be {words[str(error.validator)]} {rule}."
    if error.validator == "type":
        words = {"boolean": "yes or no", "integer": "a whole number", "number": "a number", "string": "a text", "array": "a list"}
        return f"{title} must be {words.get(str(rule), str(rule))}."
    if not name:
        return "The arguments do not fit this tool."
    return f"{title} does not fit: it breaks the rule `{error.validator}` of this tool."


@functools.cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(Path(__file__).with_name("schema.json").read_text("utf-8")))
