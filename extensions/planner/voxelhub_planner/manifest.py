"""The table that turns opaque names back into places. It leaves the trusted side only encrypted, if at all.

File: a first line in clear (format, nonce, a check of the key), then AES-256-GCM over the packed table, the first line
authenticated with it. Nothing in clear depends on the slide.
"""

from __future__ import annotations

import hmac
import json
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .errors import PlannerError
from .grid import Cells, Labels, as_cells
from .opaque import NAMES, fragment_ids, opaque_ids, random_ids, subkey

FORMAT = "voxelhub-manifest/1"


@dataclass(frozen=True)
class Manifest:
    """Patches in the order in which they were given."""

    slide_id: str
    cells: Cells
    labels: Labels
    names: tuple[str, ...]  # of the patches
    fragments: tuple[str, ...]  # names of the fragments, by label
    size: tuple[int, int] = (0, 0)  # height and width of a patch before its border was cut off; 0, 0: no pixels were sealed
    trim: int = 0  # pixels cut off each side
    digests: tuple[str, ...] = ()  # SHA-256 of each patch's file
    dummies: tuple[tuple[int, str, str], ...] = ()  # fragment, name and SHA-256 of what only fills up
    places: dict[str, int] = field(default_factory=dict, repr=False)  # name → index

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {name: index for index, name in enumerate(self.names)})

    def order(self, label: int) -> list[int]:
        """Indices of a fragment's patches in keyed order: by name."""
        return sorted(np.flatnonzero(self.labels == label).tolist(), key=self.names.__getitem__)

    def filling(self, label: int) -> dict[str, str]:
        """Names and digests of a fragment's dummies."""
        return {name: digest for owner, name, digest in self.dummies if owner == label}


def encode(cells: ArrayLike, labels: ArrayLike, key: bytes, slide_id: str, names: str = "hmac") -> Manifest:
    """`names`: "hmac", repeatable from the key, or "random", known to the manifest alone."""
    known, fragments = as_cells(cells), np.asarray(labels)
    whole = np.issubdtype(fragments.dtype, np.integer)
    if fragments.shape != (len(known),) or not whole or not len(known) or fragments.min() < 0:
        raise PlannerError("`labels` must hold one fragment number, 0 or more, for each cell, and there must be a cell.")
    if names not in NAMES:
        raise PlannerError(f"`names` is one of {', '.join(NAMES)}; this is {names!r}.")
    hashed = opaque_ids(known, key, slide_id) if names == "hmac" else random_ids(len(known))
    count = int(fragments.max()) + 1
    parties = fragment_ids(count, key, slide_id) if names == "hmac" else random_ids(count)
    return Manifest(slide_id, known, fragments.astype(np.int32), tuple(hashed), tuple(parties))


def decode(manifest: Manifest, names: Sequence[str]) -> Cells:
    """The cells of these names, in their order."""
    for name in names:
        if name not in manifest.places:
            raise PlannerError(f"No patch of this manifest is called {name!r}.")
    return manifest.cells[[manifest.places[name] for name in names]]


def sealed(manifest: Manifest, key: bytes) -> bytes:
    table = {
        "slide_id": manifest.slide_id, "cells": manifest.cells.tolist(), "labels": manifest.labels.tolist(),
        "names": manifest.names, "fragments": manifest.fragments, "size": manifest.size, "trim": manifest.trim,
        "digests": manifest.digests, "dummies": manifest.dummies,
    }
    nonce = secrets.token_bytes(12)
    head = json.dumps({"format": FORMAT, "nonce": nonce.hex(), "key_check": _check(key, nonce)}).encode() + b"\n"
    packed = zlib.compress(json.dumps(table, separators=(",", ":")).encode(), 1)
    return head + bytes(_cipher()(subkey(key, "manifest")).encrypt(nonce, packed, head))


def opened(content: bytes, key: bytes, name: str = "The manifest") -> Manifest:
    head, newline, body = content.partition(b"\n")
    try:
        found = json.loads(head)
        nonce, check = bytes.fromhex(found["nonce"]), str(found["key_check"])
        if found["format"] != FORMAT or len(nonce) != 12:
            raise ValueError(found["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise PlannerError(f"{name} is not a manifest of this planner ({FORMAT}).") from error
    if not hmac.compare_digest(check, _check(key, nonce)):
        raise PlannerError(f"{name} was sealed with another key, or its first line was altered. Give the key it was sealed with.")
    from cryptography.exceptions import InvalidTag

    try:
        packed = _cipher()(subkey(key, "manifest")).decrypt(nonce, body, head + newline)
    except InvalidTag as error:
        raise PlannerError(f"{name} was altered after it was sealed, or is not whole. Take an unaltered copy.") from error
    return _manifest(json.loads(zlib.decompress(packed)))


def _manifest(table: dict[str, Any]) -> Manifest:
    return Manifest(
        table["slide_id"], np.array(table["cells"], np.int64).reshape(-1, 2), np.array(table["labels"], np.int32),
        tuple(table["names"]), tuple(table["fragments"]), tuple(table["size"]), table["trim"], tuple(table["digests"]),
        tuple((label, name, digest) for label, name, digest in table.get("dummies", ())))


def _check(key: bytes, nonce: bytes) -> str:
    return hmac.digest(subkey(key, "key check"), nonce, "sha256")[:8].hex()


def _cipher() -> type[Any]:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise PlannerError("Sealing needs the package `cryptography`: pip install voxelhub[planner-slides].") from error
    return AESGCM
