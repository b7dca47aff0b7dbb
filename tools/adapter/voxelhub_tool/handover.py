"""The files between platform and tool, in the shapes of the openVRE tool API.

    config.json        {"input_files": [{"name", "value": id}], "arguments": [{"name", "value"}], "output_files": [...]}
    in_metadata.json   [{"_id", "file_path", "file_type", "data_type", "sources", "meta_data"}]
    out_metadata.json  {"output_files": [{"name", "file_path", "file_type", "data_type", "sources", "meta_data"}]}

Among the arguments are `execution` (the folder to write to), `project` and `description`, which are not the tool's own.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    _ByName = dict[str, list["Given"]]
else:
    _ByName = dict

PLATFORM = ("execution", "project", "description")  # arguments that the platform adds


class HandoverError(Exception):
    """A sentence: which of the files does not fit."""


class Given:
    """One input: a file, or the folder of a series. Works wherever a path does."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.id = str(described["_id"])
        self.path = Path(described["file_path"])
        self.data_type = str(described.get("data_type", ""))
        self.file_format = str(described.get("file_type", ""))
        self.meta: dict[str, Any] = dict(described.get("meta_data") or {})
        self.name = str(self.meta.get("name") or self.path.name)

    def files(self) -> list[Path]:
        """The file, or all below the folder, by path."""
        if not self.path.is_dir():
            return [self.path]
        return sorted(Path(below) / name for below, _, names in os.walk(str(self.path)) for name in names)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Given({str(self.path)!r})"


class Inputs(_ByName):
    """Input name -> what was given; an input that got nothing is an empty list."""

    def __missing__(self, name: str) -> list[Given]:
        return []


class Output:
    """The folder to write to. `output / "a.csv"` is a path in it; `describe` adds facts about a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.described: dict[str, dict[str, Any]] = {}

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def __fspath__(self) -> str:
        return str(self.path)

    def describe(self, name: str, sources: Sequence[Given] | None = None, **meta: Any) -> None:
        """Facts about the file `name` (texts, numbers, true or false), and the inputs that it was made from."""
        entry: dict[str, Any] = {"file_path": str(self.path / name), "meta_data": meta}
        if sources is not None:
            entry["sources"] = [one.id for one in sources]
        self.described[str(self.path / name)] = entry


class Handover:
    """What a run was given."""

    def __init__(self, config: dict[str, Any], in_metadata: list[dict[str, Any]]) -> None:
        every = _pairs(config, "arguments")
        self.platform = {name: value for name, value in every if name in PLATFORM}
        self.arguments = {name: value for name, value in every if name not in PLATFORM}
        if not self.platform.get("execution"):
            raise HandoverError("config.json does not say where to write: the argument execution is missing.")
        self.output = Output(Path(self.platform["execution"]))
        known = {str(one["_id"]): one for one in in_metadata}
        self.inputs = Inputs()
        for name, value in _pairs(config, "input_files"):
            for one in value if isinstance(value, list) else [value]:
                if str(one) not in known:
                    raise HandoverError(f"in_metadata.json does not describe the input {name}.")
                self.inputs.setdefault(name, []).append(Given(known[str(one)]))

    def ids(self) -> list[str]:
        """Of all inputs, each once, in their order."""
        return list(dict.fromkeys(one.id for many in self.inputs.values() for one in many))


def _pairs(config: dict[str, Any], kind: str) -> list[tuple[str, Any]]:
    try:
        return [(str(one["name"]), one.get("value")) for one in config.get(kind, [])]
    except (TypeError, KeyError, AttributeError):
        raise HandoverError(f"config.json: {kind} is not a list of names and values.") from None


def read_handover(config: str, in_metadata: str) -> Handover:
    described = read_json(in_metadata)
    settings = read_json(config)
    if not isinstance(settings, dict) or not isinstance(described, list):
        raise HandoverError("config.json must be an object and in_metadata.json a list.")
    try:
        return Handover(settings, described)
    except (TypeError, KeyError):
        raise HandoverError("in_metadata.json lacks an _id or a file_path.") from None


def read_json(path: str) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HandoverError(f"{Path(path).name} is missing.") from None
    except ValueError as wrong:
        raise HandoverError(f"{Path(path).name} is no JSON text ({wrong}).") from None


def write_json(path: str, content: Any) -> None:
    """Whole or not at all."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(target)


def options(description: str, *, manifest: bool) -> argparse.ArgumentParser:
    """The standard command line of every tool."""
    parser = argparse.ArgumentParser(description=description)
    if manifest:
        parser.add_argument("--manifest", required=True, help="tool.json of the tool")
    parser.add_argument("--config", required=True, help="arguments and ids of the inputs")
    parser.add_argument("--in_metadata", required=True, help="where the inputs lie and what they are")
    parser.add_argument("--out_metadata", required=True, help="is written: what the outputs are")
    parser.add_argument("--log_file", required=True, help="is written: what was done")
    return parser
