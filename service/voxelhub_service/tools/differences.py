"""What a version of a tool holds that an earlier one did not: files, and the lines of texts as `diff -u` shows them."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping

from ..wire_tools import ToolFileOut
from .scanning import text_of

MOST = 200_000  # characters of the whole
LINES = 3000  # of one text; comparing takes time with their square
LINE = 2000  # characters of one line that are shown


def changed_files(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[ToolFileOut]:
    """Every file of both, by path; of one that was removed, size and digest are those it had."""
    found = []
    for path in sorted({*before, *after}):
        data = after.get(path, before.get(path, b""))
        if path not in before:
            change = "added"
        elif path not in after:
            change = "removed"
        else:
            change = "unchanged" if before[path] == after[path] else "changed"
        found.append(ToolFileOut(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest(), change=change))  # type: ignore[arg-type]
    return found


def unified(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> str:
    """Of the texts that differ; a file that is no text has one line. Cut at MOST characters, which it says."""
    parts: list[str] = []
    left = MOST
    for path in sorted({*before, *after}):
        if before.get(path) == after.get(path):
            continue
        for line in _of_file(path, before.get(path), after.get(path)):
            if len(line) + 1 > left:
                return "".join([*parts, "… cut here; the archive holds the rest.\n"])
            left -= len(line) + 1
            parts.append(f"{line}\n")
    return "".join(parts)


def _of_file(path: str, before: bytes | None, after: bytes | None) -> Iterator[str]:
    old, new = ("" if data is None else text_of(data) for data in (before, after))
    heads = (f"a/{path}" if before is not None else "/dev/null", f"b/{path}" if after is not None else "/dev/null")
    if old is None or new is None:
        yield f"Binary files {heads[0]} and {heads[1]} differ"
        return
    old_lines, new_lines = ([line[:LINE] for line in text.split("\n")] if text else [] for text in (old, new))
    if old_lines and new_lines and max(len(old_lines), len(new_lines)) > LINES:
        yield f"Texts {heads[0]} and {heads[1]} differ; they are too long to compare here"
        return
    yield from difflib.unified_diff(old_lines, new_lines, *heads, lineterm="")
