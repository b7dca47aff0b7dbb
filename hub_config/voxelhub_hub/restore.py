"""`voxelhub restore FILE`: a backup into an empty state folder, each file checked, the whole proved before use."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import voxelhub_service.audit.cli as audit_cli
import voxelhub_service.fsck.cli as fsck_cli
from voxelhub_service import migrations
from voxelhub_service.secrets import ensure_secret
from voxelhub_service.settings import Settings, load_settings

from . import server_database
from .backup import ABOUT, FORMAT, MANIFEST, SERVICE_DB, SERVICE_DUMP, escape
from .record import record
from .refusal import ON_KUBERNETES, Refusal


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="voxelhub restore", description="Read a backup into an empty state folder (VOXELHUB_STATE_DIR), then prove it.")
    parser.add_argument("file", type=Path)
    wanted = parser.parse_args(arguments)
    settings = load_settings()
    if settings.on_kubernetes:
        raise Refusal(ON_KUBERNETES)
    number = read(settings, wanted.file)
    migrations.upgrade(settings)
    if not (settings.audit_dir / "keys.jsonl").exists():  # a backup of before the log was signed
        ensure_secret(settings.secrets_dir, "audit-signing-key")
    record(settings, "backup.restore", "installation", {"files": number})
    print(f"{number} files are in {settings.state_dir}. Looking at them:", flush=True)
    found = [audit_cli.main(["verify"]), fsck_cli.main(["--deep"])]
    return 1 if any(found) else 0


def read(settings: Settings, source: Path) -> int:
    """Unpack beside the state folder, compare every digest, move into place. Returns the number of files."""
    state = settings.state_dir
    if state.exists() and any(state.iterdir()):
        raise Refusal(f"{state} is not empty. A restore never mixes: move it away, or set another VOXELHUB_STATE_DIR.")
    state.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".restore-", dir=state.parent))
    try:
        try:
            with tarfile.open(source) as tar:
                unpack(tar, folder)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise Refusal(f"{source} cannot be read as a backup: {error}.") from error
        number = check(folder)
        _load(settings, folder)
        (folder / MANIFEST).unlink()
        (folder / ABOUT).unlink()
        folder.chmod(0o700)
        if state.exists():
            state.rmdir()
        folder.replace(state)
        return number
    finally:
        for base, _, _ in os.walk(folder):  # versions are read-only, their folders too
            Path(base).chmod(0o700)
        shutil.rmtree(folder, ignore_errors=True)


def _load(settings: Settings, folder: Path) -> None:
    """The dump into the server, before the folder takes its place; nothing to do for SQLite, whose file is in its place."""
    source = folder / SERVICE_DUMP
    if source.exists() and not settings.database_url:
        raise Refusal("This backup is of an installation on PostgreSQL. "
                      "Make an empty database, and set VOXELHUB_DATABASE_URL to it.")
    if not source.exists() and settings.database_url:
        raise Refusal("This backup is of an installation on SQLite. Restore it without VOXELHUB_DATABASE_URL.")
    if source.exists():
        server_database.load(replace(settings, state_dir=folder), source)  # its secrets are there as yet
        source.unlink()


def unpack(tar: tarfile.TarFile, folder: Path) -> None:
    """Files, folders and links below `folder`, none through a link. Python 3.11.2 has no extraction filters for this."""
    files: set[str] = set()
    links: set[PurePosixPath] = set()
    members = tar.getmembers()
    for member in members:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or links & {path, *path.parents}:
            raise Refusal(f"The backup holds a name that leads out of it: {member.name}.")
        if member.islnk() and member.linkname not in files:
            raise Refusal(f"The backup holds a link to a file that is not in it: {member.name}.")
        if member.issym():
            links.add(path)
        elif member.isreg() or member.islnk():
            files.add(member.name)
        elif not member.isdir():
            raise Refusal(f"The backup holds something that is no file: {member.name}.")
    trusted: dict[str, Any] = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
    tar.extractall(folder, members, **trusted)  # noqa: S202 - each member was looked at above


def check(folder: Path) -> int:
    """Every file of the manifest is there with its digest, and no other. Raises Refusal naming the first that is not."""
    try:
        about = json.loads((folder / ABOUT).read_text())
        lines = (folder / MANIFEST).read_bytes().decode("utf-8", "surrogateescape").splitlines()
    except (FileNotFoundError, ValueError):
        raise Refusal("This is not a whole backup: its manifest is missing.") from None
    if about.get("format") != FORMAT:
        raise Refusal(f"This backup has format {about.get('format')}, and this version reads {FORMAT}. Use the other.")
    wanted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = {escape(str(path.relative_to(folder))): path for path in walk(folder)}
    del there[MANIFEST]
    for name in sorted(set(wanted) | set(there)):
        if name not in there or name not in wanted:
            raise Refusal(f"The backup does not fit its manifest: {name}.")
        with there[name].open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != wanted[name]:
                raise Refusal(f"The backup is damaged: {name} has another digest.")
    if not {SERVICE_DB, SERVICE_DUMP} & set(there):
        raise Refusal("This backup holds no database.")
    return len(wanted)


def walk(folder: Path) -> list[Path]:
    """Every regular file below, links not followed."""
    return [Path(base) / name for base, _, names in os.walk(folder) for name in names if not (Path(base) / name).is_symlink()]
