"""Which files a program wrote, to which output each belongs, and what is said about them in out_metadata.json."""

from __future__ import annotations

import hashlib
import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .handover import Handover, HandoverError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Described = dict[str, dict[str, Any]]  # path below the outputs -> what the program said about it
OURS = ".voxelhub"  # folder below the outputs that is never a result


def out_metadata(handover: Handover, outputs: Sequence[dict[str, Any]], said: Described, digests: bool) -> dict[str, Any]:
    """`outputs` are the manifest's. `digests`: with sha256, which reads every file once."""
    root = handover.output.path
    found: list[dict[str, Any]] = []
    rest = dict(said)
    for path in sorted(files_below(root)):
        one = next((spec for spec in outputs if matches(path, spec["path"])), None)
        if one is None or not path.isprintable():  # the platform refuses such a name, with its own sentence
            continue
        words = rest.pop(path, {})
        entry: dict[str, Any] = {
            "name": one["name"], "file_path": str(root / path), "data_type": _data_type(one, handover),
            "file_type": one["file_format"], "compressed": 0, "sources": words.get("sources", handover.ids()),
            "meta_data": {**one.get("meta", {}), **words.get("meta_data", {})},
        }
        if digests:
            entry["sha256"] = sha256(root / path)
        found.append(entry)
    if rest:
        raise HandoverError(f"out_metadata.json describes {sorted(rest)[0]}, which is none of the outputs.")
    return {"output_files": found}


def said_by_program(raw: Any, handover: Handover) -> Described:
    """From the out_metadata that a program wrote itself: a list, or an object with output_files."""
    entries = raw.get("output_files", []) if isinstance(raw, dict) else raw
    root = handover.output.path
    ids = {one.id for many in handover.inputs.values() for one in many}
    by_path = {str(one.path): one.id for many in handover.inputs.values() for one in many}
    found: Described = {}
    try:
        for one in entries:
            path = os.path.relpath(root / one["file_path"], root)
            words: dict[str, Any] = {"meta_data": dict(one.get("meta_data") or {})}
            if "sources" in one:
                words["sources"] = [_source(str(source), ids, by_path) for source in one["sources"]]
            found[path] = words
    except (TypeError, KeyError, ValueError, AttributeError):
        raise HandoverError("out_metadata.json must hold output_files, each with a file_path.") from None
    return found


def _source(source: str, ids: Any, by_path: dict[str, str]) -> str:
    if source in ids:
        return source
    if source in by_path:
        return by_path[source]
    raise HandoverError("out_metadata.json names a source that is none of the inputs.")


def _data_type(spec: dict[str, Any], handover: Handover) -> str:
    kind = spec["data_type"]
    if not isinstance(kind, dict):
        return str(kind)
    given = handover.inputs[kind["like"]]
    return given[0].data_type if given else ""


def files_below(root: Path) -> Iterator[str]:
    """Plain files, by their path below `root`; links are never followed."""
    for below, folders, names in os.walk(str(root)):
        folders[:] = [one for one in folders if Path(below, one) != root / OURS]
        for name in names:
            path = Path(below, name)
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(root).as_posix()


def matches(path: str, pattern: str) -> bool:
    """`*` stays within a folder, `**` stands for any number of folders."""
    return _fits(tuple(path.split("/")), tuple(pattern.split("/")))


def _fits(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[i:], pattern[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def sha256(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest()
