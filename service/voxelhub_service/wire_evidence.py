"""What crosses the wire about lineage, comparison and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from .wire import Identifier, Wire


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


class AuditEventIn(Wire):
    """What hub and authenticator report; only they hold the token for it."""

    event_id: Identifier
    at: datetime
    actor: Annotated[str, Field(max_length=200)]
    action: Annotated[str, Field(max_length=100)]
    resource: Annotated[str, Field(max_length=500)]
    outcome: Literal["success", "denied", "failure"]
    detail: dict[str, Any] = Field(default={})


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
