"""What an import's own process hands to the publisher: verified digests, what the content is, what is held, or why it failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..context import Context
from . import storage
from .describing import Description


@dataclass(frozen=True)
class Verified:
    """Holds only as long as the file's size and time of change stay."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class HeldFile:
    """A file that was not released. Its bytes and its name lie in staging/<run>.held/<id> and <id>.json."""

    id: str
    number: int  # of the file in its import, from 1
    what: str
    size: int
    code: str
    reason: str
    findings: list[dict[str, Any]] = field(default_factory=list)  # {"code", "where", "count"}
    releasable: bool = True


@dataclass(frozen=True)
class Staged:
    digests: dict[str, Verified]
    entries: list[Description] | None
    held: list[HeldFile] = field(default_factory=list)
    base: int | None = None  # number of the version whose files it also holds, 0 for none; None where it adds to nothing
    duplicates: int = 0  # files that arrived and whose content lies at the same path already
    report: dict[str, Any] = field(default_factory=dict)  # what the door did: counts and codes


def staged_path(context: Context, run_id: str) -> Path:
    """Beside the staging folder, so that no uploaded file can pass for it. It exists: the staging folder is complete."""
    return context.settings.staging_dir / f"{run_id}.json"


def write_staged(context: Context, run_id: str, staged: Staged) -> None:
    storage.write_json(staged_path(context, run_id), {
        "digests": {path: [one.size, one.mtime_ns, one.sha256] for path, one in staged.digests.items()},
        "entries": [asdict(one) for one in staged.entries or []],
        "held": [asdict(one) for one in staged.held],
        "base": staged.base, "duplicates": staged.duplicates, "report": staged.report,
    })


def write_failure(context: Context, run_id: str, code: str, sentence: str) -> None:
    storage.write_json(staged_path(context, run_id), {"error": {"code": code, "detail": sentence}})


def read_staged(context: Context, run_id: str) -> Staged | None:
    raw: dict[str, Any] = storage.read_json(staged_path(context, run_id))
    if "digests" not in raw:
        return None
    digests = {path: Verified(*one) for path, one in raw["digests"].items()}
    held = [HeldFile(**one) for one in raw["held"]]
    return Staged(digests, [Description(**one) for one in raw["entries"]], held, raw["base"], raw["duplicates"],
                  raw.get("report", {}))
