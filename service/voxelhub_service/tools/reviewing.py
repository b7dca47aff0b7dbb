"""What administrators see of a submitted version and decide about it.

submitted -> approved | rejected; approved -> retired -> approved. Two pairs of eyes: nobody approves what they submitted.
Approved again, an approved version gets other groups; its files never change.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..checkpoints import reached
from ..context import Context
from ..database import writing
from ..errors import Problem, conflict, forbidden, invalid
from ..identity.actor import Actor
from ..models import ToolVersion, utcnow
from ..policy.authorize import decide as policy_decides
from ..policy.authorize import require
from ..wire_tools import SubmissionDetail, SubmissionList, SubmissionOut, ToolDecisionIn
from . import catalogue, package
from .differences import changed_files, unified
from .environments import installed
from .rights import rights
from .submissions import described, tell, version_for
from .versions import order

# (decision, state before) -> state after
STEPS = {
    ("approve", "submitted"): "approved", ("approve", "approved"): "approved", ("reject", "submitted"): "rejected",
    ("retire", "approved"): "retired", ("restore", "retired"): "approved",
}
OPENS = ("approve", "restore")  # decisions after which others may run it
MOST = 1000  # rows of a listing
DONE = {"approve": "approved", "reject": "rejected", "retire": "retired", "restore": "approved"}


def decide(context: Context, actor: Actor, version_id: str, wanted: ToolDecisionIn) -> ToolVersion:
    """Exactly once: the same decision of the same person sent again changes nothing. Raises Problem."""
    with writing(context.engine) as session:
        row = version_for(session, actor, version_id)
        require(actor, "tool.review")
        groups = _groups(wanted)
        if _decided_so(row, actor, wanted, groups):
            return row
        after = STEPS.get((wanted.decision, row.state))
        if after is None:
            raise conflict("wrong_state", f"{row.name} {row.version} is {row.state}; it cannot be {DONE[wanted.decision]} now.",
                           "Read it again: somebody may have decided meanwhile.")
        if wanted.decision in OPENS:
            _may_open(context, actor, row)
            row.groups = groups
        row.state, row.decided_by, row.decided_at, row.decision = after, actor.name, utcnow(), wanted.reason
        context.audit.append(session, actor, f"tool.{wanted.decision}", f"tool:{row.id}", detail={
            **described(row), "owner": row.owner, "groups": row.groups, "reason": wanted.reason})
        tell(session, row)
    reached("tool.decided")
    return row


def list_submissions(context: Context, session: Session, actor: Actor, *, state: str | None) -> SubmissionList:
    """The caller's own, or all for who reviews; what waits for a decision first, then the newest."""
    require(actor, "tool.read")
    query = select(ToolVersion).order_by(ToolVersion.state != "submitted", ToolVersion.created_at.desc(), ToolVersion.id)
    if not policy_decides(actor, "tool.review").allowed:
        query = query.where(ToolVersion.owner == actor.name)
    if state is not None:
        query = query.where(ToolVersion.state == state)
    return SubmissionList(items=[submission_out(context, actor, row) for row in session.scalars(query.limit(MOST))])


def submission_out(context: Context, actor: Actor, row: ToolVersion) -> SubmissionOut:
    manifest = catalogue.manifest_of(context, row)
    own = row.owner == actor.name
    open_to = ("approved",) if own else ("submitted", "approved", "retired")
    may = policy_decides(actor, "tool.review").allowed and row.state in open_to
    fields = {name: getattr(row, name) for name in (
        "id", "name", "version", "attempt", "title", "digest", "owner", "state", "groups", "note", "findings", "decided_by",
        "decided_at", "decision", "size", "n_files", "created_at")}
    return SubmissionOut(
        **fields, rights=rights(manifest) if manifest else [],
        ready=manifest is not None and installed(context.settings, manifest),
        may_decide=may, may_withdraw=own and row.state == "submitted")


def submission_detail(context: Context, session: Session, actor: Actor, row: ToolVersion) -> SubmissionDetail:
    """With every file, compared with the newest approved version below it."""
    before = _before(session, row)
    old, new = (_files(context, one) if one is not None else {} for one in (before, row))
    return SubmissionDetail(
        **submission_out(context, actor, row).model_dump(), manifest=row.manifest, before=before.version if before else None,
        files=changed_files(old, new), diff=unified(old, new))


def archive(context: Context, actor: Actor, version_id: str) -> tuple[ToolVersion, bytes]:
    """As it was submitted; every time is audited."""
    with writing(context.engine) as session:
        row = version_for(session, actor, version_id)
        data = package.zipped(_files(context, row))
        context.audit.append(session, actor, "tool.download", f"tool:{row.id}", detail=described(row))
    return row, data


def _files(context: Context, row: ToolVersion) -> dict[str, bytes]:
    try:
        return package.collect(context.settings.submitted_dir / row.id, 2**40)
    except (Problem, OSError):
        raise conflict("tool_files_gone", f"The files of {row.name} {row.version} are not in the storage.",
                       "An administrator runs `voxelhub fsck`, and restores a backup.") from None


def _before(session: Session, row: ToolVersion) -> ToolVersion | None:
    others = session.scalars(select(ToolVersion).where(
        ToolVersion.name == row.name, ToolVersion.id != row.id, ToolVersion.state.in_(("approved", "retired"))))
    older = [one for one in others if order(one.version) < order(row.version)]
    return max(older, key=lambda one: order(one.version), default=None)


def _groups(wanted: ToolDecisionIn) -> list[str]:
    groups = sorted(set(wanted.groups))
    if any(not one.startswith("/") or one != one.strip() or len(one) < 2 for one in groups):
        raise invalid("bad_group", "A group is named by its full path.", "Write it as /projects/lung or /voxelhub-gpu.")
    return groups


def _decided_so(row: ToolVersion, actor: Actor, wanted: ToolDecisionIn, groups: list[str]) -> bool:
    same = (row.state, row.decided_by, row.decision) == (DONE[wanted.decision], actor.name, wanted.reason)
    return same and (wanted.decision not in OPENS or row.groups == groups)


def _may_open(context: Context, actor: Actor, row: ToolVersion) -> None:
    if row.owner == actor.name:
        problem = forbidden(f"You submitted {row.name} {row.version} yourself, and nobody approves their own tool.",
                            "Another administrator must look at it.")
        problem.denied = ("tool.review", f"tool:{row.id}")
        raise problem
    if catalogue.name_is_built_in(context, row.name):
        raise conflict("name_built_in", f"{row.name} is a tool that ships with VoxelHub by now.",
                       "Let it be submitted by another name.")
    if not catalogue.unchanged(context, row):
        raise conflict("tool_changed", f"The files of {row.name} {row.version} are not those that were submitted.",
                       "Do not approve it. `voxelhub fsck --deep` says more.")
