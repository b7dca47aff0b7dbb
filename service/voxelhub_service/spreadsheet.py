"""Cells of tables that people open in a spreadsheet: none of them runs as a formula there."""

from __future__ import annotations

import re

FORMULA = re.compile(r"[=@\t\r]")
PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")


def harmless(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would take for a formula; numbers stay numbers."""
    return f"'{cell}" if FORMULA.match(cell) or (cell[:1] in ("+", "-") and not PLAIN_NUMBER.match(cell)) else cell
