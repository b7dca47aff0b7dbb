"""What the door did in one import, in counts and codes: it stays with the run, for whoever asks where data comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..datasets.staged import Staged
from .job import PROFILE, Job
from .passing import Passed, Result

_ENDS = {"X": "removed", "K": "kept"}  # of DICOM's action codes; any other puts something in the place of a value


def report_of(job: Job, result: Result, staged: Staged, *, scanned: bool) -> dict[str, Any]:
    """No value, no name and no place in a file: kinds of files, reasons of held ones, and how often which action was taken."""
    cleaned = [one.report for one in result.passed if one.report]
    arrived = len(result.passed) + len(result.held)
    return {
        "clinical": bool(job.key), "profile": PROFILE if job.key else "", "source": job.upload.source, "scanned": scanned,
        "waived": job.order.waived, "arrived": arrived, "released": arrived - len(staged.held),
        "duplicates": staged.duplicates,
        "held": _counted(one.code for one in staged.held),
        "kinds": _counted(report["what"] for report in cleaned),
        "pixels": _counted(report["pixels"] for report in cleaned),
        "actions": _actions(result.passed),
        "found": dict(sorted(sum((Counter({finding["code"]: finding["count"]}) for report in cleaned
                                  for finding in report["findings"]), Counter()).items())),
        "codes": sorted({code for report in cleaned for code in report["codes"]}),
    }


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _actions(passed: Iterable[Passed]) -> dict[str, int]:
    """removed, replaced, kept: of every element, tag, field or column in all files."""
    total: Counter[str] = Counter()
    for one in passed:
        for action, count in (one.report or {}).get("actions", {}).items():
            total[family(action)] += count
    return dict(sorted(total.items()))


def family(action: str) -> str:
    """Of an action as a Report names it: "(0010,0010) Z", "private X", "extensions: removed", "column 3: dates replaced"."""
    last = action.rpartition(" ")[2]
    if last in ("removed", "emptied"):
        return "removed"
    return _ENDS.get(last, "replaced")
