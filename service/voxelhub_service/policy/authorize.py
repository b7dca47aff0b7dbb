"""The one authorisation: may this actor do this to that? Routes and features only declare action and resource.

What a stranger may not see does not exist for them: without any role in a project the answer is 404, the same as for
an id that was never made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import Problem, forbidden, not_found
from ..identity.actor import Actor
from ..models import Project

Need = Literal["anyone", "developer", "member", "steward", "owner", "administrator", "reviewer", "auditor"]

# action -> the least role that may do it. An action that is not in this table is refused.
RULES: dict[str, Need] = {
    "self.read": "anyone",
    "token.issue": "anyone",
    "vocabulary.read": "anyone",
    "tool.read": "anyone",  # what is approved for them, and what they submitted
    "tool.submit": "developer",
    "tool.review": "reviewer",
    "events.read": "anyone",
    "project.read": "member",
    "project.configure": "administrator",
    "dataset.read": "member",
    "dataset.write": "member",
    "dataset.trash": "member",
    "file.download": "member",
    "upload.write": "member",
    "quarantine.read": "member",  # what they brought in themselves; a steward all of the project
    "quarantine.read_others": "steward",
    "quarantine.decide": "steward",
    "run.read": "member",
    "run.create": "member",
    "run.prioritise": "owner",  # before the runs of others; everyone owns a project of their own, where it is not theirs to say
    "run.cancel": "member",
    "run.cancel_others": "steward",
    "cluster.choose": "anyone",
    "cluster.read": "member",  # their own; an owner all of the project
    "cluster.read_others": "owner",
    "cluster.create": "member",
    "cluster.manage": "member",
    "cluster.manage_others": "owner",
    "spend.read_own": "anyone",
    "spend.read_project": "owner",
    "spend.read_all": "reviewer",
    "metrics.read": "reviewer",
    "audit.read": "auditor",
    "audit.read_own": "anyone",
}
# Of every project, whether they are in it or not.
ADMINISTERED = {"project.read", "project.configure", "cluster.read_others", "cluster.manage_others", "spend.read_project"}
_RANK = {"member": 0, "steward": 1, "owner": 2}


@dataclass(frozen=True)
class Decision:
    allowed: bool
    problem: Problem | None = None


def decide(actor: Actor, action: str, project: Project | None = None) -> Decision:
    """A pure decision. `project` is None for actions that belong to none, and for one that does not exist."""
    need = RULES.get(action)
    if need is None or not actor.allowed:
        return Decision(False, forbidden("You may not do this.", "Ask an administrator for the group that allows it."))
    if actor.kind == "system" or need == "anyone":
        return Decision(True)
    if need == "developer":
        allowed = actor.admin or "tool-developer" in actor.roles
        refusal = forbidden("Only tool developers submit tools.", "Ask an administrator for the role tool-developer.")
        return Decision(allowed, None if allowed else refusal)
    if need == "reviewer":
        what = "review tools" if action == "tool.review" else "read this"
        return Decision(actor.admin, None if actor.admin else forbidden(f"Only administrators {what}."))
    if need == "auditor":
        allowed = actor.admin or "data-protection-officer" in actor.roles
        refusal = forbidden("Only administrators and data-protection officers read the audit log.")
        return Decision(allowed, None if allowed else refusal)
    role = actor.project_roles.get(project.name) if project is not None else None
    if project is not None and project.kind == "personal" and project.owner != actor.name:
        role = None
    if actor.admin and project is not None and action in ADMINISTERED:
        return Decision(True)
    if role is None or project is None:
        return Decision(False, not_found())
    if action == "run.prioritise" and (actor.admin or project.kind == "personal"):
        sentence = "Only owners of a shared project and administrators begin runs with high priority."
        return Decision(actor.admin, None if actor.admin else forbidden(sentence, "Take the normal priority."))
    if need == "administrator" or _RANK[role] < _RANK[need]:
        return Decision(False, forbidden(f"This needs the role {need} in the project; yours is {role}."))
    if action == "file.download" and not project.open:
        sentence = "Files of a clinical project stay inside VoxelHub."
        return Decision(False, forbidden(sentence, "Work with them in a notebook or a tool."))
    return Decision(True)


def require(actor: Actor, action: str, project: Project | None = None) -> None:
    """Raise the Problem of a refusal; the API's error handler appends the audit event of a denial."""
    decision = decide(actor, action, project)
    if decision.problem is not None:
        decision.problem.denied = (action, f"project:{project.name}" if project is not None else "")
        raise decision.problem
