"""What crosses the wire about datasets: entries, files, versions, uploads, quarantine, views."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from .wire import Identifier, ProjectName, Sha256, Size, Title, Wire

EntryKind = Literal["series", "volume", "image", "table", "text", "file"]
Sort = Literal[
    "name", "-name", "data_type", "-data_type", "file_format", "-file_format", "execution", "-execution",
    "size", "-size", "created_at", "-created_at",
]


class Term(Wire):
    id: str
    title: str
    formats: list[str] = Field(default=[], description="for a data type: the file formats it comes in")


class Vocabulary(Wire):
    data_types: list[Term]
    file_formats: list[Term]


class EntryOut(Wire):
    """A row of the workspace table."""

    id: Identifier
    name: str
    kind: EntryKind
    data_type: str
    file_format: str
    project: str
    dataset_id: Identifier
    dataset: str = Field(description="folder name")
    dataset_title: str
    version: int
    path: str = Field(description="in a notebook: /projects/<project>/<dataset>/v<version>/<path>")
    n_files: int
    size: Size
    execution: str = Field(description="run that made it, as run007; empty for what was brought in")
    created_at: datetime
    meta: dict[str, Any]


class EntryPage(Wire):
    total: int
    items: list[EntryOut]


class EntryPatch(Wire):
    name: Title | None = None
    data_type: str | None = None
    file_format: str | None = None


class FileOut(Wire):
    id: Identifier
    path: str
    size: Size
    sha256: Sha256


class FilePage(Wire):
    total: int
    items: list[FileOut]


class VersionOut(Wire):
    number: int
    digest: Sha256
    size: Size
    n_files: int
    created_by: str
    created_at: datetime
    run_id: Identifier
    path: str = Field(description="folder in a notebook: /projects/<project>/<dataset>/v<number>")


class DatasetOut(Wire):
    id: Identifier
    project: str
    name: str
    title: str
    description: str
    created_by: str
    created_at: datetime
    trashed_at: datetime | None
    purge_at: datetime | None
    versions: list[VersionOut]


class ChangedFile(Wire):
    path: str
    change: Literal["added", "removed", "changed"]
    size_before: Size | None
    size_after: Size | None


class VersionDiff(Wire):
    """What a version holds that an earlier one did not, and the reverse. `items` is cut at `limit`; the counts are not."""

    before: int
    after: int
    added: int
    removed: int
    changed: int
    unchanged: int
    total: int
    items: list[ChangedFile]


class StorageUse(Wire):
    user: str
    bytes: Size = Field(description="of the versions this person brought in; a file that several brought in counts for the first")
    datasets: int


class StorageOut(Wire):
    project: str
    quota_bytes: Size
    used_bytes: Size
    reserved_bytes: Size
    trash_bytes: Size = Field(description="of used_bytes: held only by datasets in the trash")
    quarantine_bytes: Size = Field(description="beside used_bytes: waiting in quarantine")
    users: list[StorageUse]


class DatasetPage(Wire):
    total: int
    items: list[DatasetOut]


class DatasetPatch(Wire):
    title: Title | None = None
    description: Annotated[str, Field(max_length=10_000)] | None = None


VersionMode = Annotated[Literal["replace", "add"], Field(
    description="of an existing dataset: the new version holds these files only, or those of the last version too")]


class UploadFileIn(Wire):
    path: Annotated[str, Field(min_length=1, max_length=4096, description="relative path, / between folders")]
    size: Size
    sha256: Sha256 | None = None


class UploadIn(Wire):
    project: ProjectName
    title: Title = Field(description="of the dataset; an existing title in the project gets a new version")
    files: Annotated[list[UploadFileIn], Field(min_length=1, max_length=100_000)]
    data_type: str | None = None
    file_format: str | None = None
    unpack: bool = Field(default=True, description="unpack ZIP and TAR archives")
    source: Literal["upload", "notebook"] = "upload"
    mode: VersionMode = "replace"


class UploadFileOut(Wire):
    id: Identifier
    path: str
    size: Size
    offset: Size = Field(description="bytes that have arrived")
    present: bool = Field(description="the project already holds these bytes: nothing to send")


class UploadOut(Wire):
    id: Identifier
    project: str
    title: str
    state: Literal["open", "importing", "done", "failed", "cancelled", "expired"]
    reason: str
    run_id: Identifier | None
    created_at: datetime
    expires_at: datetime
    size: Size
    received: Size
    files: list[UploadFileOut]


class UploadList(Wire):
    items: list[UploadOut]


class UrlIn(Wire):
    """An import from an address. It runs in the service; no browser need stay open."""

    project: ProjectName
    title: Title
    url: Annotated[str, Field(min_length=8, max_length=4096, description="http, https or ftp; without user name or password")]
    sha256: Sha256 | None = Field(default=None, description="of the file, where its publisher names it; else it is not compared")
    data_type: str | None = None
    file_format: str | None = None
    unpack: bool = True
    mode: VersionMode = "replace"


class Finding(Wire):
    """Where something was found, and how often; never what."""

    code: str
    where: str
    count: int = 1


class QuarantineOut(Wire):
    id: Identifier
    project: str
    run_id: Identifier
    run: str = Field(description="label of the import, as run007")
    owner: str
    title: str = Field(description="of the dataset it was meant for")
    number: int = Field(description="of the file in its import")
    what: str
    size: Size
    code: str
    reason: str
    findings: list[Finding]
    releasable: bool = Field(description="false: nobody may let it in as it is; it can only be rejected")
    state: Literal["held", "releasing", "released", "rejected", "expired"]
    decided_by: str | None
    decided_at: datetime | None
    decision: str
    release_run_id: Identifier | None
    created_at: datetime
    expires_at: datetime
    may_decide: bool = Field(description="the caller is a steward of the project, and it is held")


class QuarantinePage(Wire):
    total: int
    held: int = Field(description="of these, how many wait for a decision")
    items: list[QuarantineOut]


class DecisionIn(Wire):
    reason: Annotated[str, Field(min_length=10, max_length=2000, description="why; it is kept and audited, so name no patient")]


class NameOut(Wire):
    name: str = Field(description="the file's own name, as it was brought in")


class DigestIn(Wire):
    sha256: Sha256


class ViewOut(Wire):
    """How to look at an entry: the panel fetches `content_path` below the API's root."""

    kind: Literal["volume", "image", "table", "text", "none"]
    name: str
    content_path: str = ""
    reason: str = Field(default="", description="for `none`: why, in a sentence")
