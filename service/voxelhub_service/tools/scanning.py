"""The scan of a tool's folder: what the manifest's check says, and what its files are. One for API, panel and command line."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..imports.scanning import Scanner, refusal
from ..settings import Settings
from . import package
from .catalogue import NO_ISOLATION
from .environments import missing
from .finding import Finding, error, warning
from .locks import read_lock
from .manifest import Manifest, check_folder, tool_digest
from .scanning_texts import look

INTERPRETERS = ("python", "python3", "Rscript", "sh", "bash", "perl", "julia", "node")
SCRIPT = re.compile(r"(?!/)[\w./-]+\.(?:py|R|r|sh|pl|jl|js)")
TEXT_MOST = 2 * 1024**2  # bytes of one text that are looked through
MAX_FINDINGS = 200
_ORDER = {"error": 0, "warning": 1, "note": 2}
COMPILED = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\x00asm")
ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!")
STORED_OBJECTS = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".rds", ".rdata", ".npy")
# Endings under which an archive is only a format of data.
DATA_IN_ZIP = (".npz", ".xlsx", ".docx", ".nii.gz", ".keras", ".onnx")


@dataclass(frozen=True)
class Scanned:
    """`manifest` is there when nothing is an error; its folder is gone by now, so it is for reading only."""

    findings: tuple[Finding, ...]
    raw: Any
    manifest: Manifest | None
    digest: str

    @property
    def ok(self) -> bool:
        return all(one.level != "error" for one in self.findings)


def scan(files: Mapping[str, bytes], scanner: Scanner | None = None) -> Scanned:
    """`scanner` asks a virus scanner too. Raises Problem where one must answer and does not."""
    with tempfile.TemporaryDirectory(prefix="voxelhub-tool-") as scratch:
        folder = Path(scratch) / "tool"
        package.write(files, folder)
        findings, manifest = check_folder(folder)
        raw = _raw(files)
        digest = tool_digest(raw, folder) if manifest is not None else ""
        virus = list(_viruses(files, folder, scanner)) if scanner else []
    if isinstance(raw, dict):
        findings = list(_sharper(findings, raw, files))
    network = bool(isinstance(raw, dict) and raw.get("network") is True)
    for path, data in sorted(files.items()):
        findings += _file(path, data, network)
    unique = {(one.where, one.sentence): one for one in [*virus, *findings]}
    ordered = sorted(unique.values(), key=lambda one: _ORDER[one.level])[:MAX_FINDINGS]
    whole = manifest if all(one.level != "error" for one in ordered) else None
    return Scanned(tuple(ordered), raw, whole, digest if whole else "")


def here(settings: Settings, scanned: Scanned) -> Iterator[Finding]:
    """What this installation adds to it."""
    if not settings.isolation:
        yield Finding("note", "", NO_ISOLATION, "It can be submitted and reviewed.")
    manifest = scanned.manifest
    if manifest is not None and not manifest.lock and (reason := missing(settings, manifest)):
        yield Finding("warning", "environment", f"`environment`: it cannot run here yet. {reason}")


def text_of(data: bytes) -> str | None:
    """None for what is no text."""
    if b"\0" in data[:8192]:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _raw(files: Mapping[str, bytes]) -> Any:
    try:
        return json.loads(files["tool.json"].decode("utf-8"))
    except (KeyError, ValueError, RecursionError):
        return None


def _sharper(findings: list[Finding], raw: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[Finding]:
    """What the manifest's check cannot know: that the program must lie in the folder, and what stands in the lock."""
    program = list(_program(raw, files))
    places = {one.where for one in program}
    yield from (one for one in findings if one.where not in places)
    yield from program
    lock = raw.get("lock")
    if isinstance(lock, str) and lock in files:
        yield from read_lock(lock, text_of(files[lock]) or "")[1]
    environment = raw.get("environment")
    if isinstance(environment, str) and not environment.startswith("tool-"):
        yield error("environment", f"`environment`: {environment} is no environment for tools.",
                    "Name one that begins with tool-; `voxelhub tool list` shows those that are installed.")


def _program(raw: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[Finding]:
    command = raw.get("command")
    if not isinstance(command, list) or not all(isinstance(one, str) for one in command) or not command:
        return
    place = 1 if command[0] in INTERPRETERS and len(command) > 1 else 0
    program = str(command[place])
    if place == 1 and program in ("-c", "-e"):
        yield warning("command", "`command` holds its program as a text.", "Put the program into a file of the tool's folder.")
    elif program.removeprefix("./") not in files and ((place == 0 and "/" in program) or SCRIPT.fullmatch(program)):
        where = f"command[{place}]"
        yield error(where, f"`{where}`: there is no file {program} in the tool's folder.", "Add it, or correct the name.")
    elif place == 0 and (data := files.get(program.removeprefix("./"))) is not None and not data.startswith(b"#!"):
        yield error("command[0]", f"`command[0]`: {program} cannot be started, it does not begin with #!.",
                    "Write the interpreter in front of it in `command`, or a first line such as #!/bin/sh.")


def _file(path: str, data: bytes, network: bool) -> Iterator[Finding]:
    lower = path.lower()
    text = text_of(data)
    if text is not None:
        yield from look(path, text[:TEXT_MOST], network=network)
        if len(text) > TEXT_MOST:
            yield warning(path, f"`{path}` is longer than {TEXT_MOST // 1024**2} MiB; the rest was not looked through.",
                          "Keep data elsewhere.")
        if lower.endswith(".ipynb") and re.search(r'"outputs":\s{0,9}\[\s{0,99}\{', text):
            yield warning(path, f"`{path}` holds outputs of an earlier execution, which may show data.",
                          "Clear all outputs and save it.")
        return
    if data[128:132] == b"DICM":
        yield error(path, f"`{path}` is a DICOM file: others see a tool, and it must not hold data of patients.", "Take it out.")
    elif data.startswith(COMPILED) or lower.endswith((".pyc", ".so", ".dll", ".dylib", ".class")):
        yield warning(path, f"`{path}` is a compiled program: nobody can read what it does.",
                      "Bring its source, or get it from an environment.")
    elif lower.endswith(STORED_OBJECTS):
        yield warning(path, f"`{path}` may hold stored objects, which can run code when they are loaded.",
                      "Prefer a format of plain numbers.")
    elif data.startswith(ARCHIVES) and not lower.endswith(DATA_IN_ZIP):
        yield warning(path, f"`{path}` is an archive: what is in it was not looked at.", "Put the files themselves there.")
    else:
        yield Finding("note", path, f"`{path}` is no text ({len(data):,} bytes).", "")


def _viruses(files: Mapping[str, bytes], folder: Path, scanner: Scanner) -> Iterator[Finding]:
    for path in files:
        held = refusal(scanner.scan(folder / path), required=scanner.required)
        if held is not None:
            yield error(path, f"`{path}`: {held.reason}", held.fix)
