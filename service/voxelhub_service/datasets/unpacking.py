"""One compressed stream, read forwards only: how much it has grown is watched at every byte, also at those that nobody wants.

A bomb need not hold a large file: headers, padding and skipped members count as well. No read and no window of a
decompressor is larger than the limits here, whatever the archive asks for.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol

import zstandard

BLOCK = 1024**2
MOST_AT_ONCE = 8 * BLOCK  # bytes of one header; members are read in blocks
WINDOW = 128 * 1024**2  # bytes that zstd may look back: what `zstd --long` uses
XZ_MEMORY = 512 * 1024**2


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class TooMuch(Exception):
    """The archive asks for more memory than it may have."""


def decompressed(raw: IO[bytes]) -> Stream:
    """By the first bytes; a plain stream is itself."""
    head = raw.read(6)
    raw.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if head.startswith(b"BZh"):
        return bz2.BZ2File(raw)
    if head == b"\xfd7zXZ\0":
        return _Xz(raw)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        reader: Stream = zstandard.ZstdDecompressor(max_window_size=WINDOW).stream_reader(raw, read_across_frames=True)
        return reader
    return raw


class _Xz:
    """lzma.LZMAFile with a limit of memory: the dictionary may be 4 GiB otherwise."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._inner: Any = lzma.LZMADecompressor(memlimit=XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        while True:
            if self._inner.eof:
                rest = self._inner.unused_data.lstrip(b"\0") or self._raw.read(BLOCK).lstrip(b"\0")
                if not rest:
                    return b""
                self._inner = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
            else:
                rest = self._raw.read(BLOCK) if self._inner.needs_input else b""
                if not rest and self._inner.needs_input:
                    raise EOFError
            if data := self._inner.decompress(rest, size):
                return bytes(data)


class Forward:
    """As much of a file as `tarfile` needs: read, tell, seek ahead. `grown(count)` may raise; `last` is what was read last."""

    def __init__(self, stream: Stream, grown: Callable[[int], None]) -> None:
        self._stream, self._grown, self._at, self.last = stream, grown, 0, b""

    def tell(self) -> int:
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        if whence or position < self._at:
            raise ValueError("only forwards")
        while self._at < position and self.read(min(BLOCK, position - self._at)):
            pass
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Fewer bytes only at the end."""
        if not 0 <= size <= MOST_AT_ONCE:
            raise TooMuch
        parts = []
        while size > 0 and (part := self._stream.read(size)):
            self._grown(len(part))
            self._at += len(part)
            size -= len(part)
            parts.append(part)
        self.last = parts[0] if len(parts) == 1 else b"".join(parts)
        return self.last


def opened(file: Path, grown: Callable[[int], None]) -> tuple[IO[bytes], Forward]:
    """The raw file, to be closed, and what is in it."""
    raw = file.open("rb")
    try:
        return raw, Forward(decompressed(raw), grown)
    except BaseException:
        raw.close()
        raise
