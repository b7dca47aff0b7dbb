"""What crosses the wire about runs and batches."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from .wire import Identifier, ProjectName, RunState, Size, Title, Wire

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
    arguments: dict[str, Any] = Field(default={})
    priority: Priority = 0


class RunIn(Wire):
    tool: Annotated[str, Field(max_length=100)]
    version: str | None = None
    priority: Priority = 0
    project: ProjectName = Field(description="where the result goes")
    inputs: dict[str, list[Identifier]]
    arguments: dict[str, Any] = Field(default={})
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


class LogChunk(Wire):
    offset: int = Field(description="bytes; ask again from here")
    text: str
    end: bool = Field(description="the run has ended and everything was sent")
