"""Which relative paths a dataset may hold, and the folder names of datasets. Letters of every script are welcome."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

COMPONENT_BYTES, PATH_BYTES = 255, 3000  # what every Linux file system and PATH_MAX leave us


def refusal(path: str) -> str | None:
    """Why this relative path cannot be a file of a dataset, as a sentence; None when it can. Does not echo the path."""
    try:
        raw = path.encode()
    except UnicodeEncodeError:
        return "A file name is no valid Unicode text."
    if not path or path.startswith("/") or re.match(r"[A-Za-z]:[\\/]", path):
        return "A file name is absolute; names are relative to the dataset."
    if any(unicodedata.category(c) == "Cc" for c in path):
        return "A file name holds a control character."
    parts = path.split("/")
    if ".." in parts or "." in parts or "" in parts:
        return "A file name holds an empty, “.” or “..” part, which could lead out of the dataset."
    if len(raw) > PATH_BYTES:
        return f"A file name with its folders is longer than {PATH_BYTES} bytes."
    if any(len(part.encode()) > COMPONENT_BYTES for part in parts):
        return f"A file or folder name is longer than {COMPONENT_BYTES} bytes."
    return None


def first_refusal(paths: Iterable[str]) -> str | None:
    """The same for all files of one dataset: they must also be different to the eye, and none may be a folder of another."""
    seen: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        if reason := refusal(path):
            return reason
        normal = unicodedata.normalize("NFC", path)
        if normal in seen:
            return "Two files have the same name."
        seen.add(normal)
        parts = normal.split("/")
        folders.update("/".join(parts[:i]) for i in range(1, len(parts)))
    return "A file has the same name as a folder." if seen & folders else None


def printable(name: str) -> str:
    """A file's name as it may stand in a sentence: no control or direction characters, at most 80 characters."""
    text = "".join(
        c if c.isprintable() and unicodedata.category(c) not in {"Cf", "Co", "Cs"} else "\N{REPLACEMENT CHARACTER}" for c in name
    )
    return text if len(text) <= 80 else f"{text[:40]}…{text[-38:]}"


def fold(name: str) -> str:
    """For sorting and searching without case."""
    return unicodedata.normalize("NFKC", name).casefold()


def slug(title: str) -> str:
    """A folder name from a title: letters and digits of any script, joined by hyphens, at most 60 bytes; never empty."""
    text = re.sub(r"[^\w.]+", "-", unicodedata.normalize("NFC", title).lower()).strip("-._")
    while len(text.encode()) > 60:
        text = text[:-1]
    return text.strip("-._") or "dataset"


def free_slug(title: str, taken: set[str]) -> str:
    base, number = slug(title), 1
    name = base
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name
