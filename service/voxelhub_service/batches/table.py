"""The joined table of a batch: read from what the join published, or, before that, what is known of its items."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..context import Context
from ..datasets import viewing
from ..models import Batch, Dataset, DatasetVersion, File, Run
from ..runs.join_program import FIXED
from ..runs.joining import newest_runs
from ..spreadsheet import harmless
from ..wire_runs import BatchTable

Cell = str | float | int | bool | None
INTEGER = re.compile(r"-?(0|[1-9]\d{0,14})$")  # 007 is a name, and longer ones lose digits
NUMBER = re.compile(r"-?(0|[1-9]\d*)?(\.\d+)?([eE][+-]?\d+)?$")


def source(context: Context, session: Session, batch: Batch) -> Path | list[list[str]]:
    """The newest joined table outside the trash, or rows made of what the runs say, header first."""
    query = select(File, DatasetVersion.id).join(DatasetVersion, DatasetVersion.id == File.version_id).join(
        Run, Run.id == DatasetVersion.run_id).join(Dataset, Dataset.id == DatasetVersion.dataset_id)
    found = session.execute(query.where(Run.batch_id == batch.id, Run.kind == "join", Dataset.trashed_at.is_(None)).order_by(
        Run.number.desc()).limit(1)).first()
    if found is not None:
        return viewing.present(viewing.folder_of(context, session, found[1]) / found[0].path)
    rows = [[str(run.batch_item), batch.items[(run.batch_item or 1) - 1]["label"], run.label, run.state, run.reason]
            for run in newest_runs(session, batch.id)]
    return [list(FIXED), *rows]


def page(found: Path | list[list[str]], offset: int, limit: int) -> BatchTable:
    rows = _rows(found)
    columns = next(rows, list(FIXED))
    total = 0
    chosen: list[list[Cell]] = []
    for row in rows:
        if offset <= total < offset + limit:
            chosen.append([_value(text) for text in row])
        total += 1
    return BatchTable(columns=columns, rows=chosen, total=total)


def for_spreadsheets(found: Path | list[list[str]], at_once: int = 500) -> Iterator[bytes]:
    """The whole as CSV. What a spreadsheet would run as a formula gets an apostrophe before it; numbers stay numbers."""
    rows = _rows(found)
    while some := list(islice(rows, at_once)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows([[harmless(cell) for cell in row] for row in some])
        yield text.getvalue().encode()


def _rows(found: Path | list[list[str]]) -> Iterator[list[str]]:
    if isinstance(found, list):
        yield from found
        return
    with found.open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file)


def _value(text: str) -> Cell:
    if not text:
        return None
    if INTEGER.match(text):
        return int(text)
    if NUMBER.match(text) and any(sign.isdigit() for sign in text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
