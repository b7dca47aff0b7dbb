"""CSV and TSV without pandas: named columns as numpy arrays."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import VoxelHubError


class Table:
    """Columns by name. A column is float64 or int64 when every filled cell is a number (an empty cell is NaN), else text.

        table = voxelhub.dataset("Measurements").load()
        table["volume_ml"].mean()
        for row in table: print(row["name"])
        pandas.DataFrame(table.columns)                 # where pandas is installed
    """

    def __init__(self, columns: dict[str, NDArray[Any]]) -> None:
        self.columns = columns

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.columns:
            raise VoxelHubError("no_such_column", f"There is no column {name!r}.", f"The columns are: {', '.join(self.columns)}.")
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        lists = {name: column.tolist() for name, column in self.columns.items()}
        return (dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True))

    def __repr__(self) -> str:
        return f"<Table {len(self)} rows: {', '.join(self.columns)}>"

    def _repr_html_(self, limit: int = 20) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(value))}</td>" for value in row.values()) + "</tr>"
            for row, _ in zip(self, range(limit), strict=False)
        )
        more = f"<p>{limit} of {len(self)} rows</p>" if len(self) > limit else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def read_table(path: str | PathLike[str]) -> Table:
    """The table of a CSV or TSV file with a header row; the separator is found out among , ; tab and |."""
    file = Path(path)
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(file, text)))
    except csv.Error:
        raise VoxelHubError("unreadable", f"{file.name} is not a CSV or TSV table.", "Read it as text.") from None
    rows = [row for row in rows if row]
    if not rows:
        return Table({})
    names = _distinct(rows[0])
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise VoxelHubError("uneven_rows", f"Row {number} of {file.name} has {len(row)} cells, the header {len(names)}.")
    return Table({name: _column([row[i].strip() for row in rows[1:]]) for i, name in enumerate(names)})


def _separator(file: Path, text: str) -> str:
    if file.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    header = text.split("\n", 1)[0]
    return max(",;\t|", key=header.count)


def _distinct(names: list[str]) -> list[str]:
    """Header cells as column names: an empty one gets its number, a repeated one a suffix."""
    found: list[str] = []
    for number, cell in enumerate(names, start=1):
        name = base = cell.strip() or f"column_{number}"
        count = 1
        while name in found:
            count += 1
            name = f"{base}_{count}"
        found.append(name)
    return found


def _column(cells: list[str]) -> NDArray[Any]:
    # A code such as 007 is a name, not the number seven.
    if any(len(c) > 1 and c[0] == "0" and c[1].isdigit() for c in cells):
        return np.array(cells, dtype=str)
    try:
        return np.array([int(c) for c in cells], dtype=np.int64)
    except (ValueError, OverflowError):
        pass
    if cells and all(c == "" for c in cells):
        return np.array(cells, dtype=str)
    try:
        return np.array([float(c) if c else np.nan for c in cells], dtype=np.float64)
    except ValueError:
        return np.array(cells, dtype=str)
