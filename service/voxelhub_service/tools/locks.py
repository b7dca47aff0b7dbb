"""The lock of a tool: which wheels its environment is made from, each with its hash and from nowhere in particular.

Form: requirements of pip, `name==version` with one or more `--hash=sha256:…`, as `uv pip compile --generate-hashes` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .finding import Finding, error

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[A-Za-z0-9._, -]*\])?==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
                  r"(?P<marker>\s*;[^#]*?)?(?P<hashes>(?:\s+--hash=sha256:[0-9a-f]{64})+)\s*")
_LOOSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?\s*([=<>~!;]|$|--hash)")
MAX_PINS = 500
FIX = "Make it with `uv pip compile --generate-hashes`, without an index in it."


@dataclass(frozen=True)
class Pin:
    name: str
    version: str


def read_lock(path: str, text: str) -> tuple[list[Pin], list[Finding]]:
    """What it pins, and what is wrong with it; `path` is its place in the tool's folder."""
    pins: list[Pin] = []
    found: list[Finding] = []
    for line, written in _logical(text):
        match = _PIN.fullmatch(written)
        if match is not None:
            pins.append(Pin(match["name"], match["version"]))
        elif written.startswith("-") or "://" in written or " @ " in written:
            sentence = f"Line {line} of `{path}` is an option or an address; a lock names packages only."
            found.append(error(f"{path}:{line}", sentence, FIX))
        elif _LOOSE.match(written):
            found.append(error(f"{path}:{line}", f"Line {line} of `{path}` pins no version by its SHA-256.", FIX))
        else:
            found.append(error(f"{path}:{line}", f"Line {line} of `{path}` is no pinned package.", FIX))
    if not pins and not found:
        found.append(error(path, f"`{path}` pins nothing.", FIX))
    if len(pins) > MAX_PINS:
        found.append(error(path, f"`{path}` pins {len(pins)} packages; at most {MAX_PINS} are allowed.", "Depend on less."))
    return pins, found[:20]


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines as pip reads them: continued by a backslash, without comments; each with the number of its first."""
    begun, parts = 0, []
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", line).rstrip()
        begun = begun or number
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        parts.append(line)
        if joined := " ".join(parts).strip():
            yield begun, joined
        begun, parts = 0, []
    if joined := " ".join(parts).strip():
        yield begun, joined
