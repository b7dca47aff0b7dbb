"""A version of a tool on its way from its developer to the administrators: checked, submitted, withdrawn.

The folder is placed first, then the row: a kill between leaves a folder without a row, which the same request or
`voxelhub fsck --repair` takes away. With an Idempotency-Key the id follows from it, so that what is sent twice is there once.
"""

from __future__ import annotations

import fcntl
import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context, emit
from ..database import reading, writing
from ..datasets.storage import remove_tree, sync_folder
from ..errors import Problem, conflict, forbidden, invalid, not_found
from ..identity.actor import Actor
from ..imports.scanning import make_scanner
from ..models import ToolVersion, new_id, utcnow
from ..policy.authorize import require
from ..settings import Settings
from ..wire_tools import ToolCheckOut, ToolFinding
from . import catalogue, package
from .finding import Finding, error
from .scanning import Scanned, here, scan

RESERVED = frozenset({"check", "submissions", "template"})  # addresses of the API beside /tools/<name>
TAKEN = ("submitted", "approved", "retired")  # states in which a version keeps its name and number
AT_ONCE, PATIENCE = 2, 30.0  # scans in one process; seconds that a further one waits
_scans = threading.BoundedSemaphore(AT_ONCE)


def check(context: Context, actor: Actor, data: bytes) -> ToolCheckOut:
    """All that a submission would be told, without making one."""
    require(actor, "tool.submit")
    files = package.read(data, context.settings.tool_max_bytes)
    scanned = _scan(context, files)
    findings = list(scanned.findings)
    raw = scanned.raw if isinstance(scanned.raw, dict) else {}
    with reading(context.engine) as session:
        findings = [finding for _, finding in _standing(context, session, actor, raw)] + findings
    findings += here(context.settings, scanned)
    ok = all(one.level != "error" for one in findings)
    return ToolCheckOut(ok=ok, name=_text(raw, "name"), version=_text(raw, "version"), title=_text(raw, "title"),
                        digest=scanned.digest, findings=wire_findings(findings))


def submit(context: Context, actor: Actor, data: bytes, *, note: str, key: str | None) -> ToolVersion:
    """Raises Problem: what the check calls an error, or a name or version that is taken."""
    require(actor, "tool.submit")
    files = package.read(data, context.settings.tool_max_bytes)
    scanned = _scan(context, files)
    if scanned.manifest is None:
        raise _not_conformant(scanned)
    row = ToolVersion(
        id=_id(actor, key), name=scanned.manifest.name, version=scanned.manifest.version, title=scanned.manifest.title,
        digest=scanned.digest, manifest=scanned.raw, owner=actor.name, state="submitted", groups=[], note=note,
        findings=[one.model_dump() for one in wire_findings(scanned.findings)],
        size=sum(map(len, files.values())), n_files=len(files),
    )
    with placing(context.settings):
        with reading(context.engine) as session:
            known = session.get(ToolVersion, row.id)
            if known is None:
                _refuse_taken(context, session, actor, row)
        if known is not None:
            return _same(known, row)
        _place(context, row.id, files)
        reached("tool.placed")
        with writing(context.engine) as session:
            _refuse_taken(context, session, actor, row)
            row.attempt = 1 + (session.scalar(select(func.max(ToolVersion.attempt)).where(
                ToolVersion.name == row.name, ToolVersion.version == row.version)) or 0)
            session.add(row)
            session.flush()
            context.audit.append(session, actor, "tool.submit", f"tool:{row.id}", detail=described(row))
            tell(session, row)
    reached("tool.submitted")
    return row


def withdraw(context: Context, actor: Actor, version_id: str) -> ToolVersion:
    """What nobody has decided about is taken back by who submitted it. Asked again, it is the same."""
    with writing(context.engine) as session:
        row = version_for(session, actor, version_id)
        if row.owner != actor.name:
            raise _denied(row, "tool.withdraw", "Only who submitted a version takes it back.", "Reject it instead.")
        if row.state == "withdrawn":
            return row
        if row.state != "submitted":
            raise conflict("decided", f"{row.name} {row.version} is {row.state} already.", "Ask an administrator to retire it.")
        row.state, row.decided_by, row.decided_at = "withdrawn", actor.name, utcnow()
        context.audit.append(session, actor, "tool.withdraw", f"tool:{row.id}", detail=described(row))
        tell(session, row)
    return row


def version_for(session: Session, actor: Actor, version_id: str) -> ToolVersion:
    """For who submitted it and for administrators; to all others it does not exist."""
    require(actor, "tool.read")
    row = session.get(ToolVersion, version_id)
    if row is None or not (actor.admin or row.owner == actor.name):
        raise not_found()
    return row


def described(row: ToolVersion) -> dict[str, Any]:
    """For the audit log."""
    return {"name": row.name, "version": row.version, "attempt": row.attempt, "digest": row.digest}


def tell(session: Session, row: ToolVersion) -> None:
    """Its developer, and everyone who reviews."""
    payload = {"name": row.name, "version": row.version, "state": row.state}
    for user in (row.owner, None):
        emit(session, "tool", row.id, project_id=None, user=user, payload=payload)


def wire_findings(findings: list[Finding] | tuple[Finding, ...]) -> list[ToolFinding]:
    return [ToolFinding(level=one.level, where=one.where, sentence=one.sentence, fix=one.fix) for one in findings]


@contextmanager
def placing(settings: Settings) -> Iterator[None]:
    """One at a time places a folder or takes one away, in this process or another."""
    with (settings.submitted_dir / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _scan(context: Context, files: Mapping[str, bytes]) -> Scanned:
    if not _scans.acquire(timeout=PATIENCE):
        raise Problem(503, "busy", "Many tools are being checked at the moment.", "Try again in a minute.")
    try:
        return scan(files, make_scanner(context.settings))
    finally:
        _scans.release()


def _standing(context: Context, session: Session, actor: Actor, raw: Mapping[str, Any]) -> Iterator[tuple[str, Finding]]:
    """What stands against a new version of this name beside its folder."""
    name, version = _text(raw, "name"), _text(raw, "version")
    if not name:
        return
    if name in RESERVED or catalogue.name_is_built_in(context, name):
        what = "is a word of VoxelHub's own" if name in RESERVED else "is a tool that ships with VoxelHub"
        yield "name_built_in", error("name", f"`name`: {name} {what}.", "Choose another name.")
        return
    rows = list(session.scalars(select(ToolVersion).where(
        ToolVersion.name == name, ToolVersion.state.in_(TAKEN)).order_by(ToolVersion.created_at, ToolVersion.id)))
    if rows and rows[0].owner != actor.name and not actor.admin:
        yield "name_taken", error("name", f"`name`: {name} is taken by somebody else's tool.", "Choose another name.")
    elif any(row.version == version for row in rows):
        yield "version_taken", error("version", f"`version`: {name} {version} is there already, and a version never changes.",
                                     "Raise the version; what was not decided about can be withdrawn instead.")


def _refuse_taken(context: Context, session: Session, actor: Actor, row: ToolVersion) -> None:
    for code, finding in _standing(context, session, actor, {"name": row.name, "version": row.version}):
        raise conflict(code, finding.sentence, finding.fix)


def _not_conformant(scanned: Scanned) -> Problem:
    wrong = [one for one in scanned.findings if one.level == "error"]
    more = f" There are {len(wrong) - 1} more errors; the check lists them." if len(wrong) > 1 else ""
    return invalid("tool_not_conformant", f"{wrong[0].sentence}{more}", wrong[0].fix)


def _same(known: ToolVersion, row: ToolVersion) -> ToolVersion:
    if (known.digest, known.name, known.version) != (row.digest, row.name, row.version):
        raise conflict("key_used_before", "This Idempotency-Key already made another submission.", "Send a new one.")
    return known


def _id(actor: Actor, key: str | None) -> str:
    return new_id() if key is None else hashlib.sha256(f"tool\0{actor.name}\0{key}".encode()).hexdigest()[:32]


def _place(context: Context, version_id: str, files: Mapping[str, bytes]) -> None:
    """Under `placing`. What a killed request left under this id is replaced: no row names it."""
    folder = context.settings.submitted_dir
    part, target = folder / f".{version_id}.part", folder / version_id
    for left in (part, target):
        remove_tree(left)
    package.write(files, part)
    package.seal(part)
    part.rename(target)
    sync_folder(folder)


def _denied(row: ToolVersion, action: str, sentence: str, fix: str) -> Problem:
    problem = forbidden(sentence, fix)
    problem.denied = (action, f"tool:{row.id}")
    return problem


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    return value[:200] if isinstance(value, str) and "\0" not in value else ""
