"""Uploads and their bytes: tus 1.0.0 (core protocol) on URLs that our own API hands out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..context import Context
from ..database import reading
from ..datasets import tus, uploads
from ..errors import Problem, conflict
from ..identity.actor import Actor
from ..models import Upload, UploadFile
from ..policy.authorize import require
from ..runs.store import run_out
from ..wire import Identifier
from ..wire_datasets import DigestIn, UploadIn, UploadList, UploadOut
from ..wire_runs import RunOut
from .deps import STREAMED_BODY, CallerDep, ContextDep

router = APIRouter(tags=["uploads"])
TUS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
OFFSET_TYPE = "application/offset+octet-stream"


@router.post("/uploads", status_code=201)
def create(
    wanted: UploadIn, context: ContextDep, actor: CallerDep,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> UploadOut:
    """Announce files; quota is set aside. Then PATCH each file that is not `present`, send digests, and complete."""
    upload = uploads.create_upload(context, actor, wanted, idempotency_key)
    return _out(context, upload.id)


@router.get("/uploads")
def list_open(context: ContextDep, actor: CallerDep) -> UploadList:
    """The caller's uploads that are open or being imported, newest first."""
    require(actor, "self.read")
    with reading(context.engine) as session:
        mine = session.scalars(select(Upload).where(
            Upload.owner == actor.name, Upload.state.in_(("open", "importing"))).order_by(Upload.created_at.desc()))
        return UploadList(items=[uploads.upload_out(context, session, upload) for upload in mine])


@router.get("/uploads/{upload_id}")
def read_upload(upload_id: Identifier, context: ContextDep, actor: CallerDep) -> UploadOut:
    with reading(context.engine) as session:
        return uploads.upload_out(context, session, uploads.own_upload(session, actor, upload_id))


@router.delete("/uploads/{upload_id}", status_code=204)
def cancel(upload_id: Identifier, context: ContextDep, actor: CallerDep) -> Response:
    uploads.cancel(context, actor, upload_id)
    return Response(status_code=204)


@router.post("/uploads/{upload_id}/files/{file_id}/digest", status_code=204)
def digest(upload_id: Identifier, file_id: Identifier, sent: DigestIn, context: ContextDep, actor: CallerDep) -> Response:
    """The SHA-256 that the sender computed; the import verifies it."""
    uploads.set_digest(context, actor, upload_id, file_id, sent.sha256)
    return Response(status_code=204)


@router.post("/uploads/{upload_id}/complete")
def complete(upload_id: Identifier, context: ContextDep, actor: CallerDep) -> RunOut:
    """All bytes and digests are there: the import run begins. Asked again, it answers the same run."""
    run = uploads.complete(context, actor, upload_id)
    with reading(context.engine) as session:
        return run_out(session, run)


@router.options("/uploads/{upload_id}/files/{file_id}", status_code=204)
def options(upload_id: Identifier, file_id: Identifier, actor: CallerDep) -> Response:
    require(actor, "self.read")
    return Response(status_code=204, headers={**TUS, "Tus-Version": "1.0.0"})


@router.head("/uploads/{upload_id}/files/{file_id}")
def head(upload_id: Identifier, file_id: Identifier, context: ContextDep, actor: CallerDep) -> Response:
    """tus 1.0.0, HEAD: how many bytes have arrived."""
    with reading(context.engine) as session:
        upload, file = uploads.own_file(session, actor, upload_id, file_id)
    offset = tus.offset_of(context, file) if upload.state == "open" else file.committed
    return Response(headers={**TUS, "Upload-Offset": str(offset), "Upload-Length": str(file.size)})


@router.patch("/uploads/{upload_id}/files/{file_id}", status_code=204, max_body_size=STREAMED_BODY)
async def patch(upload_id: Identifier, file_id: Identifier, request: Request, context: ContextDep, actor: CallerDep) -> Response:
    """tus 1.0.0, PATCH: the next bytes. 409: wrong offset; 423: another request sends this file; 413: beyond its size."""
    offset, length = _headers(request)
    file = await run_in_threadpool(_open_file, context, actor, upload_id, file_id)
    if length is not None and offset + length > file.size:
        raise Problem(413, "too_many_bytes", "More bytes came than this file was announced to have.", "Start the upload again.")
    if file.committed == file.size:  # also a file that is linked from the project: never opened for writing
        if offset != file.size:
            raise _wrong_offset(file.size)
        return Response(status_code=204, headers={**TUS, "Upload-Offset": str(file.size)})
    with tus.locked(context, file) as descriptor:
        file = await run_in_threadpool(_open_file, context, actor, upload_id, file_id)
        present = await run_in_threadpool(tus.settle, context, file, descriptor)
        if present != offset:
            raise _wrong_offset(present)
        receiver = tus.Receiver(context, file, descriptor, offset)
        offset = await receiver.take(request.stream())
    return Response(status_code=204, headers={**TUS, "Upload-Offset": str(offset)})


def _open_file(context: Context, actor: Actor, upload_id: str, file_id: str) -> UploadFile:
    with reading(context.engine) as session:
        upload, file = uploads.own_file(session, actor, upload_id, file_id)
    uploads.must_be_open(upload)
    tus.check_room(context)
    return file


def _headers(request: Request) -> tuple[int, int | None]:
    if request.headers.get("tus-resumable") != "1.0.0":
        raise Problem(412, "tus_version", "This upload speaks tus 1.0.0.", "Send the header Tus-Resumable: 1.0.0.")
    if request.headers.get("content-type") != OFFSET_TYPE:
        raise Problem(415, "unsupported_media_type", f"The bytes of an upload come as {OFFSET_TYPE}.")
    offset, length = request.headers.get("upload-offset", ""), request.headers.get("content-length")
    if not offset.isascii() or not offset.isdecimal() or len(offset) > 18:
        raise Problem(400, "bad_offset", "Upload-Offset is no number of bytes.")
    return int(offset), int(length) if length is not None and length.isascii() and length.isdecimal() else None


def _wrong_offset(present: int) -> Problem:
    return conflict("wrong_offset", f"{present} bytes have arrived.", "Ask for the offset with HEAD and go on from there.")


def _out(context: Context, upload_id: str) -> UploadOut:
    with reading(context.engine) as session:
        return uploads.upload_out(context, session, session.get_one(Upload, upload_id))


