"""Tools that people bring: checked, submitted, reviewed. The body of a check or a submission is the tool's folder as ZIP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from ..database import reading
from ..errors import Problem
from ..policy.authorize import require
from ..tools import package, reviewing, submissions, template
from ..wire import Identifier
from ..wire_tools import SubmissionDetail, SubmissionList, SubmissionOut, ToolCheckOut, ToolDecisionIn
from .deps import STREAMED_BODY, CallerDep, ContextDep

router = APIRouter(tags=["tools"])
ZIP = "application/zip"
IN_ZIP: dict[str, Any] = {"requestBody": {"required": True, "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}}
OUT_ZIP: dict[int | str, dict[str, Any]] = {200: {
    "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}, "description": "A ZIP archive."}}
RequestKey = Annotated[str | None, Header(
    alias="Idempotency-Key", min_length=1, max_length=200, pattern=r"^[ -~]+$",
    description="a value of the client's own; sent again, it answers with the submission that it made the first time")]
State = Literal["submitted", "approved", "rejected", "withdrawn", "retired"]


async def zip_body(request: Request, context: ContextDep, actor: CallerDep) -> bytes:
    """The whole body, bound while it comes; nothing of it is read for who may not submit."""
    require(actor, "tool.submit")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != ZIP:
        raise Problem(415, "unsupported_media_type", f"A tool's folder comes as {ZIP}.")
    most = context.settings.tool_max_bytes
    parts, size = [], 0
    async for block in request.stream():
        size += len(block)
        if size > most + package.AROUND:
            raise package.too_large(most)
        parts.append(block)
    return b"".join(parts)


ZipBody = Annotated[bytes, Depends(zip_body)]


@router.post("/tools/check", openapi_extra=IN_ZIP, max_body_size=STREAMED_BODY)
def check(body: ZipBody, context: ContextDep, actor: CallerDep) -> ToolCheckOut:
    """All that is wrong with a tool's folder, in one go and each with its fix; nothing is kept."""
    return submissions.check(context, actor, body)


@router.get("/tools/template", response_class=Response, responses=OUT_ZIP)
def read_template(
    context: ContextDep, actor: CallerDep, name: Annotated[str, Query(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")],
    kind: template.Kind = "python",
) -> Response:
    """A complete small tool to begin with, its tests included."""
    require(actor, "tool.read")
    return _zip(name, template.archive(kind, name))


@router.post("/tools/submissions", status_code=201, openapi_extra=IN_ZIP, max_body_size=STREAMED_BODY)
def submit(
    body: ZipBody, context: ContextDep, actor: CallerDep,
    note: Annotated[str, Query(max_length=2000, description="for who reviews it")] = "", key: RequestKey = None,
) -> SubmissionOut:
    """Hand a version to the administrators. Sent twice with the same Idempotency-Key, it is there once."""
    row = submissions.submit(context, actor, body, note=note, key=key)
    return reviewing.submission_out(context, actor, row)


@router.get("/tools/submissions")
def list_submissions(context: ContextDep, actor: CallerDep, state: State | None = None) -> SubmissionList:
    """The caller's own; administrators see all. What waits for a decision comes first; at most 1000."""
    with reading(context.engine) as session:
        return reviewing.list_submissions(context, session, actor, state=state)


@router.get("/tools/submissions/{submission_id}")
def read_submission(submission_id: Identifier, context: ContextDep, actor: CallerDep) -> SubmissionDetail:
    """With every file and what changed since the last approved version, for its developer and administrators."""
    with reading(context.engine) as session:
        return reviewing.submission_detail(context, session, actor, submissions.version_for(session, actor, submission_id))


@router.post("/tools/submissions/{submission_id}/decision")
def decide(submission_id: Identifier, decision: ToolDecisionIn, context: ContextDep, actor: CallerDep) -> SubmissionOut:
    """Administrators approve, reject, retire or restore a version, with a reason; nobody approves their own."""
    row = reviewing.decide(context, actor, submission_id, decision)
    return reviewing.submission_out(context, actor, row)


@router.post("/tools/submissions/{submission_id}/withdraw")
def withdraw(submission_id: Identifier, context: ContextDep, actor: CallerDep) -> SubmissionOut:
    """Take back a version that nobody has decided about."""
    return reviewing.submission_out(context, actor, submissions.withdraw(context, actor, submission_id))


@router.get("/tools/submissions/{submission_id}/archive", response_class=Response, responses=OUT_ZIP)
def read_archive(submission_id: Identifier, context: ContextDep, actor: CallerDep) -> Response:
    """The folder as it was submitted, for its developer and administrators."""
    row, data = reviewing.archive(context, actor, submission_id)
    return _zip(f"{row.name}-{row.version}", data)


def _zip(name: str, data: bytes) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"', "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=ZIP, headers={**headers, "Cache-Control": "no-store"})
