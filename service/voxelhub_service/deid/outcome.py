"""What cleaning one file comes to: released with a report, or held with a reason. Neither carries a value of the file."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Where something identifying was found and how often. `where` is ours: a tag, a column's number, a region; never content."""

    code: str
    where: str
    count: int = 1


@dataclass
class Report:
    """What was done to one file. JSON of it goes with the dataset: codes and counts, no values."""

    what: str  # "DICOM MR Image Storage", "NIfTI volume", "SVS slide" …
    actions: Counter[str] = field(default_factory=Counter)  # "(0010,0010) Z" -> how often; private tags as "private X"
    findings: list[Finding] = field(default_factory=list)
    pixels: str = "none"  # none | untouched | screened | read | masked
    codes: list[str] = field(default_factory=list)  # CID 7050 codes of what was applied: "113100" …

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"actions": dict(sorted(self.actions.items()))}


@dataclass(frozen=True)
class Released:
    """A clean file was written. `path` is neutral, relative, and depends only on content and project key."""

    path: str
    report: Report


@dataclass(frozen=True)
class Held:
    """Nothing was written. `code` is stable; `reason` and `fix` are sentences for the person who brought the file in."""

    code: str
    reason: str
    what: str = "File"
    findings: tuple[Finding, ...] = ()
    releasable: bool = True  # a steward may waive it: `clean(…, waived=True)` will then release the file
    fix: str = ""


Outcome = Released | Held
