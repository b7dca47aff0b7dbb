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


class ProjectFolders(Wire):
    projects: list[ProjectName] = Field(max_length=1000)


class Me(Wire):
    name: str
    roles: list[str]
    admin: bool
    projects: list[ProjectOut]


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
