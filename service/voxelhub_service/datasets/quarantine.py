"""The quarantine's bytes and rows: what an import held, until a decision, its expiry, or the end of its release.

Bytes and names lie in quarantine/<run>/<item> and <item>.json (mode 0700, outside every mount). The rows say what counts:
a row changes first, in a transaction; bytes that no row keeps go after it, here or by the worker's next sweep.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context, emit
from ..database import reading, writing
from ..models import TERMINAL_STATES, Project, QuarantineItem, Run, Upload, utcnow
from . import storage

if TYPE_CHECKING:
    from .staged import HeldFile

KEPT = ("held", "releasing")  # states whose bytes and name are kept
YOUNG = 3600.0  # seconds that a folder without rows is left alone
GRACE = timedelta(days=1)  # that a file stays at least after its release failed


def folder_of(context: Context, run_id: str) -> Path:
    return context.settings.quarantine_dir / run_id


def held_folder(context: Context, run_id: str) -> Path:
    """Where an import puts what it holds: beside its staging folder."""
    return context.settings.staging_dir / f"{run_id}.held"


def bytes_path(context: Context, item: QuarantineItem) -> Path:
    return folder_of(context, item.run_id) / item.id


def name_path(context: Context, item: QuarantineItem) -> Path:
    return folder_of(context, item.run_id) / f"{item.id}.json"


def name_of(context: Context, item: QuarantineItem) -> str | None:
    """The file's own name; None where it is lost, or went with the file."""
    try:
        name = storage.read_json(name_path(context, item)).get("name")
    except ValueError:
        return None
    return name if isinstance(name, str) and name else None


def place(context: Context, run_id: str) -> None:
    """Move what an import held to its place, before the transaction that registers it. Idempotent.

    A folder that is there already was placed by an attempt that never registered it: it makes way.
    """
    source, target = held_folder(context, run_id), folder_of(context, run_id)
    if source.is_dir() and not _registered(context, run_id):
        storage.remove_tree(target)
        source.chmod(0o700)
        source.rename(target)
        storage.sync_folder(target)
        storage.sync_folder(target.parent)
    if target.is_dir():
        reached("quarantine.placed")


def _registered(context: Context, run_id: str) -> bool:
    with reading(context.engine) as session:
        return session.scalar(select(QuarantineItem.id).where(QuarantineItem.run_id == run_id).limit(1)) is not None


def register(context: Context, session: Session, run: Run, upload: Upload, held: Sequence[HeldFile]) -> None:
    """The rows of an import's held files, in the transaction that ends it; a release's file goes back to its own row."""
    if not held:
        return
    project = session.get_one(Project, run.project_id)
    if upload.source == "release":
        _hold_again(session, run, held[0])
    else:
        now = utcnow()
        expires = now + timedelta(days=context.settings.quarantine_days)
        session.add_all(
            QuarantineItem(
                id=one.id, project_id=run.project_id, run_id=run.id, owner=upload.owner, title=upload.title, number=one.number,
                what=one.what, size=one.size, code=one.code, reason=one.reason, findings=list(one.findings),
                releasable=one.releasable, created_at=now, expires_at=expires,
            )
            for one in held
        )
    counts = Counter(one.code for one in held)
    context.audit.append(session, run.owner, "quarantine.hold", f"run:{run.id}", detail={
        "project": project.name, "number": run.number, "codes": dict(sorted(counts.items()))})
    tell(session, run.project_id, upload.owner, run.id, held=len(held))


def _hold_again(session: Session, run: Run, found: HeldFile) -> None:
    """What the door found in a waived file is the reason from now on: perhaps one that nobody may waive."""
    item = session.scalar(select(QuarantineItem).where(QuarantineItem.release_run_id == run.id))
    if item is not None:
        item.code, item.reason, item.releasable = found.code, found.reason, found.releasable
        item.findings = list(found.findings)
        _undecide(item)


def settle(context: Context, session: Session, run: Run, succeeded: bool) -> None:
    """In the transaction that ends a run: the file that it was to release is released, or held as before."""
    item = session.scalar(select(QuarantineItem).where(
        QuarantineItem.release_run_id == run.id, QuarantineItem.state == "releasing"))
    if item is not None:
        settle_item(context, session, item, run.reason, released=succeeded and run.output_version_id is not None)


def settle_item(context: Context, session: Session, item: QuarantineItem, why: str, *, released: bool) -> None:
    """Only the version that its import made says that a file is in; `why` says why there is none."""
    if released:
        item.state, item.reason = "released", reason_of(item)
    else:
        item.reason = f"{reason_of(item)}\nIts release ended without a result. {why}".strip()
        _undecide(item)
    context.audit.append(session, "system", "quarantine.settle", f"quarantine:{item.id}", "success" if released else "failure", {
        "state": item.state, "run": item.release_run_id or ""})
    tell(session, item.project_id, item.owner, item.id, state=item.state)


def reason_of(item: QuarantineItem) -> str:
    """Why it is held, without what an earlier release came to."""
    return item.reason.partition("\n")[0]


def _undecide(item: QuarantineItem) -> None:
    item.state, item.decided_by, item.decided_at, item.decision = "held", None, None, ""
    item.expires_at = max(item.expires_at, utcnow() + GRACE)


def tell(session: Session, project_id: str, owner: str, subject: str, **payload: object) -> None:
    """One event for the project's stewards, one for the person who brought the file in."""
    for user in (None, owner):
        emit(session, "quarantine", subject, project_id=project_id, user=user, payload=dict(payload))


def forget(context: Context, run_id: str) -> None:
    """After the end of a run: what it held and nobody registered goes, and the bytes of what it released. Idempotent."""
    storage.remove_tree(held_folder(context, run_id))
    with reading(context.engine) as session:
        released = list(session.scalars(select(QuarantineItem).where(
            QuarantineItem.release_run_id == run_id, QuarantineItem.state == "released")))
    if not _registered(context, run_id):
        storage.remove_tree(folder_of(context, run_id))
    for item in released:
        drop(context, item)


def drop(context: Context, item: QuarantineItem) -> None:
    """The bytes and the name of a file that left the quarantine."""
    bytes_path(context, item).unlink(missing_ok=True)
    name_path(context, item).unlink(missing_ok=True)
    with suppress(OSError):  # others of the same import are still held
        folder_of(context, item.run_id).rmdir()


def sweep_quarantine(context: Context) -> int:
    """Called by the worker: what nobody decided about in time expires, and bytes that no row keeps go; how many expired."""
    now = utcnow()
    late = select(QuarantineItem.id).where(QuarantineItem.state == "held", QuarantineItem.expires_at < now)
    with reading(context.engine) as session:
        due = list(session.scalars(late))
    for item_id in due:
        with writing(context.engine) as session:
            item = session.get_one(QuarantineItem, item_id)
            if item.state == "held" and item.expires_at < now:
                expire(context, session, item, "system")
    for folder in sorted(context.settings.quarantine_dir.iterdir()):
        _sweep(context, folder)
    return len(due)


def expire(context: Context, session: Session, item: QuarantineItem, by: str) -> None:
    item.state, item.decided_at = "expired", utcnow()
    context.audit.append(session, by, "quarantine.expire", f"quarantine:{item.id}", detail={"code": item.code})
    tell(session, item.project_id, item.owner, item.id, state="expired")


def _sweep(context: Context, folder: Path) -> None:
    """A run's rows and its end are one transaction: with one look at both, what has no row will never get one."""
    with reading(context.engine) as session:
        state = session.scalar(select(Run.state).where(Run.id == folder.name))
        rows = dict(session.execute(
            select(QuarantineItem.id, QuarantineItem.state).where(QuarantineItem.run_id == folder.name)).all())
    if state is not None and state not in TERMINAL_STATES:
        return
    with suppress(FileNotFoundError):
        for path in folder.iterdir() if folder.is_dir() else (folder,):
            kept = rows.get(path.name.removesuffix(".json"))
            if kept in KEPT or (kept is None and time.time() - path.stat().st_ctime < YOUNG):
                continue
            if path.is_dir() and not path.is_symlink():
                storage.remove_tree(path)
            else:
                path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
