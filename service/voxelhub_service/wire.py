"""What crosses the wire. The panels' TypeScript types are generated from these (make types)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Identifier = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", examples=["0123456789abcdef0123456789abcdef"])]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ProjectName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Name of a project")]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Size = Annotated[int, Field(ge=0, le=2**53, description="bytes")]

RunState = Literal["queued", "staging_in", "running", "staging_out", "succeeded", "failed", "cancelled"]
EntryKind = Literal["series", "volume", "image", "table", "text", "file"]
Sort = Literal[
    "name", "-name", "data_type", "-data_type", "file_format", "-file_format", "execution", "-execution",
    "size", "-size", "created_at", "-created_at",
]


class Wire(BaseModel):
    model_config = ConfigDict(from_attributes=True, extra="forbid")


class ProblemOut(Wire):
    """RFC 9457 problem document."""

    status: int
    code: str
    detail: str
    fix: str = ""
    field: str = Field(default="", description="what of the request it is about, as arguments.sigma; may be missing")


class Health(Wire):
    status: Literal["ok"]
    version: str
    worker: bool = Field(description="a worker holds the lease")


class ProjectOut(Wire):
    id: Identifier
    name: str
    title: str
    kind: Literal["shared", "personal"]
    open: bool = Field(description="false: clinical, imports pass the clinical door")
    role: Literal["member", "owner", "steward", "administrator"]
    quota_bytes: Size
    used_bytes: Size
    reserved_bytes: Size


class ProjectPatch(Wire):
    open: bool | None = None
    title: Title | None = None
    quota_bytes: Size | None = None


class Me(Wire):
    name: str
    roles: list[str]
    admin: bool
    projects: list[ProjectOut]


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


class TypeFormat(Wire):
    data_type: str
    file_format: str


class ToolInput(Wire):
    name: str
    title: str
    description: str = ""
    accepts: list[TypeFormat] = Field(description="any of these; * stands for every data type")
    minimum: int = 1
    maximum: int = 1


class ToolOutput(Wire):
    name: str
    title: str
    data_type: str
    file_format: str


class ToolResources(Wire):
    cpu: float = Field(gt=0, description="cores")
    memory: Size
    time: int = Field(gt=0, description="seconds")
    gpu: int = 0


class ToolOut(Wire):
    name: str
    version: str
    versions: list[str] = Field(default=[], description="all that the caller may run, newest first")
    state: Literal["built-in", "submitted", "approved", "retired"] = "built-in"
    title: str
    description: str
    keywords: list[str]
    digest: Sha256
    licence: str = ""
    citation: str = ""
    authors: list[str] = []
    homepage: str = ""
    network: bool = False
    sends: str = Field(default="", description="of a tool with network: what its developer says that leaves this machine")
    combinations: list[list[str]] = Field(default=[], description="inputs that may be given together; empty: all required ones")
    inputs: list[ToolInput]
    arguments: dict[str, Any] = Field(description="JSON Schema 2020-12 of the arguments, in the order of the form")
    outputs: list[ToolOutput]
    resources: ToolResources
    eligible: bool
    reason: str = Field(description="why the selection does not fit; empty when it does")
    assignment: dict[str, list[Identifier]] = Field(description="how the selection fills the inputs")
    each: int = Field(description="runs of a batch of the selection: how many items it makes; 0 for a single entry")


class SelectionIn(Wire):
    entries: Annotated[list[Identifier], Field(max_length=5000)]


class ToolList(Wire):
    items: list[ToolOut]


Level = Literal["error", "warning", "note"]


class ToolFinding(Wire):
    """One thing a check says about a tool's folder: what is wrong where, and what would make it right."""

    level: Level
    where: str = Field(description="field of the manifest as inputs[0].accepts, or a file of the folder")
    sentence: str
    fix: str = ""


class ToolCheckOut(Wire):
    """What the conformance check says of a folder; it can be submitted when no finding is an error."""

    ok: bool
    name: str = ""
    version: str = ""
    title: str = ""
    digest: str = ""
    findings: list[ToolFinding] = []


class ToolFileOut(Wire):
    path: str
    size: Size
    sha256: Sha256
    change: Literal["added", "removed", "changed", "unchanged"] = "added"


class SubmissionOut(Wire):
    """A version of a tool that somebody submitted, and what became of it."""

    id: Identifier
    name: str
    version: str
    attempt: int
    title: str
    digest: Sha256
    owner: str
    state: Literal["submitted", "approved", "rejected", "withdrawn", "retired"]
    groups: list[str] = Field(description="that may run it; empty: everyone")
    note: str
    findings: list[ToolFinding]
    rights: list[str] = Field(description="what it asks for beyond the ordinary, a sentence each: network, GPU, much memory …")
    ready: bool = Field(description="its environment is installed here")
    decided_by: str | None
    decided_at: datetime | None
    decision: str
    size: Size
    n_files: int
    created_at: datetime
    may_decide: bool
    may_withdraw: bool


class SubmissionDetail(SubmissionOut):
    manifest: dict[str, Any]
    before: str | None = Field(description="the approved version it is compared with")
    files: list[ToolFileOut]
    diff: str = Field(description="of texts, unified (diff -u); cut at 200,000 characters")


class SubmissionList(Wire):
    items: list[SubmissionOut]


class ToolDecisionIn(Wire):
    decision: Literal["approve", "reject", "retire", "restore"]
    groups: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=50)] = Field(
        default=[], description="for approve and restore: who may run it; empty: everyone")
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


Priority = Annotated[Literal[-1, 0, 1], Field(description="-1 low, 0 normal, 1 high")]


class BatchItemIn(Wire):
    label: Title
    inputs: dict[str, Annotated[list[Identifier], Field(max_length=1000)]]


class BatchPlanIn(Wire):
    tool: Annotated[str, Field(max_length=100)]
    version: str | None = None
    entries: Annotated[list[Identifier], Field(min_length=1, max_length=5000)]


class BatchPlanOut(Wire):
    """How a selection becomes items: one run each. `reason` says why it cannot, where `items` is empty."""

    items: list[BatchItemIn]
    left_out: list[Identifier] = Field(description="entries that fit no item")
    reason: str
    output: Size = Field(description="bytes of quota that all runs together set aside")


class BatchIn(Wire):
    tool: Annotated[str, Field(max_length=100)]
    version: str | None = None
    project: ProjectName = Field(description="where the results go")
    title: Title
    items: Annotated[list[BatchItemIn], Field(min_length=1, max_length=5000)]
    arguments: dict[str, Any] = {}
    priority: Priority = 0


class RunIn(Wire):
    tool: Annotated[str, Field(max_length=100)]
    version: str | None = None
    priority: Priority = 0
    project: ProjectName = Field(description="where the result goes")
    inputs: dict[str, list[Identifier]]
    arguments: dict[str, Any] = {}
    output_title: Title | None = None


class RunOut(Wire):
    id: Identifier
    number: int
    label: str = Field(description="run007")
    project: str
    owner: str
    kind: Literal["import", "tool", "join"]
    title: str
    state: RunState
    reason: str
    progress: float = Field(ge=0, le=1)
    progress_text: str
    priority: int
    batch_id: Identifier | None
    batch_item: int | None
    rerun_of: Identifier | None
    tool: str | None
    tool_version: str | None
    inputs: dict[str, Any]
    arguments: dict[str, Any]
    output_dataset_id: Identifier | None
    output_version: int | None
    exit_code: int | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cancellable: bool


class RunPage(Wire):
    total: int
    items: list[RunOut]


class BatchItemOut(Wire):
    number: int
    label: str
    state: RunState
    reason: str
    progress: float
    run_id: Identifier = Field(description="the newest run of this item")
    run: str = Field(description="run007")
    attempts: int
    output_dataset_id: Identifier | None


class BatchOut(Wire):
    id: Identifier
    project: str
    owner: str
    title: str
    tool: str
    tool_version: str
    arguments: dict[str, Any]
    state: Literal["queued", "running", "joining", "succeeded", "failed", "cancelled"] = Field(
        description="failed: at least one item has failed and none is on its way")
    counts: dict[RunState, int]
    total: int
    progress: float = Field(ge=0, le=1, description="of all items together")
    table_run_id: Identifier | None = Field(description="the run that made the newest joined table")
    table_dataset_id: Identifier | None
    table_entry_id: Identifier | None = Field(description="the newest joined table, to look at")
    table_state: RunState | None = Field(description="of the newest run that makes the table; null: none was needed yet")
    table_reason: str
    created_at: datetime
    ended_at: datetime | None
    cancellable: bool
    retryable: int = Field(description="items that failed or were cancelled and can run again alone")


class BatchDetail(BatchOut):
    items: list[BatchItemOut]


class BatchPage(Wire):
    total: int
    items: list[BatchOut]


class BatchTable(Wire):
    """A row for each item: its number, label, state and reason, then what its table outputs hold."""

    columns: list[str]
    rows: list[list[str | float | int | bool | None]]
    total: int


class LineageNode(Wire):
    """A run or an entry in the history of something. Entries the caller may not see have neither name nor id."""

    key: str
    kind: Literal["run", "entry", "gone", "hidden"]
    id: Identifier | None
    title: str
    detail: str = Field(description="one line: tool and version, or data type and format")
    state: str = ""
    project: str = ""
    at: datetime | None = None
    by: str = ""
    digest: str = Field(default="", description="of an entry's version, or of a run's tool")
    report: list[str] = Field(default=[], description="of an import: what the door and de-identification did, a sentence each")


class LineageEdge(Wire):
    source: str
    target: str
    role: str = Field(description="the input's or output's name")


class LineageOut(Wire):
    """Upstream is what made it, downstream what came of it; edges point the way the data went."""

    subject: str
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    cut: bool = Field(description="there is more than was asked for")


class Difference(Wire):
    what: Literal["tool", "environment", "input", "argument", "output", "exit"]
    name: str
    before: str
    after: str
    sentence: str


class ComparisonOut(Wire):
    """A run beside the one it repeats. `identical`: every declared output has the same bytes."""

    run_id: Identifier
    original_id: Identifier
    identical: bool | None = Field(description="null: one of them has no outputs (yet)")
    compared: int = Field(description="outputs compared, byte by byte through their digests")
    differences: list[Difference]


class LogChunk(Wire):
    offset: int = Field(description="bytes; ask again from here")
    text: str
    end: bool = Field(description="the run has ended and everything was sent")


class EventOut(Wire):
    """The data of a message of GET /events: a hint to read something again. `ready` opens a stream; after `reset` read all."""

    topic: Literal["ready", "reset", "run", "batch", "tool", "upload", "dataset", "project", "quarantine", "cluster", "spend"]
    subject: str = Field(default="", description="id of what changed")
    project: str = Field(default="", description="its project's name")
    payload: dict[str, Any] = {}


class AccessToken(Wire):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_at: datetime


class AuditEventIn(Wire):
    """What hub and authenticator report; only they hold the token for it."""

    event_id: Identifier
    at: datetime
    actor: Annotated[str, Field(max_length=200)]
    action: Annotated[str, Field(max_length=100)]
    resource: Annotated[str, Field(max_length=500)]
    outcome: Literal["success", "denied", "failure"]
    detail: dict[str, Any] = {}


class AuditEventOut(Wire):
    seq: int
    at: str
    actor: str
    action: str
    resource: str
    outcome: str
    detail: dict[str, Any]
    key: str | None = Field(default=None, description="the key that signed it; null: written before signing")
    sentence: str = Field(default="", description="what they did, to stand behind their name")


class AuditState(Wire):
    """How far the log is signed."""

    records: int
    size: int = Field(description="records that the newest checkpoint covers; 0: there is none")
    root: str
    time: datetime | None
    key: str
    origin: str
    late: bool = Field(description="records wait for longer than they should")
    second_size: int | None = Field(description="records that the second place has a checkpoint over; null: none is set")
    second_problem: str


class AuditProof(Wire):
    """Of one record, to be checked with nothing of ours: docs/verify_audit.py."""

    format: str
    record: dict[str, Any]
    leaf: str = Field(description="the record's canonical JSON, as it stands in the tree")
    signature: str | None
    inclusion: list[str]
    checkpoint: dict[str, Any]
    earlier: dict[str, Any]
    consistency: list[str]
    keys: list[dict[str, Any]]


class AuditPage(Wire):
    total: int
    items: list[AuditEventOut]
