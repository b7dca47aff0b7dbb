"""Fragments as folders of bare pixels under opaque names, and results put back in their places.

What a node is sent: one folder, named by a token, with files NAME.png of pixels alone, written in keyed order, all of one time.
What stays on the trusted side: the key, and the encrypted manifest. What was sent is checked by digest; what a node *computed*
cannot be: a result is taken if it is there once, for each patch, and fits.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import png
from .dummies import Dummy, dummies_for, turned
from .errors import PlannerError
from .grid import Cells, Labels
from .manifest import Manifest, decode, encode, opened, sealed
from .opaque import new_key, opaque_ids, random_ids, read_key, write_key

__all__ = [
    "Manifest", "Opened", "check_fragments", "decode", "encode", "joined_mask", "new_key", "opaque_ids", "open_fragments",
    "open_manifest", "open_results", "random_ids", "read_key", "read_results", "seal", "write_key",
]
TIME = 315532800  # of every file and folder: 1980-01-01, the first that a ZIP archive can hold
RESULTS = "voxelhub-results/1"


class Patches(Protocol):
    """Any number of patches, read one by one: height × width × 3 of 8 bits, all of one size."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Opened:
    """In the order in which the patches were sealed."""

    slide_id: str
    cells: Cells
    labels: Labels
    values: list[Any]


def seal(
    patches: Patches, cells: ArrayLike, labels: ArrayLike, key: bytes, slide_id: str, folder: Path, manifest: Path, *,
    trim: int = 0, names: str = "hmac", dummies: int | None = None, progress: Callable[[float], None] | None = None,
) -> Manifest:
    """`folder` gets a folder for each fragment, all or none; `manifest`, a file outside of it, is written before.

    `trim`: pixels cut off each side of a patch. `dummies`: patches that each fragment is filled up to, 0 for as many as the
    largest has (`dummies.py`); None: none. One patch is held in memory at a time.
    """
    table = encode(cells, labels, key, slide_id, names)
    if len(patches) != len(table.cells):
        raise PlannerError(f"There are {len(patches)} patches and {len(table.cells)} cells; there must be one for each.")
    if folder.exists():
        raise PlannerError(f"{folder.name} is there already; fragments are never overwritten. Choose another folder.")
    if manifest.exists():
        raise PlannerError(
            f"{manifest.name} is there already; a manifest is never overwritten. Choose another name, or remove it if its "
            "sealing was cut off and nothing was sent.")
    if manifest.resolve().is_relative_to(folder.resolve()):
        raise PlannerError("The manifest must not lie with the fragments: they go to the nodes, it stays here.")
    part = folder.with_name(folder.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        filling = []
        if dummies is not None:
            height, width = np.asarray(patches[0]).shape[:2]
            filling = dummies_for(table, key, dummies, names, height == width)
        table = _written(patches, table, filling, trim, part, progress or (lambda done: None))
        _replaced(manifest, sealed(table, key))
        part.rename(folder)
    except OSError as error:
        raise PlannerError(f"The fragments cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return table


def _written(
    patches: Patches, table: Manifest, filling: Sequence[Dummy], trim: int, part: Path, progress: Callable[[float], None],
) -> Manifest:
    """Fragment by fragment, patches and dummies in the order of their names."""
    digests, sent, size, done = [""] * len(table.cells), [], (0, 0), 0
    for label in sorted(range(len(table.fragments)), key=table.fragments.__getitem__):
        real: list[tuple[str, int, Dummy | None]] = [(table.names[index], index, None) for index in table.order(label)]
        listed = sorted(real + [(one.name, one.source, one) for one in filling if one.label == label], key=lambda one: one[0])
        if not listed:
            continue
        home = part / table.fragments[label]
        home.mkdir(parents=True)
        for name, index, dummy in listed:
            pixels = np.asarray(patches[index])
            size = size if any(size) else _size(pixels, trim)
            if pixels.shape[:2] != size:
                raise PlannerError(f"Patch {index} is {pixels.shape[:2]}, the first {size}; all must be of one size.")
            inner = pixels[trim:size[0] - trim, trim:size[1] - trim]
            content = png.encoded(inner if dummy is None else turned(inner, dummy.turn))
            digest = hashlib.sha256(content).hexdigest()
            if dummy is None:
                digests[index] = digest
            else:
                sent.append((label, name, digest))
            file = home / f"{name}.png"
            file.write_bytes(content)
            os.utime(file, (TIME, TIME))
            done += 1
            progress(done / (len(digests) + len(filling)))
        os.utime(home, (TIME, TIME))
    os.utime(part, (TIME, TIME))
    return replace(table, size=size, trim=trim, digests=tuple(digests), dummies=tuple(sent))


def _size(pixels: NDArray[Any], trim: int) -> tuple[int, int]:
    if isinstance(trim, bool) or not isinstance(trim, int) or trim < 0 or 2 * trim >= min(pixels.shape[:2]):
        raise PlannerError(f"`trim` is a whole number of pixels, 0 or more, that leaves something of a patch; this is {trim!r}.")
    return int(pixels.shape[0]), int(pixels.shape[1])


def _replaced(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def open_manifest(path: Path, key: bytes) -> Manifest:
    try:
        return opened(path.read_bytes(), key, path.name)
    except OSError as error:
        raise PlannerError(f"The manifest {path.name} cannot be read: {error.strerror or error}.") from error


def open_fragments(folder: Path, manifest: Manifest) -> Opened:
    """The patches as they were sealed (with `trim`, without their borders), dummies left out; anything added, missing or
    altered is refused."""
    values: list[Any] = [None] * len(manifest.cells)
    for index, content in _verified(folder, manifest):
        if index is not None:
            values[index] = png.decoded(content)
    return Opened(manifest.slide_id, manifest.cells, manifest.labels, values)


def check_fragments(folder: Path, manifest: Manifest) -> int:
    """How many files there are, each as it was sealed and none more or less; PlannerError otherwise. One is read at a time."""
    return sum(1 for _ in _verified(folder, manifest))


def _verified(folder: Path, manifest: Manifest) -> Iterator[tuple[int | None, bytes]]:
    """Each file's patch, None for a dummy, and its content."""
    sent = {manifest.fragments[label] for label in np.unique(manifest.labels).tolist()}
    _same(sent, {entry.name for entry in _listed(folder)}, "Fragment", "in the folder", "with this manifest")
    for label, name in enumerate(manifest.fragments):
        if name in sent:
            home, order, filling = folder / name, manifest.order(label), manifest.filling(label)
            expected = {f"{one}.png" for one in (*filling, *(manifest.names[index] for index in order))}
            _same(expected, {entry.name for entry in _listed(home)}, f"Fragment {name}: patch", "in it", "in its place here")
            for index in order:
                yield index, _content(home / f"{manifest.names[index]}.png", manifest.digests[index], name)
            for dummy, digest in filling.items():
                yield None, _content(home / f"{dummy}.png", digest, name)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise PlannerError(f"Fragment {folder.name} cannot be read: {error.strerror or error}.") from error


def _content(file: Path, digest: str, fragment: str) -> bytes:
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise PlannerError(f"Fragment {fragment}: patch {file.stem} was altered after it was sealed. Take an unaltered copy.")
    return content


def _same(expected: set[str], found: set[str], what: str, missing: str, foreign: str) -> None:
    if lost := sorted(expected - found):
        more = f" ({len(lost)} are missing)" if len(lost) > 1 else ""
        raise PlannerError(f"{what} {lost[0]} is not {missing}{more}. Nothing was opened; bring it and open again.")
    if other := sorted(found - expected):
        raise PlannerError(f"{what} {other[0]} was not sealed {foreign}. Nothing was opened; take it away and open again.")


def open_results(results: Iterable[tuple[str, Mapping[str, Any]]], manifest: Manifest) -> Opened:
    """`results`: for each fragment its name and, by patch name, what was found for it. Each exactly once, or all is refused."""
    values: list[Any] = [None] * len(manifest.cells)
    labels = {manifest.fragments[label]: label for label in np.unique(manifest.labels).tolist()}
    seen: set[str] = set()
    for fragment, found in results:
        if fragment not in labels:
            raise PlannerError(f"Fragment {fragment} is none of this manifest. Nothing was opened; take it away and open again.")
        if fragment in seen:
            raise PlannerError(f"Fragment {fragment} came back twice. Nothing was opened; give the one that counts.")
        seen.add(fragment)
        order = manifest.order(labels[fragment])
        expected = {manifest.names[index] for index in order} | set(manifest.filling(labels[fragment]))
        _same(expected, set(found), f"Fragment {fragment}: the result of patch", "in it", "in this fragment")
        for index in order:
            values[index] = found[manifest.names[index]]
    _same(set(labels), seen, "The result of fragment", "there", "with this manifest")
    return Opened(manifest.slide_id, manifest.cells, manifest.labels, values)


def read_results(path: Path) -> tuple[str, Mapping[str, Any]]:
    """A node's answer: a JSON file (`voxelhub-results/1`: `fragment`, `results` by patch name), or a folder FRAGMENT with a mask
    NAME.npy for each patch."""
    if path.is_dir():
        return path.name, {file.stem: _mask(file) for file in _listed(path)}
    try:
        content = json.loads(path.read_text("utf-8"), object_pairs_hook=lambda pairs: _once(pairs, path.name))
    except PlannerError:
        raise
    except (OSError, ValueError) as error:
        raise PlannerError(f"The result {path.name} cannot be read as JSON.") from error
    if not isinstance(content, dict) or content.get("format") != RESULTS or not isinstance(content.get("results"), dict):
        raise PlannerError(f"{path.name} must hold `format` ({RESULTS!r}), `fragment` and `results` by patch name.")
    return str(content.get("fragment")), content["results"]


def _once(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for n, (key, _) in enumerate(pairs) if key in {other for other, _ in pairs[:n]})
        raise PlannerError(f"{name} holds {twice} twice. Nothing was opened; ask for the result again.")
    return found


def _mask(file: Path) -> NDArray[Any]:
    try:
        if file.suffix != ".npy":
            raise ValueError(file.suffix)
        return np.asarray(np.load(file, allow_pickle=False))
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise PlannerError(f"Fragment {file.parent.name}: {file.name} is not a mask in NumPy's format (NAME.npy).") from error


def joined_mask(
    masks: Sequence[NDArray[Any]], manifest: Manifest, fill: float = 0, out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """One image over the box around all patches. `fill`: where there was no patch, and borders that `trim` cut off.

    `out`: an array to write into, for instance np.memmap, where the image is too large for memory.
    """
    (height, width), trim = manifest.size, manifest.trim
    inner = (height - 2 * trim, width - 2 * trim)
    kind = masks[0].dtype
    for name, mask in zip(manifest.names, masks, strict=True):
        if mask.shape != inner or mask.dtype != kind:
            raise PlannerError(f"The mask of patch {name} is {mask.shape} of {mask.dtype}; it must be {inner} of {kind}.")
    places = manifest.cells - manifest.cells.min(axis=0)
    shape = ((int(places[:, 1].max()) + 1) * height, (int(places[:, 0].max()) + 1) * width)
    whole = np.full(shape, fill, kind) if out is None else out
    if whole.shape != shape or whole.dtype != kind:
        raise PlannerError(f"`out` must be {shape} of {kind}.")
    if out is not None:
        whole[...] = fill
    for (x, y), mask in zip(places.tolist(), masks, strict=True):
        top, left = y * height + trim, x * width + trim
        whole[top:top + inner[0], left:left + inner[1]] = mask
    return whole
