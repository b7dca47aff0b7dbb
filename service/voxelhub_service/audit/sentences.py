"""Records in plain words: what somebody did, as the rest of a sentence that begins with their name or "You".

Names of runs, datasets and the like are not in the log. They are looked up when it is read, and shown only to who may read
their project now; otherwise the kind of thing is named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..identity.actor import Actor
from ..models import AuditEvent, Batch, Dataset, DatasetVersion, Entry, File, Project, Run, Upload
from ..policy.authorize import decide

KINDS = {
    "run": "a run", "dataset": "a dataset", "entry": "an entry", "version": "a version", "file": "a file", "upload": "an upload",
    "batch": "a batch", "quarantine": "a file in quarantine", "tool": "a tool", "user": "a user", "project": "a project",
    "cluster": "a Dask cluster", "server": "a notebook server",
}
# {thing}: the resource's name or kind; {project}: " in demo" or nothing; {…}: a member of the detail
TEMPLATES = {
    "user.login": "signed in", "user.logout": "signed out", "user.evict": "lost access to something in use",
    "user.add": "added the user {thing}", "user.reset_password": "set a new password for {thing}",
    "user.disable": "shut out {thing}", "user.enable": "let {thing} in again", "user.delete": "removed the user {thing}",
    "user.join": "put {thing} into {groups}", "user.leave": "took {thing} out of {groups}",
    "server.start": "started a notebook server", "server.stop": "stopped a notebook server",
    "server.evict": "had a notebook server ended", "project.mount": "opened the project {thing} in a notebook server",
    "project.add": "made the project {thing}", "project.configure": "changed the settings of the project {thing}",
    "upload.create": "began to bring in {thing}{project}", "upload.cancel": "cancelled bringing in {thing}",
    "upload.expire": "let {thing} expire", "run.create": "started {thing}{project}", "run.cancel": "cancelled {thing}",
    "run.end": "finished {thing}", "batch.create": "started the batch {thing}{project}",
    "batch.cancel": "cancelled the batch {thing}",
    "batch.retry": "started again what had failed of the batch {thing}", "version.grant": "handed {thing} to a run",
    "dataset.publish": "published version {version} of {thing}{project}",
    "dataset.change": "changed the {changed} of {thing}{project}",
    "dataset.trash": "moved {thing} to the trash{project}", "dataset.restore": "brought {thing} back from the trash{project}",
    "dataset.purge": "removed {thing} for good{project}", "entry.change": "changed {thing}{project}",
    "file.view": "looked at {thing}{project}", "file.download": "downloaded {thing}{project}",
    "quarantine.hold": "had files held in quarantine by {thing}{project}", "quarantine.release": "let {thing} in{project}",
    "quarantine.reject": "rejected {thing}{project}", "quarantine.reveal": "asked for the name of {thing}{project}",
    "quarantine.expire": "let {thing} expire", "quarantine.settle": "settled the release of {thing}",
    "token.issue": "got an access token", "audit.read": "read the audit log", "audit.export": "exported the audit log",
    "audit.sign_begin": "began to sign the audit log", "audit.key_rotate": "changed the key that signs the audit log",
    "audit.spool": "found damaged lines in the hub's spool", "audit.head_reset": "mirrored the audit log's head anew",
    "backup.create": "made a backup", "backup.restore": "restored a backup",
    "tool.submit": "submitted the tool {name} {version}", "tool.withdraw": "withdrew the tool {name} {version}",
    "tool.approve": "approved the tool {name} {version}", "tool.reject": "rejected the tool {name} {version}",
    "tool.retire": "retired the tool {name} {version}", "tool.restore": "restored the tool {name} {version}",
    "tool.install": "installed the environment of the tool {name} {version}",
    "tool.download": "downloaded the tool {name} {version}",
    "cluster.create": "created {thing}{project}", "cluster.scale": "changed the size of {thing}{project}",
    "cluster.close": "closed {thing}{project}", "cluster.end": "ended {thing}{project}",
    "cluster.credentials": "connected to {thing}{project}",
    "budget.warn": "found most of the budget of {thing} spent", "budget.reach": "found the budget of {thing} spent",
    "budget.lift": "found the budget of {thing} raised", "budget.stop": "stopped {thing} at the end of a budget",
    "spend.export": "exported what was spent",
}
REFUSED = {
    "service.access": "tried to use VoxelHub", "audit.read": "tried to read the audit log",
    "file.download": "tried to download a file{project}", "project.configure": "tried to change the settings of {thing}",
    "tool.submit": "tried to submit a tool", "tool.review": "tried to review a tool",
    "quarantine.decide": "tried to decide about a held file{project}",
    "run.cancel_others": "tried to cancel somebody else's run{project}",
    "cluster.credentials": "tried to connect to somebody else's Dask cluster",
    "spend.read_project": "tried to read the spend of {thing}", "spend.read_all": "tried to read all spend",
    "metrics.read": "tried to read the figures for Prometheus",
}


def sentences(session: Session, caller: Actor, records: Sequence[AuditEvent]) -> list[str]:
    """One for each record, in their order."""
    names = _names(session, caller, [record.resource for record in records])
    return [sentence(record, names) for record in records]


def sentence(record: AuditEvent, names: Mapping[str, str]) -> str:
    """The predicate, without a full stop."""
    kind, _, name = record.resource.partition(":")
    thing = names.get(record.resource) or (name if kind in {"user", "project"} else KINDS.get(kind, record.resource))
    detail = record.detail if isinstance(record.detail, dict) else {}
    words = {key: _word(value) for key, value in detail.items()}
    project = words.get("project") or (name if kind == "project" and record.outcome == "denied" else "")
    words |= {"thing": thing, "project": f" in {project}" if project else ""}
    if record.action == "run.create" and detail.get("kind") == "import":
        return f"began the import {_label(detail)}{words['project']}"
    if record.action == "run.create" and detail.get("kind") == "join":
        return f"joined a batch's tables as {_label(detail)}"
    if record.action == "run.create" and record.resource in names:
        label, _, title = thing.partition(", ")
        return f"started {title} as {label}{words['project']}"
    template = REFUSED.get(record.action) if record.outcome == "denied" else TEMPLATES.get(record.action)
    if template is None:
        verb = "tried" if record.outcome == "denied" else "did"
        return f"{verb} “{record.action}”" + (f" on {thing}" if kind in KINDS else "")
    return template.format_map(defaultdict(str, words))


def _word(value: Any) -> str:
    if isinstance(value, list | dict):
        return ", ".join(str(one) for one in value)
    return str(value)


def _label(detail: Mapping[str, Any]) -> str:
    number = detail.get("number")
    return f"run{number:03d}" if isinstance(number, int) else "run"


def _names(session: Session, caller: Actor, resources: Sequence[str]) -> dict[str, str]:
    """resource -> what it is called, for those whose project the caller may read."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for resource in resources:
        kind, _, key = resource.partition(":")
        wanted[kind].append(key)
    projects: dict[str, bool] = {}

    def visible(project_id: str) -> bool:
        if project_id not in projects:
            project = session.get(Project, project_id)
            projects[project_id] = project is not None and decide(caller, "dataset.read", project).allowed
        return projects[project_id]

    found: dict[str, str] = {}
    for row in session.scalars(select(Run).where(Run.id.in_(wanted["run"]))):
        title = f"the import run{row.number:03d}" if row.kind == "import" else f"run{row.number:03d}, {row.title}"
        found |= {f"run:{row.id}": title} if visible(row.project_id) else {}
    for kind, model in (("dataset", Dataset), ("upload", Upload), ("batch", Batch)):
        table: Any = model
        for key, title, project_id in session.execute(
                select(table.id, table.title, table.project_id).where(table.id.in_(wanted[kind]))):
            found |= {f"{kind}:{key}": f"“{title}”"} if visible(project_id) else {}
    for entry in session.scalars(select(Entry).where(Entry.id.in_(wanted["entry"]))):
        found |= {f"entry:{entry.id}": f"“{entry.name}”"} if visible(entry.project_id) else {}
    versions = select(DatasetVersion, Dataset).join(Dataset).where(DatasetVersion.id.in_(wanted["version"]))
    for version, dataset in session.execute(versions):
        found |= {f"version:{version.id}": f"“{dataset.title}”, version {version.number}"} if visible(dataset.project_id) else {}
    files = select(File.id, Entry).join(Entry, File.entry_id == Entry.id).where(File.id.in_(wanted["file"]))
    for file_id, entry in session.execute(files):
        found |= {f"file:{file_id}": f"“{entry.name}”"} if visible(entry.project_id) else {}
    return found
