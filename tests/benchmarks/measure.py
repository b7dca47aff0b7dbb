"""Medians, percentiles, the machine's state, and the page of results."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

PAGE = Path(__file__).resolve().parents[2] / "docs/measured/bench.md"
TITLES = {
    "login": "Login to first kernel output",
    "upload": "Upload of a large file",
    "listing": "Workspace listing at 100,000 entries",
    "deid": "De-identification, disk to disk",
    "import": "Import of 10,000 instances into a clinical project",
    "audit": "The audit log at 100,000 records",
    "clusters": "Dask clusters beside a bare LocalCluster",
}
INTRODUCTION = """# Measured: make bench

Written by `tests/benchmarks/bench.py` (`make bench`). Each section says on what machine and under which load it was
measured; figures of different sections or days are not to be compared with each other, those of one table are.
"""


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the least value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {system}"


def load() -> float:
    """Processes that wanted a core in the last minute."""
    return os.getloadavg()[0]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(' --- ' if i == 0 else ' ---: ' for i in range(len(head)))}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def dated(before: float, after: float | None = None) -> str:
    """When and on what; with a warning where others' work was there too. `after` where our own does not load the machine."""
    ended = "" if after is None else f", {after:.1f} at the end"
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}; load average {before:.1f} before{ended}.\n\n"
    busy = max(before, after or 0) > (os.cpu_count() or 1)
    warning = "**The machine was busy with other work: measure again on an idle one before quoting this.**\n\n"
    return when + (warning if busy else "")


def section(name: str, body: str, load_before: float) -> str:
    return f"## {TITLES[name]}\n\n{dated(load_before, load())}{body.strip()}\n"


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Replace one section of the page and keep the others, in the order of TITLES."""
    found: dict[str, str] = {}
    if page.exists():
        for part in re.split(r"^(?=## )", page.read_text(), flags=re.MULTILINE)[1:]:
            title = part.splitlines()[0].removeprefix("## ")
            found |= {key: part.strip() + "\n" for key, known in TITLES.items() if known == title}
    found[name] = text
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join([INTRODUCTION, *(found[key] for key in TITLES if key in found)]))
