"""`voxelhub split | seal | open | attack`: from a slide to fragments that may leave, and from results back to the slide.

JSON in and out, and a table to read. Also `python -m voxelhub_planner split …`. Exit code: 0 done; 1 refused, with a sentence;
2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .attack import coordinate_attack, order_leak, pca_encoding
from .cli import write_json
from .dummies import EQUAL
from .errors import PlannerError
from .grid import as_cells
from .jigsaw import MOST, Found, jigsaw_selftest
from .leakage import leakage
from .manifest import encode
from .paper_metrics import paper_metrics
from .prices import read_json
from .sealing import (
    check_fragments,
    joined_mask,
    new_key,
    open_manifest,
    open_results,
    read_key,
    read_results,
    seal,
    write_key,
)
from .slides import Grid, Reader, SlidePatches, opened_slide, patch_grid
from .splitting import STRATEGIES, split

SPLIT = "voxelhub-split/1"
RESULT = "voxelhub-result/1"
READABLE = "A node's owner can read the pixels of what it is sent."


def main_split(arguments: Sequence[str] | None = None) -> int:
    """Cut a slide into fragments; says what each owner of a node would see."""
    parser = _parser("split", "Finds a slide's tissue, cuts it into patches and says which fragment each belongs to.")
    parser.add_argument("slide", type=Path)
    parser.add_argument("output", type=Path, help="the split to write (JSON); keep it on the trusted side: it holds the places")
    parser.add_argument("--id", help="the slide's id; else the file's name")
    parser.add_argument("--size", type=int, default=224, help="pixels of a patch's side (224)")
    parser.add_argument("--overlap", type=float, default=0.5, help="fraction of a patch that must be tissue (0.5)")
    parser.add_argument("--level", type=int, default=0)
    parser.add_argument("--strategy", choices=STRATEGIES, default="lattice5")
    parser.add_argument("--shares", type=float, nargs="+", metavar="F", help="of `quota`: fractions that sum to 1")
    parser.add_argument("--classes", type=int, default=5, help="fragments of `even` (5)")
    parser.add_argument("--seed", type=int, default=0)
    return _done(parser, arguments, _split)


def _split(wanted: argparse.Namespace) -> str:
    if (wanted.shares is None) == (wanted.strategy == "quota"):
        raise PlannerError("`--shares` belong to `--strategy quota`, which needs them.")
    with opened_slide(wanted.slide) as slide, Bar("looking for tissue") as bar:
        grid = patch_grid(slide, wanted.size, wanted.overlap, wanted.level, bar.show)
        pixels = [int(n) for n in slide.level_dimensions[grid.level]]
    labels = split(grid.cells, wanted.strategy, shares=wanted.shares, classes=wanted.classes, seed=wanted.seed)
    seen = leakage(grid.cells, labels)
    write_json(wanted.output, {
        "format": SPLIT, "id": wanted.id or wanted.slide.stem, "size": grid.size, "level": grid.level, "pixels": pixels,
        "strategy": wanted.strategy, "seed": wanted.seed, "cells": grid.cells.tolist(), "labels": labels.tolist(),
        "leakage": asdict(seen)})
    sizes = np.bincount(labels)
    return "\n".join([
        f"{len(labels)} of {grid.columns * grid.rows} patches are tissue, in {len(sizes)} fragments: "
        + ", ".join(map(str, sizes)),
        "", "What owners of nodes see who follow the rules but look (of all, less is better):",
        f"  one owner, of the patches                     {seen.largest_share:6.1%}",
        f"  one owner, of pairs that touch                {seen.colocated8:6.1%}",
        f"  the worst two together, of pairs that touch   {seen.worst_pair:6.1%}", "", READABLE])


def main_seal(arguments: Sequence[str] | None = None) -> int:
    """Write fragments as bare pixels under opaque names, and an encrypted manifest."""
    parser = _parser("seal", "Writes each fragment as a folder of bare pixels under opaque names, and an encrypted table.")
    parser.add_argument("slide", type=Path)
    parser.add_argument("split", type=Path, help="what `split` wrote")
    parser.add_argument("folder", type=Path, help="for the fragments, a new one; it holds what may leave")
    parser.add_argument("manifest", type=Path, help="the encrypted table to write; stays here")
    parser.add_argument("key", type=Path, help="is made where there is none; stays here; without it nothing comes back")
    parser.add_argument("--trim", type=int, default=0, metavar="PIXELS", help="cut off each side, against matching borders")
    parser.add_argument("--names", choices=["hmac", "random"], default="hmac",
                        help="hmac: from the key, so that they can be made again; random: known to the manifest alone")
    parser.add_argument("--dummies", type=int, nargs="?", const=EQUAL, metavar="PATCHES",
                        help="fill each fragment up to so many patches, or without a number to as many as the largest has, so "
                        "that counts tell nothing; each dummy costs what a patch costs")
    return _done(parser, arguments, _seal)


def _seal(wanted: argparse.Namespace) -> str:
    table = _read_split(wanted.split)
    if wanted.key.resolve().is_relative_to(wanted.folder.resolve()):  # `seal` sees to the manifest
        raise PlannerError("The key must not lie with the fragments: they go to the nodes, it stays here.")
    made = not wanted.key.exists()
    key = new_key() if made else read_key(wanted.key)
    with opened_slide(wanted.slide) as slide, Bar("sealing") as bar:
        if made:  # before anything that needs it
            write_key(wanted.key, key)
        done = seal(_patches(slide, table), table["cells"], table["labels"], key, table["id"], wanted.folder,
                    wanted.manifest, trim=wanted.trim, names=wanted.names, dummies=wanted.dummies, progress=bar.show)
    lines = [f"{'fragment':<32}  {'patches':>8}"]
    counts = np.bincount(done.labels, minlength=len(done.fragments))
    lines += [f"{name:<32}  {count + len(done.filling(label)):>8}"
              for label, (name, count) in enumerate(zip(done.fragments, counts, strict=True)) if count]
    if done.dummies:
        more = len(done.dummies) / len(done.cells)
        lines += ["", f"{len(done.dummies)} of them are dummies ({more:.1%} more to send and to pay): patches of the same "
                  "fragment, turned. They hide counts, not from an owner who compares pixels."]
    kept = "was made. Keep it, and a copy, where no node can read it."
    if not made:
        kept = "was there already. A new one for each sealing is safer."
    return "\n".join([*lines, "", f"The key {wanted.key.name} {kept}", READABLE])


def main_open(arguments: Sequence[str] | None = None) -> int:
    """Put results back in their places, or check what was sealed."""
    parser = _parser("open", "Puts what came back in its places: numbers as JSON, masks as one image. With --check nothing is "
                     "written: it only says whether fragments are as they were sealed, or results are whole.")
    parser.usage = "%(prog)s MANIFEST KEY OUTPUT RESULT …\n       %(prog)s --check MANIFEST KEY FOLDER | RESULT …"
    parser.add_argument("--check", action="store_true", help="only look: a sealed FOLDER, or every RESULT")
    parser.add_argument("manifest", type=Path, metavar="MANIFEST", help="what `seal` wrote beside the fragments")
    parser.add_argument("key", type=Path, metavar="KEY")
    parser.add_argument("paths", type=Path, nargs="+", metavar="OUTPUT RESULT",
                        help="OUTPUT: JSON (values by cell), or NAME.npy for masks. RESULT, of each fragment once: a JSON file, "
                        "or a folder of NAME.npy")
    return _done(parser, arguments, _open)


def _check(wanted: argparse.Namespace) -> str:
    table = open_manifest(wanted.manifest, read_key(wanted.key))
    known = f"The manifest is whole: {len(table.cells)} patches in {len(np.unique(table.labels))} fragments."
    home = wanted.paths[0]
    if len(wanted.paths) == 1 and home.is_dir() and home.name not in table.fragments:
        count = check_fragments(home, table)
        return f"{known} All {count} files in {home.name} are as they were sealed, dummies included."
    found = open_results(map(read_results, wanted.paths), table)
    return f"{known} All {len(found.values)} results are there, each once. Nothing was written."


def _open(wanted: argparse.Namespace) -> str:
    if wanted.check:
        return _check(wanted)
    wanted.output, *results = wanted.paths
    if not results:
        raise PlannerError("Give an output to write, and after it what came back of each fragment.")
    table = open_manifest(wanted.manifest, read_key(wanted.key))
    found = open_results(map(read_results, results), table)
    if wanted.output.suffix == ".npy":
        if not all(isinstance(one, np.ndarray) for one in found.values):
            raise PlannerError("These results are no masks; give the output a name that ends in .json.")
        whole = joined_mask(found.values, table)
        part = wanted.output.with_name(wanted.output.name + ".part")
        try:
            with part.open("wb") as file:
                np.save(file, whole, allow_pickle=False)
            part.replace(wanted.output)
        except OSError as error:
            raise PlannerError(f"{wanted.output.name} cannot be written: {error.strerror or error}.") from error
        return f"{len(found.values)} masks joined: {whole.shape[1]} × {whole.shape[0]} pixels."
    if any(isinstance(one, np.ndarray) for one in found.values):
        raise PlannerError("These results are masks; give the output a name that ends in .npy.")
    write_json(wanted.output, {"format": RESULT, "id": found.slide_id, "cells": found.cells.tolist(), "values": found.values})
    return f"{len(found.values)} results are back in their places."


def main_attack(arguments: Sequence[str] | None = None) -> int:
    """Play the nodes' owners on your own slide, before anything is sent."""
    parser = _parser("attack", "Plays the nodes' owners on your own slide: what could they put together, and place?")
    parser.add_argument("slide", type=Path)
    parser.add_argument("split", type=Path, help="what `split` wrote")
    parser.add_argument("--trim", type=int, default=0, metavar="PIXELS", help="as for `seal`")
    parser.add_argument("--known", type=int, default=3, help="patches that the owner recognises (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there; - prints them instead of the table")
    return _done(parser, arguments, _attack)


def _attack(wanted: argparse.Namespace) -> str:
    table = _read_split(wanted.split)
    cells, labels = table["cells"], table["labels"]
    if len(cells) > MOST:
        raise PlannerError(f"The attack takes up to {MOST} patches; there are {len(cells)}. Split at a higher level or size.")
    with opened_slide(wanted.slide) as slide, Bar("reading") as bar:
        joined = jigsaw_selftest(_Shown(_patches(slide, table), bar.show), cells, labels, trim=wanted.trim)
    known = encode(cells, labels, new_key(), table["id"])
    order = sorted(range(len(cells)), key=known.names.__getitem__)
    names = coordinate_attack(cells[order], [known.names[i] for i in order], wanted.known)
    published = coordinate_attack(cells, pca_encoding(cells), wanted.known)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    paper = paper_metrics([cells[group] for group in groups], [[known.names[i] for i in group] for group in groups])
    figures = {"jigsaw": asdict(joined), "names": asdict(names), "order": asdict(order_leak(cells, order)),
               "published_encoding": asdict(published), "published_figures": asdict(paper)}
    if str(wanted.json) == "-":
        return json.dumps(figures, indent=1)
    if wanted.json is not None:
        write_json(wanted.json, figures)
    head = f"{'by matching borders':<30}  {'patches':>8}  {'of touching pairs':>17}  {'of claims right':>15}"
    rows = [(f"owner of fragment {one.parties[0]}", one) for one in joined.alone]
    rows += [(f"worst two: {' and '.join(joined.worst_pair.parties)}", joined.worst_pair), ("all together", joined.everything)]
    return "\n".join([
        head, *(_row(name, one) for name, one in rows), "",
        f"An owner who recognises {wanted.known} patches places of the others:",
        f"  from sealed names in keyed order     {names.recovered:7.2%}  (a guess: {names.chance:.2%})",
        f"  from the published kind of encoding  {published.recovered:7.2%}", "",
        "The published method's own figures (x / y), for comparison only: they do not say what an owner can do.",
        f"  information gain, nat                {_two(paper.information_gain)}",
        f"  NMI by place in the list             {_two(paper.nmi_by_position)}",
        f"  NMI of nearest patches               {_two(paper.nmi_aligned)}", "", READABLE])


def _row(name: str, found: Found) -> str:
    return f"{name:<30}  {found.patches:>8}  {found.recall:>17.1%}  {found.precision:>15.1%}"


def _two(values: tuple[float, float]) -> str:
    return f"{values[0]:.4f} / {values[1]:.4f}"


def _read_split(path: Path) -> dict[str, Any]:
    found = read_json(path)
    needed = ("format", "id", "size", "level", "pixels", "cells", "labels")
    if not isinstance(found, dict) or found.get("format") != SPLIT or any(key not in found for key in needed):
        raise PlannerError(f"{path.name} is not a split (`format` {SPLIT!r}, {', '.join(needed[1:])}).")
    if any(not isinstance(found[key], int) or isinstance(found[key], bool) for key in ("size", "level")) or found["size"] < 1:
        raise PlannerError(f"{path.name}: `size` and `level` are whole numbers.")
    try:
        found["cells"], found["labels"] = as_cells(found["cells"]), np.asarray(found["labels"])
    except (PlannerError, TypeError, ValueError) as error:
        raise PlannerError(f"{path.name}: `cells` are a list of columns and rows, whole numbers, each place once.") from error
    if found["labels"].shape != (len(found["cells"]),) or found["labels"].dtype.kind != "i" or found["labels"].min() < 0:
        raise PlannerError(f"{path.name}: `labels` holds one fragment number, 0 or more, for each cell.")
    return found


def _patches(slide: Reader, table: dict[str, Any]) -> SlidePatches:
    """Refuses a slide that is not the one that was split."""
    level, size, cells = table["level"], table["size"], table["cells"]
    here = [int(n) for n in slide.level_dimensions[level]] if 0 <= level < len(slide.level_dimensions) else None
    if here != table["pixels"] or cells.min() < 0 or ((cells.max(axis=0) + 1) * size > np.array(here)).any():
        raise PlannerError("The slide has not the size of the one that was split. Give the slide that was split.")
    return SlidePatches(slide, Grid(cells, np.ones(len(cells)), 0, 0, size, level, 0))


class _Shown:
    """Patches that say how far they were read."""

    def __init__(self, patches: SlidePatches, show: Callable[[float], None]) -> None:
        self._patches, self._show = patches, show

    def __len__(self) -> int:
        return len(self._patches)

    def __getitem__(self, index: int, /) -> Any:
        self._show((index + 1) / len(self._patches))
        return self._patches[index]


class Bar:
    """A bar on a terminal; nothing elsewhere."""

    def __init__(self, doing: str) -> None:
        self.doing, self.drawn = doing, 0.0

    def __enter__(self) -> Bar:
        return self

    def show(self, done: float) -> None:
        if sys.stderr.isatty() and (done >= 1 or time.monotonic() - self.drawn > 0.1):
            self.drawn = time.monotonic()
            sys.stderr.write(f"\r{self.doing} [{'#' * int(30 * done):<30}] {100 * done:3.0f} %")
            sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        if self.drawn:
            sys.stderr.write("\r\033[K")


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"voxelhub {name}", description=description)


def _done(parser: argparse.ArgumentParser, arguments: Sequence[str] | None, do: Callable[[argparse.Namespace], str]) -> int:
    wanted = parser.parse_args(arguments)
    try:
        print(do(wanted))
    except PlannerError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


COMMANDS = {"split": main_split, "seal": main_seal, "open": main_open, "attack": main_attack}
