"""The manifest of a version: a text that `sha256sum -c` checks. Its digest is the version's identity."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bytes:
    size: int
    sha256: str


def render(files: Mapping[str, Bytes]) -> bytes:
    """Lines sorted by path, escaped as GNU coreutils does: a backslash before the digest of an escaped name."""
    return b"".join(_line(path, files[path].sha256) for path in sorted(files, key=os.fsencode))


def digest(listing: bytes) -> str:
    return hashlib.sha256(listing).hexdigest()


def write(path: Path, listing: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with part.open("wb") as file:
        file.write(listing)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(0o444)
    part.rename(path)


def parse(listing: bytes) -> Iterator[tuple[str, str]]:
    """(path, digest) of each line; ValueError for a line that is none."""
    for line in listing.split(b"\n")[:-1]:
        escaped = line.startswith(b"\\")
        sha256, gap, name = line[1 if escaped else 0:].partition(b"  ")
        if not gap or len(sha256) != 64:
            raise ValueError("not a manifest")
        if escaped:
            name = _unescape(name)
        yield os.fsdecode(name), sha256.decode()


def _line(path: str, sha256: str) -> bytes:
    name = os.fsencode(path)
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return (b"\\" if escaped != name else b"") + sha256.encode() + b"  " + escaped + b"\n"


def _unescape(name: bytes) -> bytes:
    out, i = bytearray(), 0
    while i < len(name):
        if name[i : i + 1] == b"\\":
            out += {b"n": b"\n", b"r": b"\r", b"\\": b"\\"}.get(name[i + 1 : i + 2], b"")
            i += 2
        else:
            out += name[i : i + 1]
            i += 1
    return bytes(out)
