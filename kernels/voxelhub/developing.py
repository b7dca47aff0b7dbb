"""A tool of one's own from a notebook or its terminal: made, checked, handed to the administrators.

    voxelhub.new_tool("lung-volume")            # a folder with a complete small tool
    voxelhub.check_tool("lung-volume")          # what is wrong, and what would make it right
    voxelhub.submit_tool("lung-volume", "…")    # and in a terminal: python -m voxelhub tool check lung-volume
"""

from __future__ import annotations

import io
import os
import stat
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from . import client
from .errors import VoxelHubError

MAX_BYTES, MAX_FILES, DEEPEST = 100 * 1024**2, 500, 8  # the service's own limit of bytes may be lower
EPOCH = (1980, 1, 1, 0, 0, 0)
REGULAR = (stat.S_IFREG | 0o644) << 16
ZIP = {"Content-Type": "application/zip"}
LEVELS = {"error": "wrong", "warning": "look", "note": "note"}


@dataclass(frozen=True)
class ToolCheck:
    """`ok`: it can be submitted. `findings` have level, where, sentence and fix."""

    ok: bool
    name: str
    version: str
    findings: list[dict[str, str]] = field(default_factory=list)

    def __repr__(self) -> str:
        lines = [f"{LEVELS[one['level']]:<6} {one['sentence']} {one['fix']}".rstrip() for one in self.findings]
        lines.append("It can be submitted." if self.ok else "It cannot be submitted yet.")
        return "\n".join(lines)


def new_tool(name: str, kind: Literal["python", "r", "shell", "notebook"] = "python") -> Path:
    """Writes the template into a new folder of this name, here; what is there already stays as it is, and is an error."""
    answer = client.send("GET", "tools/template", params={"name": name, "kind": kind})
    if not answer.is_success:
        client.read(answer)
    target = Path(name)
    try:
        target.mkdir()
    except FileExistsError:
        raise VoxelHubError("exists", f"There is a {name} already; nothing was written.", "Choose another name.") from None
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        for info in archive.infolist():
            path = (target / info.filename).resolve()
            if path.is_relative_to(target.resolve()) and not info.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.read(info))
    return target


def check_tool(folder: str | Path) -> ToolCheck:
    """What VoxelHub says about a tool's folder, without submitting it."""
    said = client.request("POST", "tools/check", content=pack(Path(folder)), headers=ZIP, repeat=True)
    return ToolCheck(said["ok"], said["name"], said["version"], said["findings"])


def submit_tool(folder: str | Path, note: str = "") -> dict[str, Any]:
    """Hands the folder to the administrators as it is now; needs the role tool-developer. Raises VoxelHubError."""
    headers = {**ZIP, "Idempotency-Key": uuid.uuid4().hex}
    row: dict[str, Any] = client.request(
        "POST", "tools/submissions", content=pack(Path(folder)), headers=headers, params={"note": note}, repeat=True)
    return row


def pack(folder: Path) -> bytes:
    """The folder as ZIP: regular files, nothing hidden, no caches, no links. Raises VoxelHubError."""
    buffer, left = io.BytesIO(), MAX_BYTES
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for count, path in enumerate(sorted(_files(folder)), 1):
            data = (folder / path).read_bytes() if (folder / path).stat().st_size <= left else b""
            left -= (folder / path).stat().st_size
            if left < 0 or count > MAX_FILES:
                raise _refused(f"It holds more than {MAX_BYTES // 1024**2} MiB or {MAX_FILES} files.",
                               "Keep data and packages out of the tool's folder.")
            member = zipfile.ZipInfo(path, EPOCH)
            member.create_system, member.external_attr = 3, REGULAR
            archive.writestr(member, data)
    if not (folder / "tool.json").is_file():
        raise _refused("It holds no tool.json.", "Name the folder that holds the manifest.")
    return buffer.getvalue()


def _files(folder: Path) -> Iterator[str]:
    pending = [""]
    while pending:
        below = pending.pop()
        try:
            entries = sorted(os.scandir(folder / below), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            raise _refused("There is no such folder.", "Name the folder that holds tool.json.") from None
        for entry in entries:
            path = f"{below}/{entry.name}".lstrip("/")
            if entry.name.startswith(".") or entry.name == "__pycache__":
                continue
            if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
                raise _refused(f"“{path}” is a link or another special file.", "Put the file itself there.")
            if entry.is_file():
                yield path
            elif path.count("/") < DEEPEST:
                pending.append(path)
            else:
                raise _refused(f"It holds folders that are more than {DEEPEST} deep.", "Name the tool's own folder.")


def _refused(sentence: str, fix: str) -> VoxelHubError:
    return VoxelHubError("package_refused", f"This cannot be a tool. {sentence}", fix)
