"""The bytes of resumable uploads (tus 1.0.0, core protocol): the offset is the size of the part file on disk.

`committed` in the database is what an fsync has covered. After a restart of the machine (another boot id) the part file is
cut back to it: bytes beyond may be holes. After a mere kill of this process nothing is lost.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from ..checkpoints import reached
from ..context import Context
from ..database import writing
from ..errors import Problem, conflict
from ..models import UploadFile, utcnow
from .storage import BLOCK

SYNC_EVERY = 64 * BLOCK  # bytes that a power failure costs at most
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DISK_FULL = Problem(507, "disk_full", "The disk of the service is full; the bytes that arrived are kept.",
                    "Tell the administrator, and resume the upload when there is room.")
# Of an import, whose bytes go with it when it ends.
NO_ROOM = Problem(507, "disk_full", "The disk of the service is full, so nothing of this was brought in.",
                  "Tell the administrator, and bring it in again when there is room.")


def upload_folder(context: Context, upload_id: str) -> Path:
    return context.settings.uploads_dir / upload_id


def part_path(context: Context, file: UploadFile) -> Path:
    return upload_folder(context, file.upload_id) / f"{file.id}.part"


def mark_boot(folder: Path) -> None:
    (folder / "boot").write_text(_boot_id())


def offset_of(context: Context, file: UploadFile) -> int:
    """Bytes of this file that have arrived and will still be there; 0 when the part file does not exist yet."""
    path = part_path(context, file)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 0
    return size if size <= file.committed or _same_boot(path.parent) else file.committed


@contextmanager
def locked(context: Context, file: UploadFile) -> Iterator[int]:
    """The part file, open for this request alone. Raises Problem 423 at once when another request writes it."""
    path = part_path(context, file)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise conflict("upload_ended", "This upload is no longer open.", "Start it again.") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(423, "locked", "Another request is sending this file right now.", "Try again in a moment.") from None
        yield descriptor
    finally:
        os.close(descriptor)


def settle(context: Context, file: UploadFile, descriptor: int) -> int:
    """Under the lock: cut off what a power failure made doubtful; the offset from which to go on."""
    size = os.fstat(descriptor).st_size
    if size > file.committed and not _same_boot(part_path(context, file).parent):
        os.ftruncate(descriptor, file.committed)
        size = file.committed
    mark = part_path(context, file).parent / "boot"
    if not mark.is_file():
        mark_boot(mark.parent)
    return size


def check_room(context: Context) -> None:
    if shutil.disk_usage(context.settings.uploads_dir).free < context.settings.min_free:
        raise DISK_FULL


class Receiver:
    """Writes the body of one PATCH behind the bytes that are there."""

    def __init__(self, context: Context, file: UploadFile, descriptor: int, offset: int) -> None:
        self._context, self._file, self._descriptor = context, file, descriptor
        self.offset, self._synced = offset, offset
        self._buffer = bytearray()

    async def take(self, body: AsyncIterator[bytes]) -> int:
        """The new offset. Whatever ends the body, bytes that arrived are kept, synced and committed."""
        try:
            await self._stream(body)
        finally:
            # A vanished client cancels nothing here: what it sent is to be kept.
            await asyncio.shield(run_in_threadpool(self._finish))
        return self.offset

    async def _stream(self, body: AsyncIterator[bytes]) -> None:
        source = aiter(body)
        idle = self._context.settings.upload_idle
        while True:
            try:
                chunk = await asyncio.wait_for(anext(source), idle)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise Problem(
                    408, "idle", f"No byte arrived for {idle} seconds; what came is kept.", "Resume the upload."
                ) from None
            except ClientDisconnect:
                raise Problem(400, "gone", "The connection ended; what came is kept.", "Resume the upload.") from None
            if self.offset + len(self._buffer) + len(chunk) > self._file.size:
                self._buffer.clear()
                raise Problem(
                    413, "too_many_bytes", "More bytes came than this file was announced to have.", "Start the upload again."
                )
            self._buffer += chunk
            if len(self._buffer) >= BLOCK:
                await run_in_threadpool(self._write)

    def _write(self) -> None:
        view = memoryview(bytes(self._buffer))
        self._buffer.clear()
        try:
            while view:
                written = os.pwrite(self._descriptor, view, self.offset)
                self.offset += written
                view = view[written:]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DISK_FULL from None
            raise
        reached("upload.bytes_written")
        if self.offset - self._synced >= SYNC_EVERY:
            self._commit()

    def _finish(self) -> None:
        try:
            if self._buffer:
                self._write()
        finally:
            if self.offset > self._synced:
                self._commit()

    def _commit(self) -> None:
        os.fsync(self._descriptor)
        reached("upload.bytes_synced")
        commit_offset(self._context, self._file.id, self.offset)
        self._synced = self.offset
        reached("upload.offset_committed")


def commit_offset(context: Context, file_id: str, offset: int) -> None:
    """Also puts off the expiry of the upload: it counts from the last byte."""
    from .uploads import extend  # uploads.py builds on this module

    with writing(context.engine) as session:
        file = session.get(UploadFile, file_id)
        if file is not None:
            file.committed = offset
            extend(context, session, file.upload_id, utcnow())


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"


def _same_boot(folder: Path) -> bool:
    try:
        return (folder / "boot").read_text() == _boot_id()
    except OSError:
        return False
