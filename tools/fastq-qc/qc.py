"""Quality and trimming of FASTQ files: `qc.py [options] --output FOLDER --reads FILE…`.

Each sample, one file or the two of a pair, gives its trimmed reads (gzip, Sanger qualities), a report as HTML and JSON, and a row
of quality.csv. The memory does not grow with the files.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from isal import igzip
from measuring import Measures, flat
from phred import TABLES, TITLES, check, detect
from reading import BadInput, Batch, Reads, title_of, together
from report import page
from trimming import Rules, cut, good

ENDINGS = re.compile(r"\.(fastq|fq)(\.gz)?$", re.IGNORECASE)
FIRST_END = re.compile(r"(?<![0-9A-Za-z])(R?)1(?=(_\d{3})?$)", re.IGNORECASE)  # of a pair, at the end: _R1, .1, R1_001


class End:
    """One file on its way through: measured, cut, measured again, written."""

    def __init__(self, path: Path, target: Path, encoding: str) -> None:
        self.reads, self.target, self.encoding = Reads(path), target, encoding
        self.before, self.after = Measures(), Measures()
        self.cut = 0

    def look(self, batch: Batch, rules: Rules) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
        """The batch as arrays, how much of each read stays, which are long enough, which are good."""
        if self.encoding == "auto":
            self.encoding = detect(batch)
        check(batch, self.encoding, self.reads.title)
        arrays = flat(batch, TABLES[self.encoding])
        self.before.add(arrays)
        self.before.look_for_adapters(batch.letters)
        kept = cut(arrays, rules)
        return arrays, kept, *good(arrays, kept, rules)

    def keep(self, batch: Batch, arrays: Any, kept: np.ndarray, chosen: np.ndarray, sink: IO[bytes]) -> None:
        self.cut += int((chosen & (kept < arrays.lengths)).sum())
        short = arrays.shortened(kept, chosen)
        self.after.add(short)
        qualities, at, lines = (short.phred + 33).tobytes(), 0, []
        for index, length in zip(np.flatnonzero(chosen).tolist(), short.lengths.tolist(), strict=True):
            lines.append(b"@%s\n%s\n+\n%s\n" % (batch.titles[index], batch.letters[index][:length], qualities[at:at + length]))
            at += length
        sink.write(b"".join(lines))


def main() -> int:
    wanted = arguments()
    rules = Rules(wanted.window, wanted.window_quality, wanted.shortest, wanted.expected_errors)
    try:
        samples = paired(wanted.reads, wanted.pairing)
        rows = []
        for number, files in enumerate(samples):
            rows += sample(files, wanted, rules, number / len(samples), 1 / len(samples))
    except BadInput as reason:
        for made in wanted.output.iterdir():
            made.unlink()
        say(f"error {reason}")
        return 1
    with (wanted.output / "quality.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    say("progress 1 done")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--encoding", choices=("auto", *TITLES), default="auto")
    parser.add_argument("--pairing", choices=("name", "order", "single"), default="name")
    parser.add_argument("--window", type=int, default=4, help="bases")
    parser.add_argument("--window_quality", type=float, default=20.0, help="Phred; 0 cuts nothing")
    parser.add_argument("--shortest", type=int, default=36, help="bases")
    parser.add_argument("--expected_errors", type=float, default=0.0, help="bases; 0: any")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--reads", type=Path, nargs="+", required=True)
    return parser.parse_args()


def paired(files: list[Path], how: str) -> list[tuple[Path, ...]]:
    """Samples of one or two files, in the order of their first."""
    if how == "order":
        if len(files) % 2:
            raise BadInput(f"{len(files)} files are no pairs. Give an even number, or pair by name.")
        return list(zip(files[::2], files[1::2], strict=True))
    if how == "single":
        return [(file,) for file in files]
    named: dict[str, Path] = {}
    for file in files:
        named.setdefault(ENDINGS.sub("", title_of(file)), file)
    samples, taken = [], set()
    for file in files:
        name = ENDINGS.sub("", title_of(file))
        mate = named.get(FIRST_END.sub(r"\g<1>2", name)) if FIRST_END.search(name) else None
        if mate is not None and mate not in taken and mate != file:
            samples.append((file, mate))
            taken |= {file, mate}
    samples += [(file,) for file in files if file not in taken]
    return sorted(samples, key=lambda sample: files.index(sample[0]))


def sample(
    files: tuple[Path, ...], wanted: argparse.Namespace, rules: Rules, begun: float, share: float
) -> Iterator[dict[str, Any]]:
    """Writes what belongs to a sample and gives a row for each of its files; raises BadInput."""
    names = [free_name(wanted.output, stem(file)) for file in files]
    ends = [End(file, wanted.output / f"{name}_trimmed.fastq.gz", wanted.encoding)
            for file, name in zip(files, names, strict=True)]
    fate = trim(ends, rules, lambda done: begun + share * 0.99 * done)
    told = {
        "rules": {"window": rules.window, "window_quality": rules.quality, "shortest": rules.shortest,
                  "expected_errors": rules.errors},
        "pairs" if len(ends) == 2 else "reads": dict(fate),
        "files": [{"name": end.reads.title, "trimmed": end.target.name, "encoding": TITLES[end.encoding], "cut": end.cut,
                   "adapters": dict(end.before.adapters), "before": end.before.numbers() | end.before.distributions(),
                   "after": end.after.numbers() | end.after.distributions()} for end in ends],
    }
    base = wanted.output / f"{names[0]}_quality"
    base.with_name(base.name + ".json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    base.with_name(base.name + ".html").write_text(page(told), encoding="utf-8")
    for end in ends:
        yield row(end, fate)


def trim(ends: list[End], rules: Rules, progress: Callable[[float], float]) -> Counter[str]:
    """One file or the two of a pair from beginning to end; what became of the reads."""
    fate: Counter[str] = Counter({"kept": 0, "too_short": 0, "too_many_errors": 0})
    both = together(ends[0].reads, ends[1].reads) if len(ends) == 2 else ((one,) for one in ends[0].reads.batches())
    with ExitStack() as stack:
        sinks = [stack.enter_context(packed(stack.enter_context(end.target.open("wb")))) for end in ends]
        for batches in both:
            looked = [end.look(batch, rules) for end, batch in zip(ends, batches, strict=True)]
            long = np.logical_and.reduce([one[2] for one in looked])
            chosen = np.logical_and.reduce([one[3] for one in looked])
            fate.update(kept=int(chosen.sum()), too_short=int((~long).sum()), too_many_errors=int((long & ~chosen).sum()))
            for end, batch, (arrays, kept, *_), sink in zip(ends, batches, looked, sinks, strict=True):
                end.keep(batch, arrays, kept, chosen, sink)
            first = ends[0].reads
            say(f"progress {progress(first.done):.3f} {sum(fate.values()):,} reads of “{first.title}”")
    return fate


def row(end: End, fate: Counter[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"file": end.reads.title, "trimmed": end.target.name, "encoding": end.encoding, "kept": fate["kept"],
                             "too_short": fate["too_short"], "too_many_errors": fate["too_many_errors"], "cut": end.cut}
    for when, measures in (("before", end.before), ("after", end.after)):
        found |= {f"{name}_{when}": f"{value:.6g}" if isinstance(value, float) else value
                  for name, value in measures.numbers().items()}
    return found


def packed(file: IO[bytes]) -> IO[bytes]:
    """Without a name and a time, so that equal reads give equal bytes."""
    return igzip.GzipFile("", "wb", 2, file, mtime=0)


def stem(path: Path) -> str:
    text = re.sub(r"[^\w.-]+", "_", ENDINGS.sub("", title_of(path))).strip("._-")
    while len(text.encode()) > 150:
        text = text[:-1]
    return text or "reads"


def free_name(folder: Path, name: str) -> str:
    number, free = 1, name
    while (folder / f"{free}_trimmed.fastq.gz").exists():
        number += 1
        free = f"{name}-{number}"
    (folder / f"{free}_trimmed.fastq.gz").touch()
    return free


def say(text: str) -> None:
    """A line for VoxelHub, not for the log."""
    print(f"::{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
