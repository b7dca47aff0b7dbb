"""A version as one ZIP that is written while it is sent: nothing is stored on the way, memory is bounded by one block."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..models import File
from .storage import BLOCK


class _Sink:
    """Takes what zipfile writes and hands it on. It cannot seek, so sizes follow the data (APPNOTE 4.3.9)."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        pass

    def seekable(self) -> bool:
        return False

    def taken(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def stream(folder: Path, root: str, files: Sequence[File]) -> Iterator[bytes]:
    """Stored, not compressed: image files hardly shrink. ZIP64 where sizes need it."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:  # type: ignore[call-overload]
        for file in files:
            info = zipfile.ZipInfo(f"{root}/{file.path}")
            info.file_size, info.external_attr = file.size, 0o100644 << 16
            with (folder / file.path).open("rb") as source, archive.open(info, "w", force_zip64=file.size > 2**31) as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    yield sink.taken()
    yield sink.taken()
