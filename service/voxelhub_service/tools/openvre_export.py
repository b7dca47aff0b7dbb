"""A manifest of ours as the tool JSON of openVRE, with findings for what its schema cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .finding import Finding, warning
from .openvre import GIB, MOST_OPTIONAL, ordinary

UNSAID = {  # field -> what of it is lost
    "licence": "the licence", "lock": "the lock of the environment", "security": "what a tool with network reaches",
    "account": "the account", "termination": "how a run ends", "hooks": "steps before the start", "benchmark": "the benchmark",
}
LIMITS = ("minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern")


def to_openvre(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """From a manifest without errors."""
    lost = [warning(name, f"`{name}`: openVRE's tool JSON has no place for {what}.", "It is left out there.")
            for name, what in UNSAID.items() if name in raw]
    if raw.get("interface", "arguments") != "files":
        lost.append(warning("interface", "`interface`: openVRE starts only programs that answer its command line.",
                            "Start it there through the adapter, `python -m voxelhub_tool`."))
    authors = raw.get("authors", [])
    owner = {"author": authors[0]["name"], "institution": authors[0].get("affiliation", "")} if authors else {}
    resources = raw["resources"]
    done: dict[str, Any] = {
        "_id": raw["name"], "name": raw["title"], "title": raw["title"], "version": raw["version"],
        "short_description": raw["description"], "url": raw.get("homepage", ""), "publication": raw.get("citation", ""),
        "owner": owner, "external": True, "status": 0, "has_custom_viewer": False, "keywords": list(raw.get("keywords", [])),
        "infrastructure": {"cpus": resources["cpu"], "memory": resources["memory"] / GIB, "wallTime": resources["time"] / 60,
                           "executable": raw["command"][-1].removeprefix("./") if raw.get("command") else "", "clouds": {}},
        "input_files": [_input(one, lost) for one in raw["inputs"]], "input_files_public_dir": [],
        "input_files_combinations": _combinations(raw, lost),
        "arguments": [_argument(name, spec, raw, lost) for name, spec in raw.get("arguments", {}).get("properties", {}).items()],
        "output_files": [_output(one, raw, lost) for one in raw["outputs"]],
    }
    return done, lost


def _input(one: Mapping[str, Any], lost: list[Finding]) -> dict[str, Any]:
    pairs = [(pair["data_type"], pair["file_format"]) for pair in one["accepts"]]
    types, formats = list(dict.fromkeys(t for t, _ in pairs)), list(dict.fromkeys(f for _, f in pairs))
    if len(set(pairs)) != len(types) * len(formats):
        lost.append(warning("inputs", f"`inputs`: {one['name']} takes some of its data types in some of its formats only.",
                            "There it takes each type in each format."))
    return {
        "name": one["name"], "description": one["title"], "help": one.get("description", ""),
        "data_type": [_word(t) for t in types], "file_type": [f.upper() for f in formats],
        "required": one.get("minimum", 1) > 0, "allow_multiple": one.get("maximum", max(1, one.get("minimum", 1))) > 1}


def _combinations(raw: Mapping[str, Any], lost: list[Finding]) -> list[dict[str, Any]]:
    found = [list(one) for one in raw.get("combinations", [])]
    if not found:
        required = {one["name"] for one in raw["inputs"] if one.get("minimum", 1) > 0}
        optional = {one["name"] for one in raw["inputs"]} - required
        if len(optional) > MOST_OPTIONAL:
            lost.append(warning("inputs", "`inputs`: so many may be left out that not all combinations are written.",
                                "There, some of them cannot be given together."))
        found = sorted(sorted(one) for one in ordinary(required, optional))
    return [{"description": raw["title"], "input_files": one} for one in found]


def _argument(name: str, spec: Mapping[str, Any], raw: Mapping[str, Any], lost: list[Finding]) -> dict[str, Any]:
    several = spec.get("type") == "array"
    inner = spec.get("items", {}) if several else spec
    values = inner.get("enum")
    hidden = bool(spec.get("x-hidden"))
    kind = "hidden" if hidden else "enum" if values and inner.get("type", "string") == "string" else inner.get("type", "string")
    done: dict[str, Any] = {
        "name": name, "description": spec["title"], "help": spec.get("description", ""), "type": kind, "allow_multiple": several,
        "required": name in raw.get("arguments", {}).get("required", [])}
    if values:
        done["enum_items"] = {"name": list(values), "description": list(spec.get("x-titles", map(str, values)))}
    if "default" in spec:
        done["value" if hidden else "default"] = spec["default"]
    for limit in LIMITS:
        if limit in inner:
            done[limit] = inner[limit]
    for limit in ("minimum", "maximum"):
        if (exclusive := inner.get(f"exclusive{limit.title()}")) is not None:
            done |= {limit: exclusive, f"exclusive{limit.title()}": True}
    gone = [key for key in ("x-unit", "x-file", "minItems", "maxItems", "uniqueItems") if key in spec]
    gone += [key for key in ("minimum", "maximum") if key in inner and f"exclusive{key.title()}" in inner]
    if hidden and inner.get("type", "string") != "string":
        gone.append("type")
    if gone:
        where = f"arguments.properties.{name}"
        lost.append(warning(where, f"`{where}`: {', '.join(gone)} cannot be said there.", "It is left out there."))
    return done


def _output(one: Mapping[str, Any], raw: Mapping[str, Any], lost: list[Finding]) -> dict[str, Any]:
    kind = one["data_type"]
    if isinstance(kind, dict):
        lost.append(warning("outputs", f"`outputs`: {one['name']} has the data type of an input, which cannot be said there.",
                            "It is called a file there."))
        kind = "file"
    said = {"description": one.get("description") or one["title"], "tool": raw["name"], "visible": True}
    return {
        "name": one["name"], "required": one.get("required", True), "allow_multiple": one.get("multiple", True),
        "file": {"file_path": one["path"], "file_type": one["file_format"].upper(), "data_type": _word(kind),
                 "compressed": "null", "meta_data": {**one.get("meta", {}), **said}}}


def _word(term: str) -> str:
    return term.replace("-", "_")
