"""Names that say nothing to those without the key, and the key itself, which stays on the trusted side.

A name is the first 128 bits of HMAC-SHA-256 over slide, column and row. Sorting by name is the keyed order: without the key it
tells nothing of places. The same key names the same patch alike, so that a provider could tell a slide that it is sent twice:
take a new key for each sealing, or random tokens, which repeat never.
"""

from __future__ import annotations

import hmac
import os
import secrets
import struct
from pathlib import Path

from numpy.typing import ArrayLike

from .errors import PlannerError
from .grid import as_cells

KEY_BYTES = 32
NAME_BYTES = 16
NAMES = ("hmac", "random")


def opaque_ids(cells: ArrayLike, key: bytes, slide_id: str) -> list[str]:
    """One name a cell, 32 hexadecimal digits, in the order of `cells`. Equal input, equal names."""
    known, own = as_cells(cells), subkey(key, "patch names")
    slide = _slide(slide_id)
    names = [hmac.digest(own, slide + struct.pack(">qq", x, y), "sha256")[:NAME_BYTES].hex() for x, y in known.tolist()]
    return _different(names)


def random_ids(count: int) -> list[str]:
    """Tokens that depend on nothing; only the manifest knows whose they are."""
    return _different([secrets.token_hex(NAME_BYTES) for _ in range(count)])


def fragment_ids(count: int, key: bytes, slide_id: str) -> list[str]:
    own, slide = subkey(key, "fragment names"), _slide(slide_id)
    return [hmac.digest(own, slide + struct.pack(">q", n), "sha256")[:NAME_BYTES].hex() for n in range(count)]


def subkey(key: bytes, purpose: str) -> bytes:
    """A key for one purpose alone (the extract step of RFC 5869, with the purpose as its input)."""
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        raise PlannerError(f"A key has {KEY_BYTES} bytes. Make one with `new_key()`.")
    return hmac.digest(key, b"voxelhub planner/1: " + purpose.encode(), "sha256")


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def write_key(path: Path, key: bytes) -> None:
    """For its owner's eyes alone; an existing file is kept."""
    subkey(key, "check")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(key.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise PlannerError(f"{path.name} is there already; a key is never overwritten. Choose another name.") from error
    except OSError as error:
        raise PlannerError(f"The key {path.name} cannot be written: {error.strerror or error}.") from error


def read_key(path: Path) -> bytes:
    try:
        found = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError as error:
        raise PlannerError(
            f"The key {path.name} is not there. Without it no result can be put back in its place; restore it from a backup, "
            "or split and seal the slide again.") from error
    except (OSError, ValueError) as error:
        raise PlannerError(f"{path.name} is not a key: it must hold {2 * KEY_BYTES} hexadecimal digits.") from error
    if len(found) != KEY_BYTES:
        raise PlannerError(f"{path.name} is not a key: it must hold {2 * KEY_BYTES} hexadecimal digits.")
    return found


def _slide(slide_id: str) -> bytes:
    if not isinstance(slide_id, str) or not slide_id:
        raise PlannerError("`slide_id` is a text, not empty.")
    name = slide_id.encode()
    return struct.pack(">q", len(name)) + name


def _different(names: list[str]) -> list[str]:
    if len(set(names)) != len(names):
        raise PlannerError("Two patches were given one name. Seal again with a new key.")
    return names
