"""CSV and TSV: every column is judged, then the table is written anew with pseudonyms for subjects and moved dates.

Two passes over the file; memory is bounded by the longest row and 64 values of each column.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from . import dates
from .columns import MISSING, NUMBER, Column, Kind, plain_heading, unsafe_heading
from .decoding import encoding_of
from .naming import neutral_name, subject_label
from .outcome import Finding, Held, Outcome, Released, Report
from .recognise import HEAD, columns
from .streams import BLOCK, Refused, refusals, unreadable, writing

if TYPE_CHECKING:
    from .pseudonyms import Key

WHAT = "Table"
MOST_COLUMNS = 100_000
LONGEST_FIELD = 1024 * 1024
Rows = Iterator[list[str]]


@dataclass
class Judged:
    separator: str
    encoding: str
    headed: bool
    headings: list[str]
    kinds: list[tuple[Kind, str]]
    day_first: dict[int, bool | None]  # of a date column

    def of(self, kind: Kind) -> list[int]:
        return [number for number, (found, _) in enumerate(self.kinds) if found is kind]


@refusals
def clean_table(source: Path, target: Path, *, key: Key, waived: bool = False) -> Outcome:
    judged = _judged(source)
    findings = _findings(judged)
    if findings and not waived:
        listed = ", ".join(finding.where for finding in findings[:10]) + (" and more" if len(findings) > 10 else "")
        raise Refused(
            Held(
                "personal_columns",
                f"This table may say who somebody is: {listed}.",
                WHAT,
                tuple(findings),
                fix="Leave these columns out, or ask a data steward to look at them.",
            )
        )
    report = Report(WHAT, findings=findings)
    with _rows(source, judged.encoding, judged.separator) as rows, writing(target) as sink:
        buffer = io.StringIO()
        writer = csv.writer(buffer, delimiter=judged.separator, lineterminator="\n")
        change = _Change(judged, key, report.actions)
        for number, row in enumerate(rows):
            writer.writerow(change.headings(row) if number == 0 and judged.headed else change.row(row))
            if buffer.tell() > 256 * 1024:
                sink.write(buffer.getvalue().encode())
                buffer.seek(0)
                buffer.truncate()
        sink.write(buffer.getvalue().encode())
    return Released(neutral_name("table", sink.digest(), ".tsv" if judged.separator == "\t" else ".csv", key), report)


@contextmanager
def _rows(source: Path, encoding: str, separator: str) -> Iterator[Rows]:
    """Rows that hold anything. Raises Refused."""
    csv.field_size_limit(LONGEST_FIELD)
    try:
        with source.open(encoding=encoding, newline="") as stream:
            yield (row for row in csv.reader(stream, delimiter=separator, strict=True) if any(row))
    except (csv.Error, UnicodeError):
        raise unreadable(WHAT, "The table holds something that is no text, or a quotation without an end.") from None


def _judged(source: Path) -> Judged:
    with source.open("rb") as stream:
        head = stream.read(HEAD)
    whole = len(head) < HEAD
    encoding = _encoding(source, encoding_of(head, whole))
    if encoding is None:
        raise unreadable(WHAT, "The table holds something that is no text.")
    separator = _separator(head.decode(encoding, "ignore"), whole)
    with _rows(source, encoding, separator) as rows:
        first = next(rows, None)
        if first is None:
            raise unreadable(WHAT, "The table is empty.")
        if len(first) > MOST_COLUMNS:
            raise unreadable(WHAT, "The table has more columns than any table.")
        headed = not any(NUMBER.fullmatch(value.strip()) or dates.is_date(value.strip()) for value in first if value)
        found = [Column(heading if headed else "") for heading in first]
        orders: list[set[bool]] = [set() for _ in first]
        for number, row in enumerate(rows if headed else _chain(first, rows)):
            if len(row) > len(found):
                raise unreadable(WHAT, f"Row {number + 1} of the table has more values than there are columns.")
            for column, order, value in zip(found, orders, row, strict=False):
                if (told := column.add(value)) is not None:
                    order.add(told)
    if headed and any(column.heading.strip() in column.distinct for column in found if column.heading.strip()):
        # A first row whose words come again below is no heading.
        headed = False
        for column, value in zip(found, first, strict=True):
            column.heading = ""
            column.add(value)
    day_first = {number: (next(iter(order)) if len(order) == 1 else None) for number, order in enumerate(orders)}
    return Judged(separator, encoding, headed, first if headed else [], [column.kind() for column in found], day_first)


def _encoding(source: Path, guessed: str | None) -> str | None:
    """UTF-8 only if all of the file is; a few letters of an 8-bit code may come late."""
    if guessed != "utf-8-sig":
        return guessed
    decoder = codecs.getincrementaldecoder(guessed)()
    with source.open("rb") as stream:
        try:
            while block := stream.read(BLOCK):
                decoder.decode(block)
        except UnicodeDecodeError:
            return "latin-1"
    return guessed


def _chain(first: list[str], rows: Rows) -> Rows:
    yield first
    yield from rows


def _separator(text: str, whole: bool) -> str:
    lines = [line for line in text.split("\n")[:51] if line.strip()]
    lines = lines if whole or len(lines) < 2 else lines[:-1]
    agreed = [separator for separator in "\t,;" if columns(lines, separator) > 1]
    if agreed:
        return max(agreed, key=lambda separator: columns(lines, separator))
    return max("\t,;", key=lines[0].count) if lines else ","


def _findings(judged: Judged) -> list[Finding]:
    subjects = judged.of(Kind.SUBJECT)
    findings = []
    for number, (kind, held) in enumerate(judged.kinds):
        where = f"column {number + 1}"
        if judged.headed and (unsafe := unsafe_heading(judged.headings[number])) is not None:
            findings.append(Finding(f"heading_{unsafe}", where))
        elif kind is Kind.PERSONAL:
            findings.append(Finding(held, where))
        elif kind is Kind.DATE and not subjects:
            findings.append(Finding("dates_without_subject", where))
    return findings


class _Change:
    """What becomes of a row."""

    def __init__(self, judged: Judged, key: Key, actions: Counter[str]) -> None:
        self._judged, self._key, self._actions = judged, key, actions
        self._subjects = judged.of(Kind.SUBJECT)
        self._token = lru_cache(4096)(key.token)
        self._changed = [(number, kind) for number, (kind, _) in enumerate(judged.kinds)
                         if kind in (Kind.SUBJECT, Kind.IDENTIFIER, Kind.PLACE, Kind.DATE)]  # fmt: skip

    def headings(self, row: list[str]) -> list[str]:
        """A heading that may be somebody's name gives way to its number."""
        out = []
        for number, heading in enumerate(row, 1):
            out.append(heading if plain_heading(heading) else f"column-{number}")
            self._actions["headings: replaced"] += out[-1] != heading
        return out

    def row(self, row: list[str]) -> list[str]:
        out = [value.strip() for value in row]
        for number, kind in self._changed:
            if number < len(out) and out[number].lower() not in MISSING:
                out[number] = self._value(out, row, number, kind)
        return out

    def _value(self, out: list[str], row: list[str], number: int, kind: Kind) -> str:
        value = out[number]
        self._actions[f"column {number + 1}: {kind.value} replaced"] += 1
        if kind is Kind.SUBJECT:
            # A BIDS tree writes its subjects with this prefix, in names and in tables.
            return f"sub-{subject_label(value[4:], self._key)}" if value.startswith("sub-") else self._key.patient(value)
        if kind is Kind.DATE:
            return self._moved(row, number)
        return self._token("place" if kind is Kind.PLACE else "identifier", value, 10)

    def _moved(self, row: list[str], number: int) -> str:
        """Empty where no subject is named, or the day's writing does not tell which day it is."""
        who = next((row[at].strip() for at in self._subjects if at < len(row) and row[at].strip().lower() not in MISSING), None)
        if who is None:
            return ""
        day_first = self._judged.day_first[number]
        value = row[number].strip()
        if day_first is None and dates.YEAR_LAST.fullmatch(value):
            return ""
        shift = self._key.shift_days(who[4:] if who.startswith("sub-") else who)
        return dates.moved(value, shift, bool(day_first)) or ""
