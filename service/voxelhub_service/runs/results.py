"""Which of the files that a tool wrote are its outputs. Links are never followed and never published."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..tools.handover import OURS


class ResultError(Exception):
    """A sentence for the user: why there is nothing to publish."""


@dataclass(frozen=True)
class Result:
    """A file below the output folder with the output that it belongs to."""

    path: str
    data_type: str
    file_format: str
    output: str = ""


def find_results(folder: Path, outputs: Sequence[dict[str, Any]]) -> list[Result]:
    """The first output whose glob fits takes a file. Raises ResultError when a required output has none."""
    found: list[Result] = []
    counts = dict.fromkeys((one["name"] for one in outputs), 0)
    for path in sorted(_files(folder)):
        for one in outputs:
            if matches(path, one["path"]):
                found.append(Result(path, one["data_type"], one["file_format"], one["name"]))
                counts[one["name"]] += 1
                break
    missing = [one["title"] for one in outputs if one["required"] and not counts[one["name"]]]
    if missing:
        titles = " and ".join(f"“{title}”" for title in missing)
        raise ResultError(f"The tool ended without writing {titles}; its log may say why.")
    for one in outputs:
        if not one.get("multiple", True) and counts[one["name"]] > 1:
            raise ResultError(f"The tool wrote {counts[one['name']]} files as “{one['title']}”, which is one file.")
    if not found:
        raise ResultError("The tool ended without writing any output; its log may say why.")
    return found


def link_results(source: Path, target: Path, results: Sequence[Result]) -> None:
    """The outputs as hard links in a new folder, for the publisher to take."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for one in results:
        destination = target / one.path
        destination.parent.mkdir(parents=True, exist_ok=True)
        os.link(source / one.path, destination, follow_symlinks=False)


def matches(path: str, pattern: str) -> bool:
    """`*` stays within a folder, `**` stands for any number of folders."""
    return _fits(path.split("/"), pattern.split("/"))


def _fits(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[i:], pattern[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _files(folder: Path) -> Iterator[str]:
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                mode = entry.stat(follow_symlinks=False).st_mode
                path = f"{below}/{entry.name}".lstrip("/")
                if not path.isprintable():  # bytes that are no UTF-8 arrive as lone surrogates, which are not printable
                    raise ResultError("The tool wrote a file whose name no catalogue can keep; its developer must change that.")
                if path == OURS:
                    continue
                if stat.S_ISDIR(mode):
                    pending.append(path)
                elif stat.S_ISREG(mode):
                    yield path
