"""A folder of the home as the archive that the service takes for a tool, and a template's archive as a folder.

The rules are those of the service, which trusts nothing of this and checks again: regular files, nothing hidden, no caches,
no links; a bounded size. The same files give the same bytes.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES, MAX_FILES, DEEPEST = 100 * 1024**2, 500, 8  # the service's own limit of bytes may be lower
KEEP_OUT = "Keep data and packages out of the tool's folder."
EPOCH = (1980, 1, 1, 0, 0, 0)
REGULAR = (stat.S_IFREG | 0o644) << 16


class PackingError(Exception):
    """`detail` is a sentence, `fix` what would make it right."""

    def __init__(self, status: int, code: str, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.fix = status, code, detail, fix


def folder_of(root: Path, path: str) -> Path:
    """The folder below the home that a page names; raises PackingError for one that lies elsewhere or is none."""
    if "\0" not in path:
        home = root.resolve()
        folder = (home / path.strip("/")).resolve()
        if folder.is_relative_to(home) and folder.is_dir():
            return folder
    raise PackingError(404, "no_such_folder", "There is no such folder in your home.", "Choose the folder that holds tool.json.")


def pack(folder: Path) -> bytes:
    """The folder as ZIP; raises PackingError."""
    buffer, left, count = io.BytesIO(), MAX_BYTES, 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(_files(folder)):
            count += 1
            if count > MAX_FILES:
                raise _refused(f"It holds more than {MAX_FILES} files.", KEEP_OUT)
            with (folder / path).open("rb") as file:
                data = file.read(left + 1)
            left -= len(data)
            if left < 0:
                raise _refused(f"It holds more than {MAX_BYTES // 1024**2} MiB.", KEEP_OUT)
            member = zipfile.ZipInfo(path, EPOCH)
            member.create_system, member.external_attr = 3, REGULAR
            archive.writestr(member, data)
    if not (folder / "tool.json").is_file():
        raise _refused("It holds no tool.json.", "Choose the folder that holds the manifest.")
    return buffer.getvalue()


def unpack(data: bytes, target: Path) -> None:
    """Into a new folder; raises PackingError where there is something already, which stays as it is."""
    try:
        target.mkdir()
    except OSError:
        raise PackingError(409, "exists", f"There is a {target.name} already, or it cannot be made; nothing was written.",
                           "Choose another name.") from None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                path = (target / info.filename).resolve()
                if info.is_dir() or not path.is_relative_to(target.resolve()):
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as file:
                    file.write(archive.read(info))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _files(folder: Path) -> Iterator[str]:
    """Relative paths of what belongs to the tool."""
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(folder / below) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            path = f"{below}/{entry.name}".lstrip("/")
            if entry.name.startswith(".") or entry.name == "__pycache__":
                continue
            if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
                raise _refused(f"“{_shown(path)}” is a link or another special file.", "Put the file itself there.")
            if entry.is_file():
                yield path
            elif path.count("/") < DEEPEST:
                pending.append(path)
            else:
                raise _refused(f"It holds folders that are more than {DEEPEST} deep.", "Choose the tool's own folder.")


def _shown(path: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in path)[:80]


def _refused(detail: str, fix: str) -> PackingError:
    return PackingError(422, "package_refused", f"This cannot be a tool. {detail}", fix)
