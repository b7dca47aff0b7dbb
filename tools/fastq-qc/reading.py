"""FASTQ, plain or gzipped, in batches of records; memory is bounded by a piece of the file and its longest record.

Cock et al. 2010, doi:10.1093/nar/gkp1137: a title after "@", lines of letters, "+" (with the same title or none), and as many
quality characters ("!" to "~") as letters, on any number of lines. Files of four lines a record, which is nearly all there are,
are read a piece at a time; from the first record that is different, the rest is read line by line, and so is one that is wrong.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from isal import igzip, isal_zlib

PIECE = 4 * 1024**2  # bytes
LONGEST = 64 * 1024**2  # of one record
SLOW_BATCH = 2000  # records read line by line
LETTERS, QUALITIES, TITLE = re.compile(rb"[A-Za-z.*-]*"), re.compile(rb"[!-~]*"), re.compile(rb"[\x20-\x7e\t]+")
BROKEN = (EOFError, OSError, zlib.error, isal_zlib.error)


class BadInput(Exception):
    """A sentence for the person who started the run."""


@dataclass
class Batch:
    """`first` is the number of the first record, from 1; the lists have equal length."""

    first: int
    titles: list[bytes]
    letters: list[bytes]
    qualities: list[bytes]

    def __len__(self) -> int:
        return len(self.titles)

    def split(self, at: int) -> tuple[Batch, Batch]:
        return (Batch(self.first, self.titles[:at], self.letters[:at], self.qualities[:at]),
                Batch(self.first + at, self.titles[at:], self.letters[at:], self.qualities[at:]))


def title_of(path: Path) -> str:
    """The entry's name: VoxelHub puts a number before it."""
    return re.sub(r"^\d+-", "", path.name)


class Reads:
    """A file that is read once. `done` is the share of its bytes that has been read."""

    def __init__(self, path: Path) -> None:
        self.title = title_of(path)
        if path.is_dir():
            raise BadInput(f"“{self.title}” is a folder. Give FASTQ files.")
        self._size = max(1, path.stat().st_size)
        self._raw = path.open("rb")
        packed = self._raw.read(2) == b"\x1f\x8b"
        self._raw.seek(0)
        self._stream: IO[bytes] = igzip.GzipFile(fileobj=self._raw) if packed else self._raw

    @property
    def done(self) -> float:
        return 1.0 if self._raw.closed else min(1.0, self._raw.tell() / self._size)

    def batches(self) -> Iterator[Batch]:
        """Raises BadInput that names the record and the reason."""
        try:
            yield from self._batches()
        except BROKEN:
            raise BadInput(f"“{self.title}” is broken: its compressed data is damaged or ends too early. Copy it again."
                           ) from None
        except Malformed as reason:
            raise BadInput(f"“{self.title}” is no valid FASTQ file. {reason} Export or copy it again.") from None
        finally:
            self._raw.close()

    def _batches(self) -> Iterator[Batch]:
        number, rest = 1, b""
        while piece := self._stream.read(PIECE):
            lines = (rest + piece).replace(b"\r\n", b"\n").split(b"\n")
            whole = (len(lines) - 1) // 4 * 4
            batch = four_lines(lines[:whole], number)
            rest = b"\n".join(lines[whole:] if batch is not None else lines)
            if batch is None or len(rest) > LONGEST:
                break
            if len(batch):
                yield batch
            number += len(batch)
        if rest or number == 1:  # the end without a line's end, or records of another layout, or something that is none
            yield from line_by_line(self._lines(rest), number)

    def _lines(self, rest: bytes) -> Iterator[bytes]:
        *complete, last = rest.split(b"\n")
        yield from complete
        line = last + self._stream.readline(LONGEST) if last else self._stream.readline(LONGEST)
        while line:
            yield line.rstrip(b"\r\n")
            line = self._stream.readline(LONGEST)


def four_lines(lines: list[bytes], first: int) -> Batch | None:
    """The records of whole lines, or None when one of them does not follow the plain layout to the letter."""
    titles, letters, pluses, qualities = (lines[start::4] for start in range(4))
    count = len(titles)
    if b"".join([one[:1] for one in titles]) != b"@" * count or b"".join([one[:1] for one in pluses]) != b"+" * count:
        return None
    titles = [one[1:] for one in titles]
    if any(len(plus) > 1 and plus[1:] != title for plus, title in zip(pluses, titles, strict=True)):
        return None
    if list(map(len, letters)) != list(map(len, qualities)) or not all(titles):
        return None
    if not (LETTERS.fullmatch(b"".join(letters)) and QUALITIES.fullmatch(b"".join(qualities))
            and TITLE.fullmatch(b"".join(titles) or b" ")):
        return None
    return Batch(first, titles, letters, qualities)


class Malformed(Exception):
    """Its text is a sentence."""


def line_by_line(lines: Iterator[bytes], first: int) -> Iterator[Batch]:
    """Any layout that the format allows; raises Malformed at the first record that is none."""
    number, batch = first, Batch(first, [], [], [])
    line = next(lines, None)
    if line is None:
        raise Malformed("It holds no record.")
    while line is not None:
        if not line.strip():
            if any(one.strip() for one in lines):
                raise Malformed(f"There is an empty line before record {number}.")
            break
        title, letters, qualities, line = _record(line, lines, number)
        batch.titles.append(title)
        batch.letters.append(letters)
        batch.qualities.append(qualities)
        number += 1
        if len(batch) >= SLOW_BATCH:
            yield batch
            batch = Batch(number, [], [], [])
    if number == 1:
        raise Malformed("It holds no record.")
    if len(batch):
        yield batch


def _record(line: bytes, lines: Iterator[bytes], number: int) -> tuple[bytes, bytes, bytes, bytes | None]:
    """Title, letters, qualities, and the line after them."""
    title = line[1:]
    if not line.startswith(b"@"):
        raise Malformed(f"Record {number} does not begin with “@”.")
    if not TITLE.fullmatch(title):
        raise Malformed(f"The title of record {number} is empty or holds characters that are no text.")
    letters = bytearray()
    for line in lines:
        if line.startswith(b"+"):
            break
        if line.startswith(b"@"):
            raise Malformed(f"Record {number} has no line of “+” and no qualities.")
        if not LETTERS.fullmatch(line):
            raise Malformed(f"The sequence of record {number} holds a character that is no letter.")
        letters += line
        _bounded(letters, number)
    else:
        raise Malformed(f"It ends within record {number}, before its qualities.")
    repeated = line[1:]
    if repeated and repeated != title:
        raise Malformed(f"Record {number} gives two different titles, or ends within the second.")
    return title, bytes(letters), *_qualities(lines, number, len(letters))


def _qualities(lines: Iterator[bytes], number: int, size: int) -> tuple[bytes, bytes | None]:
    found = bytearray()
    for line in lines:
        if len(found) >= size and (size or line.startswith(b"@")):
            break
        if not line and size:
            break
        if not QUALITIES.fullmatch(line):
            raise Malformed(f"The qualities of record {number} hold a space or a character that is no quality.")
        found += line
        _bounded(found, number)
    else:
        line = None
    if len(found) != size:
        early = "; the file ends there" if line is None else ""
        raise Malformed(f"Record {number} has {size} letters and {len(found)} qualities{early}.")
    return bytes(found), line


def _bounded(part: bytearray, number: int) -> None:
    if len(part) >= LONGEST:
        raise Malformed(f"Record {number} is longer than any read.")


def together(one: Reads, other: Reads) -> Iterator[tuple[Batch, Batch]]:
    """Both ends of pairs, the same number of records at a time; raises BadInput when they do not belong together."""
    sides = [one.batches(), other.batches()]
    waiting: list[Batch | None] = [None, None]
    while True:
        waiting = [left if left else next(side, None) for left, side in zip(waiting, sides, strict=True)]
        first, second = waiting
        if first is None or second is None:
            if first is not None or second is not None:
                short, long = (one, other) if first is None else (other, one)
                raise BadInput(f"“{short.title}” has fewer reads than “{long.title}”, so they are no pair. Give both ends whole.")
            return
        size = min(len(first), len(second))
        (first, rest_one), (second, rest_two) = first.split(size), second.split(size)
        _same_names(one, other, first, second)
        waiting = [rest_one, rest_two]
        yield first, second


END = re.compile(rb"/[12]$")


def _same_names(one: Reads, other: Reads, first: Batch, second: Batch) -> None:
    for number, (left, right) in enumerate(zip(first.titles, second.titles, strict=True), first.first):
        if left != right and _name(left) != _name(right):
            raise BadInput(f"Record {number} of “{one.title}” and of “{other.title}” have different names, so the files are no "
                           "pair. Choose files of one sample, or take them singly.")


def _name(title: bytes) -> bytes:
    """Without the comment and the end that it is of."""
    return END.sub(b"", re.split(rb"[ \t]", title, maxsplit=1)[0])
