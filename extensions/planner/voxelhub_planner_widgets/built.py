"""The built views: one ES module, made by `python3 hub_config/bootstrap.py plannerviews` and part of the wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "static" / "planner-views.js"


@cache
def module() -> str:
    """Its source. Raises ImportError where it was not built."""
    try:
        return FILE.read_text("utf-8")
    except FileNotFoundError:
        sentence = f"The planner's views are not built: {FILE.name} is missing."
        raise ImportError(f"{sentence} Run `python3 hub_config/bootstrap.py plannerviews`.") from None
