"""What people do with the quarantine: look, ask for a file's own name, let it in with a written reason, or reject it.

Members see what they brought in themselves; stewards and owners all of their project. What one may not see does not exist.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context
from ..database import reading, writing
from ..datasets import order, quarantine, storage, tus
from ..errors import conflict, invalid
from ..identity.actor import Actor
from ..models import Project, QuarantineItem, Run, Upload, UploadFile, new_id, utcnow
from ..policy.authorize import decide, require
from ..projects.quota import reserve
from ..projects.store import project_by_name
from ..runs.endings import tell as tell_run
from ..runs.store import next_number
from ..wire_datasets import Finding, QuarantineOut, QuarantinePage

REASON = 10  # letters of a written reason, at least
HOLDS_QUOTA = timedelta(days=365)  # an upper bound; the end of the run gives it back


def item_for(session: Session, actor: Actor, item_id: str) -> tuple[QuarantineItem, Project]:
    """The item and its project; to others than who brought it in and stewards it does not exist."""
    item = session.get(QuarantineItem, item_id)
    project = session.get(Project, item.project_id) if item is not None else None
    require(actor, "quarantine.read", project)
    assert item is not None and project is not None
    if item.owner != actor.name and not decide(actor, "quarantine.read_others", project).allowed:
        require(actor, "quarantine.read_others", None)
    return item, project


def list_items(
    session: Session, actor: Actor, *, project: str | None, state: str | None, run: str | None, offset: int, limit: int
) -> QuarantinePage:
    """Newest first, and within an import in its order; `held` counts those of the same question that wait."""
    where: list[ColumnElement[bool]] = [_visible(session, actor, project)]
    if run is not None:
        where.append(QuarantineItem.run_id == run)
    if state is not None:
        where.append(QuarantineItem.state == state)
    counted = select(func.count()).select_from(QuarantineItem).where(*where)
    total = session.scalar(counted) or 0
    held = session.scalar(counted.where(QuarantineItem.state == "held")) or 0
    order_by = (QuarantineItem.created_at.desc(), QuarantineItem.run_id, QuarantineItem.number, QuarantineItem.id)
    rows = session.scalars(select(QuarantineItem).where(*where).order_by(*order_by).offset(offset).limit(limit))
    return QuarantinePage(total=total, held=held, items=items_out(session, actor, list(rows)))


def _visible(session: Session, actor: Actor, only: str | None) -> ColumnElement[bool]:
    if only is not None:
        require(actor, "quarantine.read", project_by_name(session, only))
    rows = select(Project).where(Project.name == only) if only else select(Project)
    projects = [one for one in session.scalars(rows) if decide(actor, "quarantine.read", one).allowed]
    whole = [one.id for one in projects if decide(actor, "quarantine.read_others", one).allowed]
    own = and_(QuarantineItem.project_id.in_([one.id for one in projects]), QuarantineItem.owner == actor.name)
    return or_(QuarantineItem.project_id.in_(whole), own)


def items_out(session: Session, actor: Actor, items: Sequence[QuarantineItem]) -> list[QuarantineOut]:
    rows = session.scalars(select(Project).where(Project.id.in_({one.project_id for one in items})))
    projects = {one.id: (one.name, decide(actor, "quarantine.decide", one).allowed) for one in rows}
    numbers = dict(session.execute(select(Run.id, Run.number).where(Run.id.in_({one.run_id for one in items}))).all())
    same = ("id", "run_id", "owner", "title", "number", "what", "size", "code", "reason", "releasable", "state", "decided_by",
            "decided_at", "decision", "release_run_id", "created_at", "expires_at")
    return [
        QuarantineOut(
            **{name: getattr(one, name) for name in same}, project=projects[one.project_id][0],
            run=f"run{numbers[one.run_id]:03d}", findings=[Finding(**found) for found in one.findings],
            may_decide=one.state == "held" and projects[one.project_id][1],
        )
        for one in items
    ]


def reveal_name(context: Context, actor: Actor, item_id: str) -> str:
    """The file's own name, as it was brought in. Every look is in the audit log before it is answered."""
    with reading(context.engine) as session:
        item, project = item_for(session, actor, item_id)
    name = quarantine.name_of(context, item) if item.state in quarantine.KEPT else None
    if name is None:
        raise conflict("left_quarantine", "This file has left the quarantine, and its own name with it.")
    with writing(context.engine) as session:
        context.audit.append(session, actor, "quarantine.reveal", f"quarantine:{item.id}", detail={"project": project.name})
    return name


def reject(context: Context, actor: Actor, item_id: str, reason: str) -> QuarantineOut:
    """It never comes in; its bytes and its name go. Asked again, the same."""
    reason = _written(reason)
    with writing(context.engine) as session:
        item, project = _to_decide(session, actor, item_id)
        if item.state != "rejected":
            _must_be_held(item)
            _decide(context, session, actor, item, project, "rejected", reason)
        answer = items_out(session, actor, [item])[0]
    quarantine.drop(context, item)
    return answer


def release(context: Context, actor: Actor, item_id: str, reason: str) -> QuarantineOut:
    """Lets the file through the door once more, with its reason waived: an import of its own. Asked again, the same run."""
    reason = _written(reason)
    with reading(context.engine) as session:
        item, project = _to_decide(session, actor, item_id)
        if item.state in ("releasing", "released"):
            return items_out(session, actor, [item])[0]
        _must_be_releasable(item)
        clinical = _clinical(session, item, project)
    upload_id, file_id = new_id(), new_id()
    tus.check_room(context)
    folder = tus.upload_folder(context, upload_id)
    made = False
    try:
        file = _bring(context, item, clinical, folder, file_id)
        with writing(context.engine) as session:
            item, project = _to_decide(session, actor, item_id)
            if item.state not in ("releasing", "released"):
                _must_be_releasable(item)
                run = _begin(context, session, actor, item, project, upload_id, file, clinical)
                item.release_run_id, item.reason = run.id, quarantine.reason_of(item)
                _decide(context, session, actor, item, project, "releasing", reason, run=run.id)
                tell_run(session, run)
                made = True
            answer = items_out(session, actor, [item])[0]
    finally:
        if not made:
            shutil.rmtree(folder, ignore_errors=True)
    if made:
        reached("release.created")
    return answer


def _to_decide(session: Session, actor: Actor, item_id: str) -> tuple[QuarantineItem, Project]:
    item, project = item_for(session, actor, item_id)
    require(actor, "quarantine.decide", project)
    return item, project


def _written(reason: str) -> str:
    reason = reason.strip()
    if len(reason) < REASON:
        raise invalid("reason_missing", f"A decision needs a written reason of at least {REASON} letters.", "Say why.")
    return reason


def _must_be_held(item: QuarantineItem) -> None:
    if item.state == "held":
        return
    if item.state == "releasing":
        raise conflict("being_released", "This file is being released.", "Wait for the end of its import.")
    raise conflict("left_quarantine", f"This file has left the quarantine: it is {item.state}.", "Bring it in again.")


def _must_be_releasable(item: QuarantineItem) -> None:
    _must_be_held(item)
    if not item.releasable:
        raise conflict("not_releasable", f"Nobody may let this file in as it is. {quarantine.reason_of(item)}",
                       "Reject it, and bring in one that is whole and clean.")


def _decide(
    context: Context, session: Session, actor: Actor, item: QuarantineItem, project: Project, state: str, reason: str,
    **more: str,
) -> None:
    item.state, item.decided_by, item.decided_at, item.decision = state, actor.name, utcnow(), reason
    verb = "release" if state == "releasing" else "reject"
    context.audit.append(session, actor, f"quarantine.{verb}", f"quarantine:{item.id}", detail={
        "project": project.name, "code": item.code, "reason": reason, **more})
    quarantine.tell(session, project.id, item.owner, item.id, state=state)


def _clinical(session: Session, item: QuarantineItem, project: Project) -> bool:
    """Whether it passes the clinical door: as its project is now, or was when it arrived; opening a project cleans nothing."""
    run = session.get(Run, item.run_id)
    upload = session.get(Upload, run.upload_id) if run is not None and run.upload_id else None
    return not project.open or upload is None or upload.clinical


def _bring(context: Context, item: QuarantineItem, clinical: bool, folder: Path, file_id: str) -> UploadFile:
    """The file as an upload of one, before any row knows of it: what a kill leaves here belongs to nobody and is swept."""
    source = quarantine.bytes_path(context, item)
    name = quarantine.name_of(context, item) or f"file-{item.number:06d}"
    folder.mkdir(mode=0o700)
    tus.mark_boot(folder)
    _gone_is_a_conflict(lambda: _link(source, folder / f"{file_id}.part"))
    sha256 = storage.sha256_of(folder / f"{file_id}.part")
    path = order.number(1) if clinical else name
    order.write(folder, order.Order(names={path: name}, waived=True))
    storage.sync_folder(folder)
    return UploadFile(id=file_id, upload_id=folder.name, path=path, size=item.size, sha256=sha256, committed=item.size)


def _gone_is_a_conflict(work: Callable[[], None]) -> None:
    try:
        work()
    except FileNotFoundError:
        raise conflict("left_quarantine", "The bytes of this file are gone.", "Reject it, and bring it in again.") from None


def _link(source: Path, target: Path) -> None:
    """Across file systems, a copy."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        shutil.copyfile(source, target, follow_symlinks=False)


def _begin(
    context: Context, session: Session, actor: Actor, item: QuarantineItem, project: Project, upload_id: str, file: UploadFile,
    clinical: bool,
) -> Run:
    """Upload and import run of a release. The steward owns them: the version is theirs to answer for."""
    upload = Upload(
        id=upload_id, project_id=project.id, owner=actor.name, dataset_name="", title=item.title, data_type=None,
        file_format=None, unpack=False, state="importing", source="release", mode="add", clinical=clinical,
        expires_at=utcnow() + timedelta(seconds=context.settings.upload_expiry),
    )
    number = next_number(session, project.id)
    run = Run(
        number=number, project_id=project.id, owner=actor.name, kind="import", title=f"Release for {item.title}"[:200],
        reason="Waits for its turn.", upload_id=upload_id, output_dataset=item.title,
    )
    session.add_all([upload, run])
    session.flush()
    upload.run_id = run.id
    session.add(file)
    reserve(session, project, f"upload:{upload_id}", item.size, utcnow() + HOLDS_QUOTA)
    context.audit.append(session, actor, "run.create", f"run:{run.id}", detail={
        "project": project.name, "number": number, "kind": "import", "quarantine": item.id})
    return run
