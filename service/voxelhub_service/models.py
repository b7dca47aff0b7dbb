"""The tables. Words are those of docs/architecture.md; identifiers are random, so that none can be guessed.

Times are timezone-aware UTC. Sizes are bytes. Digests are lower-case hexadecimal SHA-256.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, Integer, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .database import Unstorable


class UtcDateTime(TypeDecorator[datetime]):
    """SQLite keeps no time zone: refuse naive times on the way in, restore UTC on the way out."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("naive datetime")
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class PlainText(TypeDecorator[str]):
    """Without NUL characters, which PostgreSQL does not have."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        if value is not None and "\0" in value:
            raise Unstorable
        return value


class Base(DeclarativeBase):
    # JSON is kept as text on PostgreSQL too: the audit chain is over what was written, to the order of its keys.
    type_annotation_map = {  # noqa: RUF012
        dict[str, Any]: JSON, list[Any]: JSON, datetime: UtcDateTime, str: PlainText, int: BigInteger}


def new_id() -> str:
    return uuid.uuid4().hex


def utcnow() -> datetime:
    return datetime.now(UTC)


def _id() -> Mapped[str]:
    return mapped_column(primary_key=True, default=new_id)


class Project(Base):
    """Sharing and billing unit; its members come from the identity provider's groups `/projects/<name>`."""

    __tablename__ = "project"
    id: Mapped[str] = _id()
    name: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str] = mapped_column(default="")
    kind: Mapped[str] = mapped_column(default="shared")  # shared | personal (name = "home-" + user's slug)
    owner: Mapped[str | None]  # user name of a personal project
    open: Mapped[bool] = mapped_column(default=False)  # False = clinical
    quota_bytes: Mapped[int]
    used_bytes: Mapped[int] = mapped_column(default=0)  # each distinct file (digest within the dataset's links) once
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class Reservation(Base):
    """Quota set aside for an upload or run until its end or expiry."""

    __tablename__ = "reservation"
    id: Mapped[str] = _id()
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    holder: Mapped[str] = mapped_column(unique=True)  # "upload:<id>" | "run:<id>"
    size: Mapped[int]
    expires_at: Mapped[datetime]


class Dataset(Base):
    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("project_id", "name"),)
    id: Mapped[str] = _id()
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"))
    name: Mapped[str]  # folder below the project; never changes
    title: Mapped[str]  # what people read and may change
    description: Mapped[str] = mapped_column(default="")
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    trashed_at: Mapped[datetime | None] = mapped_column(index=True)
    trashed_by: Mapped[str | None]


class DatasetVersion(Base):
    """Immutable. Its identity is the digest of its manifest."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)
    id: Mapped[str] = _id()
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    number: Mapped[int]
    digest: Mapped[str]
    size: Mapped[int]
    n_files: Mapped[int]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), unique=True)  # the import or tool run that made it: exactly once


class Entry(Base):
    """A row of the workspace table: a series, a volume, a slide, or a plain file of one version."""

    __tablename__ = "entry"
    # The table is listed by scanning one of these from either end: every column that a filter reads is in each of them.
    __table_args__ = (
        Index("entry_by_project", "project_id", "visible", "data_type", "file_format", "execution", "dataset_id", "folded"),
        *(
            Index(f"entry_by_{column}", "visible", column, "id", "project_id",
                  *(c for c in ("data_type", "file_format", "execution", "dataset_id", "folded") if c != column))
            for column in ("folded", "data_type", "file_format", "execution", "size", "created_at")
        ),
    )
    id: Mapped[str] = _id()
    version_id: Mapped[str] = mapped_column(ForeignKey("dataset_version.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), index=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"))
    visible: Mapped[bool] = mapped_column(default=True)  # newest version of a dataset that is not in the trash
    name: Mapped[str]
    folded: Mapped[str] = mapped_column(default="")  # name without case, for sorting and searching
    path: Mapped[str]  # file, or folder of a series, relative to the version's folder; "" is the folder itself
    kind: Mapped[str]  # series | volume | image | table | text | file
    data_type: Mapped[str]
    file_format: Mapped[str]
    n_files: Mapped[int]
    size: Mapped[int]
    execution: Mapped[str] = mapped_column(default="")  # "run007" of a tool run, "" for an upload
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)  # shape, spacing, modality …; never an identifier


class File(Base):
    __tablename__ = "file"
    __table_args__ = (UniqueConstraint("version_id", "path"), Index("file_by_entry", "entry_id", "path"))
    id: Mapped[str] = _id()
    version_id: Mapped[str] = mapped_column(ForeignKey("dataset_version.id"))
    entry_id: Mapped[str] = mapped_column(ForeignKey("entry.id"))
    path: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(index=True)


class Upload(Base):
    """open -> importing -> done | failed; open -> cancelled | expired."""

    __tablename__ = "upload"
    id: Mapped[str] = _id()
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    owner: Mapped[str] = mapped_column(index=True)
    dataset_name: Mapped[str]
    title: Mapped[str]
    data_type: Mapped[str | None]  # the user's choice, over what the content proposes
    file_format: Mapped[str | None]
    unpack: Mapped[bool] = mapped_column(default=True)
    state: Mapped[str] = mapped_column(default="open", index=True)
    reason: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(default="upload")  # upload | notebook | demo | url | release
    mode: Mapped[str] = mapped_column(default="replace")  # the new version holds only these files | add: also the last one's
    clinical: Mapped[bool] = mapped_column(default=False)  # passes the clinical door; as the project was when it was made
    origin: Mapped[str] = mapped_column(default="")  # host of a URL; the whole address lies in the upload's folder
    run_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]


class UploadFile(Base):
    """One file of an upload. Its bytes lie in uploads/<upload>/<file>.part; the offset is that file's size.

    A clinical upload's names may name patients: they lie in the upload's folder and go with it; `path` is a number here.
    """

    __tablename__ = "upload_file"
    __table_args__ = (UniqueConstraint("upload_id", "path"),)
    id: Mapped[str] = _id()
    upload_id: Mapped[str] = mapped_column(ForeignKey("upload.id"), index=True)
    path: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str | None]  # as the sender computed it
    committed: Mapped[int] = mapped_column(default=0)  # bytes known to be on disk after fsync


class QuarantineItem(Base):
    """A file that arrived and was not released. held -> releasing -> released; held -> rejected | expired.

    Its bytes and its own name lie in quarantine/<run>/<id> and <id>.json, outside every mount, until it leaves the
    quarantine. `findings` tell where and how often, never what.
    """

    __tablename__ = "quarantine_item"
    id: Mapped[str] = _id()
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), index=True)  # the import that held it
    owner: Mapped[str]  # who brought it in
    title: Mapped[str]  # of the dataset it was meant for
    number: Mapped[int]  # of the file in its import, from 1
    what: Mapped[str]  # DICOM MR image | PDF document | …
    size: Mapped[int]
    code: Mapped[str]  # stable reason: burned_in | unreadable | virus | …
    reason: Mapped[str]  # a sentence
    findings: Mapped[list[Any]] = mapped_column(default=list)  # [{"code", "where", "count"}]
    releasable: Mapped[bool] = mapped_column(default=True)  # a steward may waive this reason
    state: Mapped[str] = mapped_column(default="held", index=True)
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decision: Mapped[str] = mapped_column(default="")  # the steward's written reason
    release_run_id: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
    expires_at: Mapped[datetime]


class Run(Base):
    """One execution of anything long.

    queued -> staging_in -> running -> staging_out -> succeeded | failed | cancelled, each with its reason.
    """

    __tablename__ = "run"
    __table_args__ = (UniqueConstraint("project_id", "number"),)
    id: Mapped[str] = _id()
    number: Mapped[int]  # within the project, never used twice; shown as run007
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"))
    owner: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]  # import | tool | join (the table of a batch)
    title: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued", index=True)
    reason: Mapped[str] = mapped_column(default="")
    wanted: Mapped[str] = mapped_column(default="run")  # run | finish (early, with what it has) | cancel
    priority: Mapped[int] = mapped_column(default=0)  # -1 low | 0 normal | 1 high
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("batch.id", name="fk_run_batch"), index=True)
    batch_item: Mapped[int | None]  # of the batch, from 1; a retried item has several runs
    tool: Mapped[str | None]
    tool_version: Mapped[str | None]
    tool_digest: Mapped[str | None]
    environment_digest: Mapped[str | None]  # of the lock that the tool's environment was made from, when the run began
    cpu: Mapped[float] = mapped_column(default=0.0)  # cores and bytes that the queue counts for it: its tool's, when it was made
    memory: Mapped[int] = mapped_column(default=0)
    inputs: Mapped[dict[str, Any]] = mapped_column(default=dict)  # input name -> list of entry ids
    arguments: Mapped[dict[str, Any]] = mapped_column(default=dict)
    upload_id: Mapped[str | None] = mapped_column(unique=True)
    output_dataset: Mapped[str] = mapped_column(default="")
    output_version_id: Mapped[str | None]
    progress: Mapped[float] = mapped_column(default=0.0)  # 0 … 1
    progress_text: Mapped[str] = mapped_column(default="")
    exit_code: Mapped[int | None]
    request_id: Mapped[str | None] = mapped_column(unique=True)  # the client's Idempotency-Key, prefixed by its user
    rerun_of: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @property
    def label(self) -> str:
        """As people call it in its project: run007."""
        return f"run{self.number:03d}"


class Batch(Base):
    """One tool over many inputs: a run for each item, one table at the end. Its state follows from its runs."""

    __tablename__ = "batch"
    id: Mapped[str] = _id()
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    owner: Mapped[str] = mapped_column(index=True)
    title: Mapped[str]
    tool: Mapped[str]
    tool_version: Mapped[str]
    tool_digest: Mapped[str]
    arguments: Mapped[dict[str, Any]] = mapped_column(default=dict)
    items: Mapped[list[Any]] = mapped_column(default=list)  # [{"label", "inputs": {input name: [entry ids]}}], item 1 first
    joined: Mapped[int] = mapped_column(default=0)  # how often its items have all ended: one table for each time
    request_id: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow, index=True)


class ToolVersion(Base):
    """A version of a tool that somebody submitted; its folder is tools/<id>. Tools that ship have no row.

    submitted -> approved | rejected | withdrawn; approved <-> retired. A rejected or withdrawn version may be submitted again:
    a row of its own, with the next `attempt`.
    """

    __tablename__ = "tool_version"
    __table_args__ = (UniqueConstraint("name", "version", "attempt"),)
    id: Mapped[str] = _id()
    name: Mapped[str]
    version: Mapped[str]
    attempt: Mapped[int] = mapped_column(default=1)
    title: Mapped[str]
    digest: Mapped[str]
    manifest: Mapped[dict[str, Any]]
    owner: Mapped[str] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(default="submitted", index=True)
    groups: Mapped[list[Any]] = mapped_column(default=list)  # full group paths that may run it; empty: everyone
    note: Mapped[str] = mapped_column(default="")  # the developer's words
    findings: Mapped[list[Any]] = mapped_column(default=list)  # of the scan: [{"level", "where", "sentence"}]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decision: Mapped[str] = mapped_column(default="")  # the administrator's written reason
    size: Mapped[int]
    n_files: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class Cluster(Base):
    """A Dask cluster of one person. starting -> running -> closing -> closed | failed, with its reason.

    Its processes' own record lies in clusters/<id>/; `seen` is what the driver observed last.
    """

    __tablename__ = "cluster"
    id: Mapped[str] = _id()
    title: Mapped[str]
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    owner: Mapped[str] = mapped_column(index=True)
    server: Mapped[str | None]  # the owner's notebook server that it dies with; "" is the default one, None: of none
    made_in: Mapped[str]  # panel | notebook | api
    environment: Mapped[str]
    kind: Mapped[str]  # of its workers, in the price list
    cpu: Mapped[float]  # of one worker: cores, bytes, GPUs
    memory: Mapped[int]
    gpus: Mapped[int] = mapped_column(default=0)
    resources: Mapped[dict[str, Any]] = mapped_column(default=dict)  # Dask's abstract resources of one worker
    groups: Mapped[list[Any]] = mapped_column(default=list)  # [{"name", "kind", "cpu", "memory", "gpus", "workers", "resources"}]
    adaptive: Mapped[bool]
    minimum: Mapped[int]
    maximum: Mapped[int]
    workers: Mapped[int]  # wanted now, the groups' own not counted
    wanted: Mapped[str] = mapped_column(default="open")  # open | closed
    state: Mapped[str] = mapped_column(default="starting", index=True)
    reason: Mapped[str] = mapped_column(default="")
    seen: Mapped[dict[str, Any]] = mapped_column(default=dict)
    pinned_until: Mapped[datetime | None]
    active_at: Mapped[datetime | None]  # when something was computed last
    kept_at: Mapped[datetime | None]  # when a notebook's kernel said last that it lives; None: it ends with no kernel
    request_id: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class ClusterEvent(Base):
    """What happened to a cluster, and the measured values that caused it."""

    __tablename__ = "cluster_event"
    __table_args__ = (UniqueConstraint("cluster_id", "number"),)
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    cluster_id: Mapped[str] = mapped_column(ForeignKey("cluster.id"))
    number: Mapped[int]  # within the cluster, as its driver counted: taken in once
    at: Mapped[datetime]
    kind: Mapped[str]  # state | scale | worker | warning
    text: Mapped[str]
    measured: Mapped[dict[str, Any]] = mapped_column(default=dict)


class LedgerEntry(Base):
    """What one thing of one size used and cost on one day (UTC). Grows while it runs; `mark` is what was counted so far.

    The counters of whoever ran it only grow; an entry takes their difference to `mark`, so that a second reading adds nothing.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        UniqueConstraint("kind", "subject", "profile", "day"), Index("ledger_by_owner", "owner", "day"),
        Index("ledger_by_project", "project_id", "day"),
    )
    id: Mapped[str] = _id()
    kind: Mapped[str]  # server | cluster | run
    subject: Mapped[str]  # id of the cluster or run; user/server@start of a server
    title: Mapped[str]
    owner: Mapped[str]
    project_id: Mapped[str | None] = mapped_column(ForeignKey("project.id"))
    profile: Mapped[str]
    tool: Mapped[str] = mapped_column(default="", index=True)
    day: Mapped[str] = mapped_column(index=True)  # ISO 8601
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)  # None while it grows
    seconds: Mapped[float] = mapped_column(default=0.0)
    core_seconds: Mapped[float] = mapped_column(default=0.0)
    gpu_seconds: Mapped[float] = mapped_column(default=0.0)
    used_cpu_seconds: Mapped[float] = mapped_column(default=0.0)
    peak_memory: Mapped[int] = mapped_column(default=0)
    price_per_hour: Mapped[float | None]
    currency: Mapped[str | None]
    price_date: Mapped[str | None]
    mark: Mapped[dict[str, Any]] = mapped_column(default=dict)


class BudgetMark(Base):
    """That a budget was warned about or reached in a month, and when: each once, whatever is restarted."""

    __tablename__ = "budget_mark"
    __table_args__ = (UniqueConstraint("scope", "unit", "month", "level"),)
    id: Mapped[str] = _id()
    scope: Mapped[str]  # person:<name> | project:<name>
    unit: Mapped[str]  # money | cpu_hours | gpu_hours
    month: Mapped[str]
    level: Mapped[int]  # per cent: 80 | 100
    at: Mapped[datetime] = mapped_column(default=utcnow)


class RunCounter(Base):
    """Next run number per project; outlives deleted runs so that none is used twice."""

    __tablename__ = "run_counter"
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), primary_key=True)
    next_number: Mapped[int] = mapped_column(default=1)


class Event(Base):
    """Outbox of the event stream: what a panel should look at again. Written in the transaction of the change."""

    __tablename__ = "event"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - an id is never used twice, or a stream would miss it
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
    project_id: Mapped[str | None]
    user: Mapped[str | None]  # None: every member of the project
    topic: Mapped[str]  # run | upload | dataset | project | cluster | spend
    subject: Mapped[str]  # id of what changed
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Lease(Base):
    """Who may be the one worker, and until when."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    expires_at: Mapped[datetime]


class AuditEvent(Base):
    """One link of the chain: `mac` = HMAC-SHA-256 over the RFC 8785 JSON of the record and the previous mac."""

    __tablename__ = "audit_event"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str]  # RFC 3339, as it entered the hash
    actor: Mapped[str]
    action: Mapped[str]
    resource: Mapped[str]
    outcome: Mapped[str]  # success | denied | failure
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    event_id: Mapped[str | None] = mapped_column(unique=True)  # of a spooled event: taken in once
    previous: Mapped[str]
    mac: Mapped[str]
    key: Mapped[str | None]  # the key that signed it; None: written before there was one
    signature: Mapped[str | None]  # Ed25519, 128 hexadecimal digits


TERMINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})
ENDED_CLUSTERS = frozenset({"closed", "failed"})
