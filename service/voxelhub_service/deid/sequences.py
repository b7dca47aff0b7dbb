"""FASTQ and FASTA, plain or gzipped: checked record by record, written again without comments and with neutral read names.

FASTQ: Cock et al. 2010, doi:10.1093/nar/gkp1137: a title after "@", lines of letters, "+" (with the same title or none), and as
many quality characters ("!" to "~") as letters, on any number of lines. Memory is bounded by one record.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

from .naming import neutral_name
from .outcome import Outcome, Released, Report
from .streams import is_gzip, not_whole, refusals, unreadable, writing

if TYPE_CHECKING:
    from .pseudonyms import Key

LONGEST_LINE = 64 * 1024**2
LETTERS = re.compile(rb"[A-Za-z.*-]*")
QUALITIES = re.compile(rb"[!-~]*")
TITLE = re.compile(rb"[\x20-\x7e\t]+")
# Comments with a meaning of their own: Casava 1.8 (pair, filter, control, index) and the length that archives write.
COMMENT = re.compile(rb"[12]:[YN]:\d{1,6}:[ACGTN0-9+]{0,40}|length=\d{1,9}")


class Lines(Protocol):
    def readline(self, size: int = ..., /) -> bytes: ...


class Record(NamedTuple):
    title: bytes
    letters: bytes
    qualities: bytes


class Malformed(Exception):
    """Its text is a sentence. `early`: the file ends within a record."""

    def __init__(self, sentence: str, early: bool = False) -> None:
        super().__init__(sentence)
        self.early = early


def check_fastq(stream: Lines) -> str | None:
    """Reads all of it; a sentence about the first record that is wrong, None when all are right."""
    try:
        for _ in fastq_records(stream):
            pass
    except Malformed as reason:
        return str(reason)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return PACKED
    return None


PACKED = "The compressed data is broken or ends too early."


def fastq_records(stream: Lines) -> Iterator[Record]:
    """Raises Malformed."""
    number = 0
    line = _line(stream)
    while line is not None:
        if not line.strip():
            _only_blank_lines(stream, number)
            return
        number += 1
        if not line.startswith(b"@"):
            raise Malformed(f"Record {number} does not begin with “@”.")
        title = line[1:]
        if not TITLE.fullmatch(title):
            raise Malformed(f"The title of record {number} is empty or holds characters that are not text.")
        letters = _letters(stream, number, title)
        qualities, line = _qualities(stream, number, len(letters))
        yield Record(title, letters, qualities)
    if number == 0:
        raise Malformed("The file holds no record.", early=True)


def _letters(stream: Lines, number: int, title: bytes) -> bytes:
    parts: list[bytes] = []
    size = 0
    while (line := _line(stream)) is not None and not line.startswith(b"+"):
        if not LETTERS.fullmatch(line):
            if line.startswith(b"@"):
                raise Malformed(f"Record {number} has no line of “+” and no qualities.")
            raise Malformed(f"The sequence of record {number} holds a character that is no letter.")
        parts.append(line)
        size += len(line)
        if size > LONGEST_LINE:
            raise Malformed(f"The sequence of record {number} is longer than any read.")
    if line is None:
        raise Malformed(f"The file ends within record {number}, before its qualities.", early=True)
    if line[1:] and line[1:] != title:
        if title.startswith(line[1:]) and (line := _line(stream)) is None:
            raise Malformed(f"The file ends within record {number}, in the title of its qualities.", early=True)
        raise Malformed(f"Record {number} gives two different titles.")
    return b"".join(parts)


def _qualities(stream: Lines, number: int, size: int) -> tuple[bytes, bytes | None]:
    """The qualities, and the line after them."""
    parts: list[bytes] = []
    count = 0
    while (line := _line(stream)) is not None:
        if count >= size and (parts or size > 0 or line.startswith(b"@")):
            break
        if not QUALITIES.fullmatch(line):
            raise Malformed(f"The qualities of record {number} hold a space or a character that is no quality.")
        if not line and size > 0:
            break
        parts.append(line)
        count += len(line)
    if count < size and line is None:
        raise Malformed(f"The file ends within record {number}, in its qualities.", early=True)
    if count != size:
        raise Malformed(f"Record {number} has not as many qualities as letters.")
    return b"".join(parts), line


def _only_blank_lines(stream: Lines, number: int) -> None:
    while (line := _line(stream)) is not None:
        if line.strip():
            raise Malformed(f"There is an empty line after record {number}." if number else "The file begins with an empty line.")


def _line(stream: Lines) -> bytes | None:
    line = stream.readline(LONGEST_LINE)
    if len(line) >= LONGEST_LINE:
        raise Malformed("The file holds a line that is longer than any read.")
    return line.rstrip(b"\r\n") if line else None


def fasta_records(stream: Lines) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    """(title, its lines of letters), each to be read before the next. Raises Malformed."""
    number = 0
    line = _line(stream)

    def letters() -> Iterator[bytes]:
        nonlocal line
        while (line := _line(stream)) is not None and not line.startswith(b">"):
            if not LETTERS.fullmatch(line):
                raise Malformed(f"The sequence of record {number} holds a character that is no letter.")
            yield line

    while line is not None:
        number += 1
        if not line.startswith(b">") or not TITLE.fullmatch(line[1:]):
            raise Malformed(f"Record {number} does not begin with “>” and a name.")
        yield line[1:], letters()


@refusals
def clean_sequences(source: Path, target: Path, *, kind: str, key: Key, waived: bool = False) -> Outcome:
    """`kind`: "fastq" or "fasta". A steward's decision changes nothing: a broken file stays held, a whole one can be cleaned."""
    what, packed = kind.upper(), is_gzip(source)
    report = Report(f"{what} reads" if kind == "fastq" else "FASTA sequences")
    neutral = lru_cache(4096)(lambda name: neutral_read(name, key))
    try:
        with source.open("rb") as raw, writing(target, packed) as sink:
            stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
            if kind == "fastq":
                for record in fastq_records(stream):
                    title = _title(record.title, neutral, report)
                    sink.write(b"@%s\n%s\n+\n%s\n" % (title, record.letters, record.qualities))
            else:
                for name, lines in fasta_records(stream):
                    sink.write(b">%s\n" % _title(name, neutral, report))
                    for line in lines:
                        sink.write(line + b"\n")
    except Malformed as reason:
        raise (not_whole if reason.early else unreadable)(what, str(reason)) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise not_whole(what, PACKED) from None
    ending = f".{kind}" + (".gz" if packed else "")
    return Released(neutral_name("reads" if kind == "fastq" else "sequence", sink.digest(), ending, key), report)


def _title(title: bytes, neutral: Callable[[bytes], bytes], report: Report) -> bytes:
    name, _, comment = title.replace(b"\t", b" ").partition(b" ")
    cleaned = neutral(name)
    if cleaned != name:
        report.actions["read name: replaced"] += 1
    if comment:
        if COMMENT.fullmatch(comment):
            return cleaned + b" " + comment
        report.actions["comment: removed"] += 1
    return cleaned


ACCESSION = re.compile(rb"[SED]RR\d{5,9}\.\d{1,10}|[A-Z]{2}_\d{6,9}\.\d{1,2}|chr([0-9]{1,2}|[XYM]|MT)")
RUN = re.compile(rb"([\w-]{1,40}):(\d{1,6}):([\w-]{1,40}):(\d{1,2}:\d{1,6}:\d{1,6}:\d{1,6})")  # Illumina, from Casava 1.8 on
LANE = re.compile(rb"([\w-]{1,40}):(\d{1,2}:\d{1,6}:\d{1,6}:\d{1,6})(#[ACGTN0]{1,40})?")  # Illumina, before
END = re.compile(rb"/[12]$")


def neutral_read(name: bytes, key: Key) -> bytes:
    """Accessions of public archives and places on a flow cell stay; instruments, flow cells and anything else become tokens.

    Both reads of a pair keep the same name.
    """
    end = match.group() if (match := END.search(name)) else b""
    stem = name[: len(name) - len(end)]
    if ACCESSION.fullmatch(stem):
        return name
    if match := RUN.fullmatch(stem):
        instrument, run, cell, place = match.groups()
        return b":".join([_token(instrument, key), run, _token(cell, key), place]) + end
    if match := LANE.fullmatch(stem):
        return _token(match[1], key) + b":" + match[2] + (match[3] or b"") + end
    return _token(stem, key) + end


def _token(word: bytes, key: Key) -> bytes:
    return key.token("read", word.decode("latin-1"), 12).encode()
