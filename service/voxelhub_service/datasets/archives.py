"""Unpack ZIP and TAR archives without trusting a word of them: names, links, sizes and counts are checked as the bytes come.

An archive is unpacked only when both its name and its content say so: a .docx or .npz stays the file that it is.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import zstandard

from ..errors import Problem, invalid
from . import names, unpacking
from .storage import BLOCK

TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError, NotImplementedError, OSError,
    ValueError, MemoryError, unpacking.TooMuch, RuntimeError, struct.error,
)
DEEPEST = 40  # folders within each other
UNPACK_YOURSELF = "Unpack it yourself and bring in the files that you need."
RATIO_FROM = 16 * 1024**2  # bytes below which a high ratio is harmless


@dataclass
class Budget:
    """What may still be unpacked, over all archives of an upload."""

    bytes: int
    files: int
    ratio: int


@dataclass(frozen=True)
class Member:
    path: str
    size: int
    sha256: str


def ending_of(name: str) -> str:
    """The archive ending of a file name, '' for another file."""
    lower = name.lower()
    return next(
        (e for e in (".zip", *sorted(TAR_ENDINGS, key=len, reverse=True)) if lower.endswith(e) and len(lower) > len(e)), ""
    )


def is_archive(file: Path, name: str) -> bool:
    ending = ending_of(name)
    if not ending or file.stat().st_size == 0:
        return False
    return ending == ".zip" or ending in TAR_ENDINGS


def unpack(file: Path, name: str, target: Path, budget: Budget, report: Callable[[int], None]) -> list[Member]:
    """Files of the archive below `target`, which must not exist; raises Problem with a sentence naming the archive."""
    shown = names.printable(name)
    guard = _Guard(shown, file.stat().st_size, budget)
    members: list[Member] = []
    seen: set[str] = set()
    try:
        for path, size, opened in (_zip if ending_of(name) == ".zip" else _tar)(file, guard):
            guard.name(path, size, seen)
            with opened() as source:
                members.append(_write(source, target / path, path, guard))
            report(members[-1].size)
    except OSError as error:
        if error.errno is not None:
            raise
        raise _broken(shown) from None
    except BROKEN:
        raise _broken(shown) from None
    if reason := names.first_refusal(member.path for member in members):
        raise _refused(shown, reason)
    return members


class _Guard:
    def __init__(self, shown: str, packed: int, budget: Budget) -> None:
        self._shown, self._packed, self._budget, self._total, self._stream = shown, packed, budget, 0, 0

    def name(self, path: str, size: int, seen: set[str]) -> None:
        if reason := names.refusal(path):
            raise self.refused(reason)
        if path.count("/") > DEEPEST:
            raise self.refused(f"It holds folders that are more than {DEEPEST} deep.")
        if path in seen:
            raise self.refused("It holds two files of the same name.")
        seen.add(path)
        self._count()
        if size > self._budget.bytes:
            raise self._too_large()

    def folder(self, path: str) -> None:
        """A folder is not made, but counted: an archive may hold nothing else, without end."""
        if reason := names.refusal(path):
            raise self.refused(reason)
        self._count()

    def _count(self) -> None:
        self._budget.files -= 1
        if self._budget.files < 0:
            raise self.refused("It holds more files than may be unpacked.")

    def bytes(self, count: int) -> None:
        self._total += count
        self._budget.bytes -= count
        if self._budget.bytes < 0:
            raise self._too_large()
        self._check_ratio(self._total)

    def grown(self, count: int) -> None:
        """Of the whole stream of a TAR archive: what lies between the members as well."""
        self._stream += count
        self._check_ratio(self._stream)

    def _check_ratio(self, total: int) -> None:
        if total > RATIO_FROM and total > self._packed * self._budget.ratio:
            raise self.refused(f"It grows more than {self._budget.ratio} times when unpacked, as archives made to do harm do.")

    def refused(self, reason: str, fix: str = UNPACK_YOURSELF) -> Problem:
        return _refused(self._shown, reason, fix)

    def _too_large(self) -> Problem:
        return self.refused("Unpacked it is larger than the project or the service allows.")


Item = tuple[str, int, Callable[[], IO[bytes]]]


def _zip(file: Path, guard: _Guard) -> Iterator[Item]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                guard.folder(info.filename.rstrip("/"))
                continue
            mode = info.external_attr >> 16
            if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
                raise guard.refused("It holds a link or another special file.")
            if info.flag_bits & 0x1:
                raise guard.refused("It is encrypted.", "Unpack it with its password and bring in the files.")
            yield info.filename, info.file_size, lambda info=info: archive.open(info)  # type: ignore[misc]


def _tar(file: Path, guard: _Guard) -> Iterator[Item]:
    raw, stream = unpacking.opened(file, guard.grown)
    with raw, tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
        while (info := archive.next()) is not None:
            archive.members.clear()  # or every header would be kept
            name = info.name.removeprefix("./")
            if info.isdir():
                guard.folder(name if name not in ("", ".") else "folder")
                continue
            if not info.isreg():
                raise guard.refused("It holds a link or another special file.")

            def opened(info: tarfile.TarInfo = info) -> IO[bytes]:
                source: IO[bytes] | None = archive.extractfile(info)
                assert source is not None
                return source

            yield name, info.size, opened
        if len(stream.last) != tarfile.BLOCKSIZE or any(stream.last):  # tarfile takes a broken header for the end
            raise tarfile.ReadError


def _write(source: IO[bytes], target: Path, path: str, guard: _Guard) -> Member:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(exist_ok=False)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise guard.refused("A file has the same name as a folder.") from None
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        while block := source.read(BLOCK):
            guard.bytes(len(block))
            digest.update(block)
            size += file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return Member(path, size, digest.hexdigest())


def _broken(shown: str) -> Problem:
    return invalid(
        "archive_broken",
        f"“{shown}” is not a whole archive: it cannot be unpacked.",
        "Make or copy it again, or bring it in without unpacking.",
    )


def _refused(shown: str, reason: str, fix: str = UNPACK_YOURSELF) -> Problem:
    return invalid("archive_refused", f"“{shown}” was not unpacked. {reason}", fix)
