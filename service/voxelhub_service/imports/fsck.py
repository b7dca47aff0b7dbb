"""Checks of the quarantine for `voxelhub fsck`."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import select

from ..context import Context
from ..database import reading, writing
from ..datasets import quarantine, storage
from ..fsck.base import Check, Finding
from ..models import TERMINAL_STATES, Project, QuarantineItem, Run, utcnow

PATIENCE = timedelta(minutes=3)  # within which the worker's sweep takes away what left the quarantine


def kept(context: Context, deep: bool) -> list[Finding]:
    """Each file that waits has its bytes and its own name; each that is being released has an import on its way."""
    findings = []
    with reading(context.engine) as session:
        items = list(session.execute(
            select(QuarantineItem, Project.name).join(Project, Project.id == QuarantineItem.project_id)
            .where(QuarantineItem.state.in_(quarantine.KEPT)).order_by(QuarantineItem.run_id, QuarantineItem.number)).all())
        releases = {one.release_run_id for one, _ in items if one.state == "releasing"}
        going = set(session.scalars(select(Run.id).where(Run.id.in_(releases), Run.state.not_in(TERMINAL_STATES))))
    for item, project in items:
        where = f"File {item.number} of an import into {project} ({item.id})"
        path = quarantine.bytes_path(context, item)
        if not path.is_file():
            offer = "call it expired" if item.state == "held" else ""
            findings.append(Finding(
                f"{where} is in quarantine, but its bytes are missing.", offer,
                partial(_expire, context, item.id) if offer else None))
        elif path.stat().st_size != item.size:
            findings.append(Finding(f"{where} has another size in quarantine than its row says. Reject it."))
        elif quarantine.name_of(context, item) is None:
            findings.append(Finding(f"{where} has lost its own name.", "name it by its number",
                                    partial(_rename, quarantine.name_path(context, item), item.number)))
        if item.state == "releasing" and item.release_run_id not in going:
            findings.append(Finding(f"{where} is said to be released just now, but no import does it.", "settle it",
                                    partial(_settle, context, item.id)))
    return findings


def strays(context: Context, deep: bool) -> list[Finding]:
    """Each file that lies in quarantine waits there, or belongs to an import that has not ended."""
    findings = []
    for folder in sorted(context.settings.quarantine_dir.iterdir()):
        with reading(context.engine) as session:
            run = session.get(Run, folder.name)
            rows = {one.id: one for one in session.scalars(
                select(QuarantineItem).where(QuarantineItem.run_id == folder.name))}
            released = {one.release_run_id for one in rows.values() if one.state == "released"}
            ends = dict(session.execute(select(Run.id, Run.ended_at).where(Run.id.in_(released))).all())
        if run is not None and run.state not in TERMINAL_STATES:
            continue
        for path in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
            item = rows.get(path.name.removesuffix(".json"))
            if item is None:
                since = run.ended_at if run is not None else None
            elif item.state in quarantine.KEPT:
                continue
            else:
                since = ends.get(item.release_run_id or "") if item.state == "released" else item.decided_at
            if since is None or utcnow() - since > PATIENCE:
                why = f"it is {item.state}" if item is not None else "nothing is known of it"
                findings.append(Finding(f"A file lies in quarantine as {folder.name}/{path.name}, but {why}.", "remove it",
                                        partial(_remove, path)))
        if folder.is_dir() and not any(folder.iterdir()) and run is None:
            findings.append(Finding(f"The quarantine's folder {folder.name} belongs to no import.", "remove it",
                                    partial(_remove, folder)))
    return findings


def _expire(context: Context, item_id: str) -> str:
    with writing(context.engine) as session:
        item = session.get_one(QuarantineItem, item_id)
        if item.state == "held":
            quarantine.expire(context, session, item, "command-line")
    return "it counts as expired; whoever brought it in has to bring it in again"


def _rename(path: Path, number: int) -> str:
    storage.write_json(path, {"name": f"file-{number:06d}"})
    return "named it by its number"


def _settle(context: Context, item_id: str) -> str:
    with writing(context.engine) as session:
        item = session.get_one(QuarantineItem, item_id)
        run = session.get(Run, item.release_run_id or "")
        made = run is not None and run.state == "succeeded" and run.output_version_id is not None
        quarantine.settle_item(context, session, item, run.reason if run is not None else "", released=made)
        return f"it is {item.state}"


def _remove(path: Path) -> str:
    if path.is_dir() and not path.is_symlink():
        storage.remove_tree(path)
    else:
        path.unlink(missing_ok=True)
    return "removed"


CHECKS = (
    Check("quarantine", "what waits in quarantine is there whole", kept),
    Check("quarantine-files", "nothing lies in quarantine that does not wait there", strays),
)
