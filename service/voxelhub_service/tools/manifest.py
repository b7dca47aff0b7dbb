"""Tool manifest, version 1 (schema.json): from the `tool.json` of a folder to a Manifest. The check is checking.py."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import rfc8785

from .arguments import ArgumentError, ManifestError
from .checking import check_manifest, folder_files
from .finding import Finding
from .model import Author, Benchmark, Input, Manifest, OutputSpec, Resources, Security, Termination

__all__ = [
    "ArgumentError", "Finding", "Input", "Manifest", "ManifestError", "OutputSpec", "Resources",
    "check_folder", "check_manifest", "load_manifest", "parse", "tool_digest",
]
MAX_MANIFEST = 256 * 1024  # bytes


def load_manifest(folder: Path, *, any_name: bool = False) -> Manifest:
    """The manifest of the tool in this folder, `tool.json`; raises ManifestError that says what to change.

    The folder is named as the tool, or as `name@version`; `any_name` is for a folder that somebody submitted.
    """
    raw, findings = read_manifest(folder)
    if findings:
        raise ManifestError(f"{folder.name}: {findings[0].text()}")
    manifest = parse(raw, folder)
    if not any_name and folder.name not in (manifest.name, f"{manifest.name}@{manifest.version}"):
        raise ManifestError(f"{folder.name}: tool.json names the tool {manifest.name}; folder and name must be the same.")
    return manifest


def read_manifest(folder: Path) -> tuple[Any, list[Finding]]:
    """The JSON of `tool.json`, and a finding where there is none to check."""
    path = folder / "tool.json"

    def wrong(sentence: str, fix: str) -> tuple[None, list[Finding]]:
        return None, [Finding("error", "tool.json", sentence, fix)]

    try:
        if path.stat().st_size > MAX_MANIFEST:
            return wrong(f"tool.json is larger than {MAX_MANIFEST // 1024} KiB.", "Keep data in files of its own.")
        return json.loads(path.read_text("utf-8")), []
    except FileNotFoundError:
        return wrong("tool.json is missing.", "Write one, or let `voxelhub tool new` write it.")
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        return wrong(f"tool.json is no JSON text ({error}).", "Correct it there.")


def check_folder(folder: Path) -> tuple[list[Finding], Manifest | None]:
    """All that is to be said about a tool's folder; a Manifest when nothing of it is an error."""
    raw, findings = read_manifest(folder)
    if not findings:
        findings = check_manifest(raw, folder)
    if any(one.level == "error" for one in findings):
        return findings, None
    return findings, build(raw, folder)


def parse(raw: Any, folder: Path) -> Manifest:
    """Raises ManifestError with the first thing that is wrong."""
    wrong = next((one for one in check_manifest(raw, folder) if one.level == "error"), None)
    if wrong is not None:
        raise ManifestError(f"{folder.name}: {wrong.text()}")
    return build(raw, folder)


def build(raw: Mapping[str, Any], folder: Path) -> Manifest:
    """From a manifest without errors."""
    return Manifest(
        name=raw["name"], version=raw["version"], title=raw["title"], description=raw["description"],
        keywords=tuple(raw.get("keywords", [])),
        inputs=tuple(_input(one) for one in raw["inputs"]),
        arguments=_arguments(raw.get("arguments", {}), folder),
        outputs=tuple(_output(one) for one in raw["outputs"]),
        resources=_resources(raw["resources"]),
        environment=raw["environment"], network=raw.get("network", False), command=tuple(raw.get("command", [])),
        folder=folder, digest=tool_digest(raw, folder),
        combinations=tuple(frozenset(one) for one in raw.get("combinations", [])),
        interface=raw.get("interface", "arguments"), notebook=raw.get("notebook", ""), lock=raw.get("lock", ""),
        licence=raw.get("licence", ""), citation=raw.get("citation", ""), homepage=raw.get("homepage", ""),
        authors=tuple(Author(**one) for one in raw.get("authors", [])),
        security=Security(tuple(raw["security"]["reaches"]), raw["security"]["sends"]) if "security" in raw else None,
        account=raw.get("account", ""), termination=Termination(**raw.get("termination", {})),
        pre_start=tuple(tuple(one) for one in raw.get("hooks", {}).get("pre_start", [])),
        benchmark=_benchmark(raw["benchmark"]) if "benchmark" in raw else None,
    )


def _input(one: Mapping[str, Any]) -> Input:
    minimum = one.get("minimum", 1)
    accepts = tuple((pair["data_type"], pair["file_format"]) for pair in one["accepts"])
    return Input(one["name"], one["title"], one.get("description", ""), accepts, minimum, one.get("maximum", max(1, minimum)))


def _output(one: Mapping[str, Any]) -> OutputSpec:
    kind = one["data_type"]
    data_type, like = ("", kind["like"]) if isinstance(kind, dict) else (kind, "")
    return OutputSpec(one["name"], one["title"], data_type, like, one["file_format"], one["path"], one.get("required", True),
                      one.get("multiple", True), one.get("description", ""), dict(one.get("meta", {})))


def _resources(one: Mapping[str, Any]) -> Resources:
    whole = {name: int(one.get(name, default)) for name, default in (("memory", 0), ("time", 0), ("pids", 512), ("gpu", 0))}
    return Resources(one["cpu"], **whole, output_base=int(one["output"]["base"]),  # JSON may write 1e9
                     output_per_input_byte=one["output"]["per_input_byte"])


def _benchmark(one: Mapping[str, Any]) -> Benchmark:
    return Benchmark(one["task"], tuple(one["metrics"]), one["output"], one.get("reference", ""))


def _arguments(schema: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    properties = {}
    for name, spec in schema.get("properties", {}).items():
        if "x-file" in spec:
            spec = {**spec, "enum": [path for path in folder_files(folder) if fnmatchcase(path, spec["x-file"])]}
        properties[name] = spec
    return {"type": "object", **schema, "properties": properties, "additionalProperties": False}


def tool_digest(raw: Any, folder: Path) -> str:
    """SHA-256 over the manifest's canonical JSON (RFC 8785) and each file of the tool's folder: what a run names as its tool."""
    total = hashlib.sha256(rfc8785.dumps(raw))
    for path in folder_files(folder):
        if path != "tool.json":
            total.update(f"\0{path}\0".encode() + hashlib.sha256((folder / path).read_bytes()).digest())
    return total.hexdigest()
