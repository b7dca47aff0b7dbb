"""What crosses the wire about tools and those that people bring."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from .wire import Identifier, Sha256, Size, Wire


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
    authors: list[str] = Field(default=[])
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
    findings: list[ToolFinding] = Field(default=[])


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
