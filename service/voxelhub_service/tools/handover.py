"""What a run hands to its tool, and what it hears back: the adapter's command and its JSON files.

The shapes are those of the openVRE tool API (tools/adapter/voxelhub_tool/handover.py reads them). What comes back in
out_metadata.json was written where the tool may write: it is checked as an enemy's, and used only for facts about files
that the service found by itself.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from .checking import OWN_FACTS
from .model import Manifest

ADAPTER = "voxelhub_tool"
OURS = ".voxelhub"  # folder below the outputs: the adapter's, never a result
MAX_OUT_METADATA = 4 * 1024**2  # bytes
MAX_FACTS, MAX_TEXT = 30, 200  # of one file; characters of a text
Fact = str | int | float | bool


@dataclass(frozen=True)
class Handed:
    """One input as the tool sees it. `path` is the one inside."""

    input: str
    id: str
    path: str
    name: str
    data_type: str
    file_format: str
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Places:
    """Where things are for the program: inside the sandbox, or on this machine without one."""

    adapter: str
    tool: str
    run: str
    outputs: str

    def command(self) -> list[str]:
        """Starts the adapter by the Python of the tool's environment; it runs the program as the manifest says."""
        return [
            "python", "-m", ADAPTER, "--manifest", f"{self.tool}/tool.json", "--config", f"{self.run}/config.json",
            "--in_metadata", f"{self.run}/in_metadata.json", "--out_metadata", f"{self.outputs}/{OURS}/out_metadata.json",
            "--log_file", f"{self.outputs}/{OURS}/log.txt",
        ]


INSIDE = Places("/adapter", "/tool", "/run", "/outputs")


def adapter_folder() -> Path:
    """`tools/adapter` of the clone; an image lays it out in the same way."""
    return Path(os.path.realpath(__file__)).parents[3] / "tools" / "adapter"


def config(
    manifest: Manifest, handed: Sequence[Handed], arguments: Mapping[str, Any], *, output: str, project: str, title: str
) -> dict[str, Any]:
    by_name = {one.name: one for one in manifest.inputs}
    platform = {"execution": output, "project": project, "description": title}
    return {
        "input_files": [{"name": one.input, "value": one.id, "required": by_name[one.input].minimum > 0,
                         "allow_multiple": by_name[one.input].maximum > 1} for one in handed],
        "arguments": [{"name": name, "value": value} for name, value in {**platform, **arguments}.items()],
        "output_files": [
            {"name": one.name, "required": one.required, "allow_multiple": one.multiple,
             "file": {"file_path": f"{output}/{one.path}", "file_type": one.file_format,
                      "data_type": _output_type(one.data_type, one.like, handed), "compressed": 0,
                      "meta_data": {"description": one.description or one.title, "tool": manifest.name, "visible": True}
                      | one.meta}}
            for one in manifest.outputs
        ],
    }


def in_metadata(handed: Iterable[Handed]) -> list[dict[str, Any]]:
    unique = {one.id: one for one in handed}
    return [
        {"_id": one.id, "file_path": one.path, "file_type": one.file_format, "data_type": one.data_type, "compressed": 0,
         "sources": [], "meta_data": {"name": one.name, **one.meta}}
        for one in unique.values()
    ]


def _output_type(data_type: str, like: str, handed: Sequence[Handed]) -> str:
    return data_type or next((one.data_type for one in handed if one.input == like), "")


class ContradictionError(Exception):
    """A sentence for the tool's developer: out_metadata.json does not fit what was found."""


@dataclass(frozen=True)
class Facts:
    """Of one file: what the tool said about it, and the ids of the inputs it was made from."""

    meta: dict[str, Fact]
    sources: list[str]


def read_out_metadata(
    outputs: Path, root: str, found: Mapping[str, tuple[str, str, str]], inputs: Collection[str]
) -> dict[str, Facts]:
    """Facts by path below the outputs; {} where the tool wrote none. Raises ContradictionError.

    `root` is what the tool knew the output folder as; `found` are path -> (output, data type, file format) as the service
    found them; `inputs` the ids of the run's inputs. Nothing in the file names a path that is opened.
    """
    text = _read_plain(outputs)
    if text is None:
        return {}
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise ContradictionError("The tool's out_metadata.json is no JSON text; its developer must change that.") from None
    entries = raw.get("output_files") if isinstance(raw, dict) else None
    if not isinstance(entries, list):
        raise ContradictionError("The tool's out_metadata.json has no list output_files; its developer must change that.")
    facts: dict[str, Facts] = {}
    for one in entries:
        path, said = _entry(one, root, found, frozenset(inputs))
        if path in facts:
            raise _wrong("describes a file twice")
        facts[path] = said
    return facts


def _entry(one: Any, root: str, found: Mapping[str, tuple[str, str, str]], inputs: frozenset[str]) -> tuple[str, Facts]:
    if not isinstance(one, dict) or not isinstance(one.get("file_path"), str):
        raise _wrong("describes something without a file_path")
    path = _below(one["file_path"], root)
    if path not in found:
        raise _wrong("describes a file that is none of its outputs")
    for key, truth in zip(("name", "data_type", "file_type"), found[path], strict=True):
        if one.get(key, truth) != truth:
            raise _wrong(f"contradicts its manifest: the {key} of a file is another one there")
    sources = one.get("sources", [])
    if not isinstance(sources, list) or not all(isinstance(s, str) and s in inputs for s in sources):
        raise _wrong("names a source that is none of the inputs")
    return path, Facts(_facts(one.get("meta_data") or {}), list(dict.fromkeys(sources)))


def _facts(said: Any) -> dict[str, Fact]:
    if not isinstance(said, dict) or len(said) > MAX_FACTS:
        raise _wrong(f"says more than {MAX_FACTS} facts about a file, or none that are named")
    facts: dict[str, Fact] = {}
    for name, value in said.items():
        if not isinstance(name, str) or not name.isidentifier() or len(name) > 40:
            raise _wrong("gives a fact a name that is no name")
        if name in OWN_FACTS:
            raise _wrong(f"says {name}, which VoxelHub finds by itself")
        if isinstance(value, str) and (len(value) > MAX_TEXT or not value.isprintable()):
            raise _wrong(f"says {name} with more than {MAX_TEXT} characters, or with some that cannot be shown")
        if not isinstance(value, str | int | float) or (isinstance(value, int | float) and not _storable(value)):
            raise _wrong(f"says {name} as something else than a text, a number, true or false")
        facts[name] = value
    return facts


def _storable(value: int | float) -> bool:
    return isinstance(value, bool) or (math.isfinite(value) and abs(value) < 2**53)


def _below(path: str, root: str) -> str:
    """Relative to the outputs, and without an opinion about what lies there: it is only looked up."""
    pure = PurePosixPath(path)
    return str(pure.relative_to(root)) if pure.is_relative_to(root) else path


def _wrong(what: str) -> ContradictionError:
    return ContradictionError(f"The tool's out_metadata.json {what}; its developer must change that.")


def _read_plain(outputs: Path) -> bytes | None:
    """The file's bytes, by no link and from nothing but a plain file."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        folder = os.open(outputs / OURS, flags | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    except OSError:
        raise _wrong("lies behind a link") from None
    try:
        file = os.open("out_metadata.json", flags, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError:
        raise _wrong("is no plain file") from None
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise _wrong("is no plain file")
    with os.fdopen(file, "rb") as opened:
        text = opened.read(MAX_OUT_METADATA + 1)
    if len(text) > MAX_OUT_METADATA:
        raise _wrong(f"is larger than {MAX_OUT_METADATA // 1024**2} MiB")
    return text
