"""Checks of submitted tools for `voxelhub fsck`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sqlalchemy import select

from ..context import Context
from ..database import reading, writing
from ..datasets.storage import remove_tree
from ..fsck.base import Check, Finding
from ..models import ToolVersion, utcnow
from . import catalogue
from .submissions import TAKEN, described, placing, tell


def folders(context: Context, deep: bool) -> list[Finding]:
    """No folder without a row: a kill between the two leaves one."""
    findings = []
    with placing(context.settings), reading(context.engine) as session:  # whoever is between the two has done with it
        rows = set(session.scalars(select(ToolVersion.id)))
        for path in sorted(context.settings.submitted_dir.iterdir()):
            if path.is_dir() and path.name not in rows:
                what = "half a folder" if path.name.startswith(".") else "a folder"
                findings.append(Finding(f"There is {what} {path.name} of a submitted tool without a row.", "delete it",
                                        partial(_drop, context, path)))
    return findings


def versions(context: Context, deep: bool) -> list[Finding]:
    """Each version has its folder; with `deep`, byte for byte what was submitted."""
    findings = []
    with reading(context.engine) as session:
        for row in session.scalars(select(ToolVersion).where(ToolVersion.state.in_(TAKEN)).order_by(ToolVersion.created_at)):
            named = f"The tool {row.name} {row.version} ({row.id}), which is {row.state},"
            if not (context.settings.submitted_dir / row.id / "tool.json").is_file():
                repair = partial(_withdraw, context, row.id) if row.state == "submitted" else None
                offer = "withdraw it, so that it can be submitted again" if repair else ""
                lost = "" if repair else " Restore a backup, or retire it and let a new version be submitted."
                findings.append(Finding(f"{named} has lost its folder.{lost}", offer, repair))
            elif deep and not catalogue.unchanged(context, row):
                findings.append(Finding(f"{named} has other files than were submitted: it is not run. Restore a backup."))
    return findings


def _drop(context: Context, path: Path) -> str:
    with placing(context.settings):
        with reading(context.engine) as session:
            if session.get(ToolVersion, path.name) is not None:
                return "left it: its row came meanwhile"
        remove_tree(path)
    return "deleted the folder"


def _withdraw(context: Context, version_id: str) -> str:
    with writing(context.engine) as session:
        row = session.get_one(ToolVersion, version_id)
        if row.state != "submitted":
            return f"left it: it is {row.state} by now"
        row.state, row.decided_by, row.decided_at, row.decision = "withdrawn", "command-line", utcnow(), "Its folder was lost."
        context.audit.append(session, "command-line", "tool.withdraw", f"tool:{row.id}", detail=described(row))
        tell(session, row)
    return "withdrew it"


CHECKS = [
    Check("tool-folders", "folders of submitted tools without a row", folders),
    Check("tool-versions", "submitted tools with their files", versions),
]
