"""Load the file of a URL into its upload's folder, whatever becomes of connections, of the host, or of this process.

Beside `<file>.part` lies `<file>.fetch.json`: which bytes of which content are on disk for certain. A later call goes on
from there, or begins again where the content may have changed. Nothing in here looks into the bytes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..checkpoints import reached
from ..context import Context
from ..database import writing
from ..datasets import order, storage, tus
from ..errors import Problem, conflict, invalid
from ..models import Project, Upload, UploadFile, utcnow
from ..projects.quota import human, reserve
from . import addresses
from .fetch_ftp import FtpSource
from .fetch_http import HttpSource, longer
from .slots import slot
from .transfer import Again, Opened, Record, Restart, Source

SYNC_EVERY = 8 * storage.BLOCK  # bytes that a kill costs at most
STEP = 64 * storage.BLOCK  # bytes of quota set aside at a time, where the length is not known
HOLDS_QUOTA = timedelta(days=365)  # an upper bound; the end of the run gives it back
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Patience:
    """Seconds, and how often without one more byte than ever before."""

    attempts: int = 8
    first: float = 1.0
    longest: float = 60.0
    asked: float = 900.0  # the longest Retry-After that is waited for
    idle: float = 60.0
    total: float = 3 * 86400.0


@dataclass(frozen=True)
class Fetched:
    size: int
    sha256: str
    name: str


def fetch(
    context: Context, upload: Upload, file: UploadFile, target: Path, progress: Progress,
    patience: Patience | None = None, resolve: addresses.Resolve = addresses.look_up,
) -> Fetched:
    """The whole file at `target` (`<file>.part`), synced; called again, at once. Raises Problem with a sentence."""
    patience = patience or Patience()
    wanted = order.read(tus.upload_folder(context, upload.id))
    address = addresses.parse(wanted.url)
    part = _Part(context, upload, target, address, progress)
    try:
        if not part.record.sha256:
            _load(_source(context, address, patience, resolve, progress), part, patience)
            part.finish()
        if wanted.sha256 and wanted.sha256 != part.record.sha256:
            raise invalid("digest_differs", f"{address.shown} sent a file whose SHA-256 is not the one that you gave.",
                          "Compare the digest with its publisher's.")
    except Problem:
        part.drop()
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        part.drop()
        raise tus.NO_ROOM from None
    finally:
        part.close()
    return Fetched(part.record.offset, part.record.sha256, part.record.name or address.name)


def _source(
    context: Context, address: addresses.Address, patience: Patience, resolve: addresses.Resolve, progress: Progress
) -> Source:
    folder = context.settings.state_dir / "service" / "hosts"

    def place(host: str) -> AbstractContextManager[None]:
        return slot(folder, host, context.settings.url_per_host,
                    lambda: progress(0.0, f"Waits for other imports that load from {host}"))

    kind = FtpSource if address.scheme == "ftp" else HttpSource
    return kind(address, context.settings.url_private, place, patience.idle, resolve)


def _load(source: Source, part: _Part, patience: Patience) -> None:
    """Tries until all is there. A try that brings more bytes than any before it gives back the patience."""
    attempts, best, deadline = 0, part.record.offset, time.monotonic() + patience.total
    again = Again("")
    while not part.whole:
        try:
            with source.open(part.record) as opened:
                part.take(opened)
            continue
        except Again as error:
            again = error
        except Restart:
            part.restart()
            again = Again("changed the file while it was loaded", 0.0)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            again = Again("does not answer" if isinstance(error, TimeoutError) else "cannot be reached")
        finally:
            part.sync()
        attempts = 1 if part.record.offset > best else attempts + 1
        best = max(best, part.record.offset)
        if attempts >= patience.attempts or time.monotonic() > deadline:
            raise _given_up(part.address, again, attempts)
        _wait(part, again, attempts, patience)


def _wait(part: _Part, again: Again, attempts: int, patience: Patience) -> None:
    """As long as the host asks for; else back-off with full jitter, so that many do not return at once."""
    if again.wait is not None and again.wait > patience.asked:
        raise invalid("url_later", f"{part.address.shown} asks to come back in {again.wait / 60:.0f} minutes.", "Try again then.")
    pause = again.wait if again.wait is not None else random.uniform(0, min(patience.longest, patience.first * 2**attempts))
    part.say(f"{part.address.shown} {again.reason}; trying again")
    time.sleep(pause)


def _given_up(address: addresses.Address, again: Again, attempts: int) -> Problem:
    return conflict("url_unreachable", f"{address.shown} {again.reason}. It was tried {attempts} times.", "Try again later.")


class _Part:
    """The bytes that have arrived, their digest, their record, and the quota they hold."""

    def __init__(self, context: Context, upload: Upload, target: Path, address: addresses.Address, progress: Progress) -> None:
        self.address = address
        self._context, self._upload, self._target, self._progress = context, upload, target, progress
        self._path = target.with_name(f"{target.name.removesuffix('.part')}.fetch.json")
        self._reserved, self._said = 0, 0.0
        self.record = Record.of_json(_json(self._path))
        self.whole = bool(self.record.sha256)
        self._descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._descriptor).st_size < self.record.offset:
            self.record = Record()
            self.whole = False
        os.ftruncate(self._descriptor, self.record.offset)
        self._offset = self.record.offset
        self._digest = hashlib.sha256() if self.whole else self._read_again()
        if self._offset and self._offset == self.record.length:
            self.whole = True

    def take(self, opened: Opened) -> None:
        """All bytes of an answer. Raises Again where they end too early, Problem where they are too many or find no room."""
        if opened.start != self._offset:
            self.restart()
        if opened.start == 0:
            self.record = Record(opened.etag, opened.modified, opened.length, 0, opened.name)
        length = opened.length
        if length is not None:
            self._reserve(length)
        self._tell()
        synced = self._offset
        for block in opened.blocks:
            if length is not None and self._offset + len(block) > length:
                raise longer(self.address)
            if length is None and self._offset + len(block) > self._reserved:
                self._grow(self._offset + len(block))
            self._write(block)
            if self._offset - synced >= SYNC_EVERY:
                synced = self._offset
                self.sync()
                tus.check_room(self._context)
            self._tell()
        if length is not None and self._offset < length:
            raise Again(f"announces {length} bytes and ends after {self._offset}")
        self.whole = True

    def restart(self) -> None:
        self._offset, self.record, self._digest = 0, Record(), hashlib.sha256()
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._save()

    def sync(self) -> None:
        """Bytes first, then the record that vouches for them."""
        if self._offset != self.record.offset:
            os.fsync(self._descriptor)
            reached("fetch.bytes_written")
            self.record = replace(self.record, offset=self._offset)
            self._save()

    def finish(self) -> None:
        os.fsync(self._descriptor)
        self._reserve(self._offset)
        self.record = replace(self.record, offset=self._offset, length=self._offset, sha256=self._digest.hexdigest())
        self._save()
        storage.sync_folder(self._target.parent)
        reached("fetch.complete")
        self.say(f"Loaded {human(self._offset)} from {self.address.shown}")

    def close(self) -> None:
        os.close(self._descriptor)

    def drop(self) -> None:
        self._target.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def say(self, text: str) -> None:
        self._said = time.monotonic()
        length = self.record.length
        self._progress(self._offset / length if length else 0.0, text)

    def _tell(self) -> None:
        """Twice a second at most."""
        if time.monotonic() - self._said < 0.5:
            return
        length, host = self.record.length, self.address.shown
        if length:
            self.say(f"{human(self._offset)} of {human(length)} from {host} ({100 * self._offset // length} %)")
        else:
            self.say(f"{human(self._offset)} from {host}")

    def _write(self, block: bytes) -> None:
        self._digest.update(block)
        view = memoryview(block)
        while view:
            written = os.write(self._descriptor, view)
            self._offset += written
            view = view[written:]

    def _read_again(self) -> Any:
        digest = hashlib.sha256()
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while block := os.read(self._descriptor, storage.BLOCK):
            digest.update(block)
        return digest

    def _save(self) -> None:
        storage.write_json(self._path, asdict(self.record))

    def _grow(self, needed: int) -> None:
        """In steps; where no whole step fits, as much as is needed."""
        try:
            self._reserve(needed + STEP)
        except Problem:
            self._reserve(needed)

    def _reserve(self, size: int) -> None:
        if size == self._reserved:
            return
        with writing(self._context.engine) as session:
            project = session.get_one(Project, self._upload.project_id)
            reserve(session, project, f"upload:{self._upload.id}", size, utcnow() + HOLDS_QUOTA)
        self._reserved = size


def _json(path: Path) -> dict[str, Any]:
    try:
        return storage.read_json(path)
    except ValueError:
        return {}
