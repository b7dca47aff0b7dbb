"""The tables. Words are those of docs/architecture.md; identifiers are random, so that none can be guessed.

Times are timezone-aware UTC. Sizes are bytes. Digests are lower-case hexadecimal SHA-256.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, Integer, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


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


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, datetime: UtcDateTime, str: Text, int: BigInteger}  # noqa: RUF012


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
    kind: Mapped[str]  # import | tool
    title: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued", index=True)
    reason: Mapped[str] = mapped_column(default="")
    wanted: Mapped[str] = mapped_column(default="run")  # run | cancel
    tool: Mapped[str | None]
    tool_version: Mapped[str | None]
    tool_digest: Mapped[str | None]
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
    topic: Mapped[str]  # run | upload | dataset | project
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


TERMINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})
