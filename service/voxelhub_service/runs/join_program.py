"""Joins the tables of a batch: `python join_program.py FOLDER RESULT.csv`. Runs in a sandbox, with Python's own library alone.

FOLDER holds items.json and the tables. A row for each item in the items' order, also for one that failed; an item whose table
has several rows has as many. The columns: item, label, run, state, reason, then those of the tables in the order in which
they first appear. Tables are what programs wrote: each is read within limits, and one that breaks them costs its own item's
values only, with the reason said.

Values are copied as they are, so that numbers and texts stay what the tool wrote.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

FIXED = ("item", "label", "run", "state", "reason")
MIB = 1024**2
MAX_BYTES, MAX_ROWS, MAX_COLUMNS = 16 * MIB, 10_000, 2_000  # of one table
MAX_CELL, MAX_NAME = 10_000, 200  # characters
MAX_UNION, MAX_TOTAL = 5_000, 500_000  # columns and rows of the joined table


Item = dict[str, Any]  # item, label, run, state, reason, tables: [{"file", "format"}]
Table = tuple[list[str], list[list[str]]]  # columns and rows


class Unfit(Exception):
    """Why a table is not joined, in a sentence."""


def main(folder: Path, result: Path) -> int:
    csv.field_size_limit(MAX_CELL)
    items = json.loads((folder / "items.json").read_text("utf-8"))["items"]
    columns = collect(folder, items)
    if len(columns) > MAX_UNION:
        print(f"::error The tables have {len(columns):,} different columns; at most {MAX_UNION:,} can be joined.")
        return 2
    written, part = 0, result.with_name(f".{result.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*FIXED, *columns], restval="", lineterminator="\n")
        writer.writeheader()
        for number, item in enumerate(items, 1):
            for row in rows_of(folder, item):
                written += 1
                if written > MAX_TOTAL:
                    print(f"::error The tables have more than {MAX_TOTAL:,} rows; they can not be joined.")
                    return 2
                writer.writerow(row)
            print(f"::progress {0.5 + number / len(items) / 2:.3f} Joining {number} of {len(items)}", flush=True)
    part.rename(result)
    print(f"{len(items)} items, {written} rows, {len(columns)} columns")
    return 0


def collect(folder: Path, items: list[Item]) -> list[str]:
    """The union of the tables' columns, in the order of their first appearance."""
    found: dict[str, None] = {}
    for number, item in enumerate(items, 1):
        for table in tables_of(folder, item)[0]:
            found.update(dict.fromkeys(table[0]))
        print(f"::progress {number / len(items) / 2:.3f} Reading {number} of {len(items)}", flush=True)
    return list(found)


def rows_of(folder: Path, item: Item) -> list[dict[str, str]]:
    """At least one. What tables of one row say is on each row of the item; the rows of longer tables follow each other."""
    tables, wrong = tables_of(folder, item)
    fixed = {name: str(item[name]) for name in FIXED}
    if wrong:
        fixed["reason"] = " ".join([fixed["reason"], *wrong]).strip()
    for names, rows in tables:
        if len(rows) == 1:
            fixed |= dict(zip(names, rows[0], strict=False))
    longer = [fixed | dict(zip(names, row, strict=False)) for names, rows in tables if len(rows) > 1 for row in rows]
    return longer or [fixed]


def tables_of(folder: Path, item: Item) -> tuple[list[Table], list[str]]:
    """(columns, rows) of each table of an item, no name twice; and a sentence for each that cannot be read."""
    tables: list[Table] = []
    wrong: list[str] = []
    taken = set(FIXED)
    for one in item["tables"]:
        try:
            header, rows = read(folder / one["file"], one["format"])
        except Unfit as error:
            wrong.append(f"{one['file'].partition('-')[2]}: {error}")
            continue
        names = [free_name(name, place, taken) for place, name in enumerate(header, 1)]
        tables.append((names, rows))
    return tables, wrong


def read(path: Path, file_format: str) -> Table:
    """Header and rows of a table; Unfit where it is no table, or too large a one."""
    if path.stat().st_size > MAX_BYTES:
        raise Unfit(f"It is larger than {MAX_BYTES // MIB} MiB and is not joined.")
    text = path.read_bytes().decode("utf-8-sig", "replace").replace("\0", "")
    first = text.partition("\n")[0]
    delimiter = "\t" if file_format == "tsv" else ";" if first.count(";") > first.count(",") else ","
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) > MAX_ROWS + 1:
                raise Unfit(f"It has more than {MAX_ROWS:,} rows and is not joined.")
    except csv.Error:
        raise Unfit("It cannot be read as a table.") from None
    if not rows:
        raise Unfit("It is empty.")
    if max(map(len, rows)) > MAX_COLUMNS:
        raise Unfit(f"It has more than {MAX_COLUMNS:,} columns and is not joined.")
    width = max(map(len, rows))
    return rows[0] + [""] * (width - len(rows[0])), rows[1:]


def free_name(name: str, place: int, taken: set[str]) -> str:
    """The column's name, numbered where the item has another column of that name."""
    base = " ".join(name.split())[:MAX_NAME] or f"column {place}"
    found, number = base, 2
    while found in taken:
        found, number = f"{base} ({number})", number + 1
    taken.add(found)
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
