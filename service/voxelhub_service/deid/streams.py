"""Reading and writing for the cleaners: a target that exists only when all of it was written, refusals on the way."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import IO, ParamSpec, Protocol

from .outcome import Held, Outcome

BLOCK = 1024**2
LEVEL = 5  # of gzip: within 2 % of the default's size at twice its speed
P = ParamSpec("P")


class Bytes(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Refused(Exception):
    """Ends the cleaning of a file. Its text is the sentence of `held`, never content."""

    def __init__(self, held: Held) -> None:
        super().__init__(held.reason)
        self.held = held


def unreadable(what: str, reason: str, fix: str = "Export it again, or leave it out.") -> Refused:
    return Refused(Held("unreadable", reason, what, releasable=False, fix=fix))


def not_whole(what: str, reason: str, fix: str = "Copy or export it again.") -> Refused:
    return Refused(Held("not_whole", reason, what, releasable=False, fix=fix))


def refusals(cleaner: Callable[P, Outcome]) -> Callable[P, Outcome]:
    """A cleaner that returns what it raised as Refused."""

    @wraps(cleaner)
    def returning(*args: P.args, **named: P.kwargs) -> Outcome:
        try:
            return cleaner(*args, **named)
        except Refused as refused:
            return refused.held

    return returning


class Sink:
    """Writes a file, gzipped or plain, and knows the digest of what was written before packing."""

    def __init__(self, file: IO[bytes], packed: bool) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        # wbits=31: a gzip member whose header holds neither name nor time (RFC 1952, section 2.3).
        self._packer = zlib.compressobj(LEVEL, wbits=31) if packed else None

    def write(self, data: bytes | memoryview) -> None:
        self._digest.update(data)
        self._file.write(self._packer.compress(data) if self._packer else data)

    def patch(self, where: int, data: bytes) -> None:
        """Overwrites bytes of a plain file; its digest stays that of what was written in order."""
        self._file.seek(where)
        self._file.write(data)
        self._file.seek(0, 2)

    def finish(self) -> None:
        if self._packer:
            self._file.write(self._packer.flush())

    def digest(self) -> str:
        return self._digest.hexdigest()


@contextmanager
def writing(target: Path, packed: bool = False) -> Iterator[Sink]:
    """A new file at `target`; gone again when the block is left by an exception."""
    try:
        with target.open("wb") as file:
            sink = Sink(file, packed)
            yield sink
            sink.finish()
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def exactly(stream: Bytes, size: int) -> bytes:
    """Up to `size` bytes; fewer only at the end."""
    parts, left = [], size
    while left > 0 and (part := stream.read(min(left, BLOCK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def copied(source: Path, target: Path) -> str:
    """Copies byte for byte; the digest."""
    with source.open("rb") as stream, writing(target) as sink:
        while block := stream.read(BLOCK):
            sink.write(block)
    return sink.digest()


def is_gzip(source: Path) -> bool:
    with source.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"
