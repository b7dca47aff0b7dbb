"""A tool's folder as an archive: packed to the same bytes for the same files, read without trusting a word of it.

What belongs to a tool is what its digest is over: regular files, no hidden ones and no caches. Links are refused. Names,
sizes and counts are checked before and while the bytes come; everything stays in memory, bound by `most`.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from ..datasets import names
from ..datasets.storage import sync_folder
from ..errors import Problem, invalid

MAX_FILES, DEEPEST = 500, 8
RATIO, RATIO_FROM = 200, 4 * 1024**2
BLOCK = 256 * 1024
AROUND = 4 * 1024**2  # bytes that the archive itself may take
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP knows
UNIX, REGULAR = 3, (stat.S_IFREG | 0o644) << 16
RIGHTS = "would run with the rights of its owner (setuid)."
RIGHTS_FIX = "Take that right off it."
SETUID = stat.S_ISUID | stat.S_ISGID
HEADER = b"PK\1\2"  # of each member in the directory of a ZIP archive
JUNK = ("__MACOSX", ".DS_Store")  # what a Mac puts in by itself
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError, MemoryError)
HIDDEN_FIX = "Names with a dot in front and __pycache__ are no part of a tool; leave them out."


def pack(folder: Path, most: int) -> bytes:
    """The folder as ZIP; raises Problem. `most`: bytes that its files may hold together."""
    return zipped(collect(folder, most))


def collect(folder: Path, most: int) -> dict[str, bytes]:
    """The files of a folder by relative path; raises Problem for a link, and for what is too much."""
    files: dict[str, bytes] = {}
    left = most
    for path in _walk(folder):
        if reason := names.refusal(path):
            raise refused(reason)
        size = (folder / path).stat().st_size
        left -= size
        _bound(len(files) + 1, left, most)
        files[path] = (folder / path).read_bytes()
    if "tool.json" not in files:
        raise refused("It holds no tool.json.", "Name the folder that holds the manifest.")
    return files


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The same bytes for the same files, whoever packs them: stored, since two compressors need not agree."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            member = zipfile.ZipInfo(path, EPOCH)
            member.create_system, member.external_attr = UNIX, REGULAR
            archive.writestr(member, files[path])
    return buffer.getvalue()


def read(data: bytes, most: int) -> dict[str, bytes]:
    """The files of an archive by relative path; raises Problem. A single folder around all of them is taken off."""
    if len(data) > most + AROUND:
        raise too_large(most)
    if data.count(HEADER) > 4 * MAX_FILES:  # before anything is made for each of them
        raise _too_many()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _read(archive, len(data), most)
    except BROKEN:
        raise invalid("package_broken", "This is no whole ZIP archive.", "Pack the tool's folder again and send that.") from None
    files = _without_top(files)
    if reason := names.first_refusal(files):
        raise refused(reason)
    if hidden := next((path for path in files if is_hidden(path)), None):
        raise refused(f"It holds “{names.printable(hidden)}”.", HIDDEN_FIX)
    if "tool.json" not in files:
        raise refused("It holds no tool.json.", "Pack the folder that holds the manifest.")
    return files


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Into a folder that does not exist. What begins with #! can be executed."""
    folder.mkdir()
    for path, data in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o755 if data.startswith(b"#!") else 0o644)


def seal(folder: Path) -> None:
    """Read-only from now on, and on disk when this returns."""
    for below, _, found in os.walk(folder, topdown=False):
        for name in found:
            path = Path(below, name)
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.chmod(path.stat().st_mode & 0o555)
        sync_folder(Path(below))
        Path(below).chmod(0o555)


def is_hidden(path: str) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.split("/"))


def refused(reason: str, fix: str = "Change that in the tool's folder and pack it again.") -> Problem:
    return invalid("package_refused", f"This cannot be a tool. {reason}", fix)


def _walk(folder: Path) -> Iterator[str]:
    """Relative paths of what belongs to the tool, in order."""
    if not folder.is_dir():
        raise refused("There is no such folder.", "Name the folder that holds tool.json.")
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(folder / below) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            path = f"{below}/{entry.name}".lstrip("/")
            if is_hidden(entry.name):
                continue
            if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
                raise refused(f"“{names.printable(path)}” is a link or another special file.", "Put the file itself there.")
            if entry.is_file() and entry.stat().st_mode & SETUID:
                raise refused(f"“{names.printable(path)}” {RIGHTS}", RIGHTS_FIX)
            if entry.is_file():
                yield path
            elif path.count("/") < DEEPEST:
                pending.append(path)
            else:
                raise refused(f"It holds folders that are more than {DEEPEST} deep.")


def _read(archive: zipfile.ZipFile, packed: int, most: int) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    for info in archive.infolist():
        mode = info.external_attr >> 16
        if info.is_dir() or set(info.filename.split("/")) & set(JUNK):
            continue
        if stat.S_IFMT(mode) and not stat.S_ISREG(mode):
            raise refused(f"“{names.printable(info.filename)}” is a link or another special file.", "Put the file itself there.")
        if mode & SETUID:
            raise refused(f"“{names.printable(info.filename)}” {RIGHTS}", RIGHTS_FIX)
        if info.flag_bits & 0x1:
            raise refused("It is encrypted.", "Pack it without a password.")
        if reason := names.refusal(info.filename):
            raise refused(reason)
        if "\\" in info.filename or info.filename.count("/") > DEEPEST + 1:
            raise refused("A file name holds a backslash, or its folders are too deep.")
        if info.filename in files:
            raise refused("It holds two files of the same name.")
        parts = []
        with archive.open(info) as source:
            while block := source.read(BLOCK):
                total += len(block)
                _bound(len(files) + 1, most - total, most)
                if total > RATIO_FROM and total > packed * RATIO:
                    raise refused(f"It grows more than {RATIO} times when unpacked, as archives made to do harm do.")
                parts.append(block)
        files[info.filename] = b"".join(parts)
        _bound(len(files), most - total, most)
    return files


def _without_top(files: dict[str, bytes]) -> dict[str, bytes]:
    tops = {PurePosixPath(path).parts[0] for path in files}
    if "tool.json" in files or len(tops) != 1:
        return files
    (top,) = tops
    return {path[len(top) + 1:]: data for path, data in files.items()} if f"{top}/tool.json" in files else files


def _bound(count: int, left: int, most: int) -> None:
    if count > MAX_FILES:
        raise _too_many()
    if left < 0:
        raise too_large(most)


def _too_many() -> Problem:
    return refused(f"It holds more than {MAX_FILES} files.", "Keep data and packages out of the tool's folder.")


def too_large(most: int) -> Problem:
    return Problem(413, "package_too_large", f"A tool's folder may hold {most / 1024**2:.0f} MiB; this holds more.",
                   "Keep data and packages out of it: packages belong into its environment.")
