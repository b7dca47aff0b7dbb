"""`voxelhub backup FILE`: the whole state in one tar, consistent while VoxelHub runs.

Order makes it consistent: the head of the audit chain is read before the database, so that it never runs ahead; the
databases by SQLite's backup API, or by pg_dump on a snapshot; then only the versions that the copied database names, which
never change, and what waits in quarantine by the same database. Keycloak's own database cannot be copied while it is open,
so Keycloak is ended and started again around the copy (about ten seconds, in which known users stay signed in). The last
member is a manifest of SHA-256 digests.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import signal
import sqlite3
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import voxelhub_service
from sqlalchemy import select
from sqlalchemy.orm import Session
from voxelhub_service.audit.keys import signing_lock
from voxelhub_service.database import make_engine, reading
from voxelhub_service.datasets.quarantine import KEPT
from voxelhub_service.models import Dataset, DatasetVersion, Project, QuarantineItem
from voxelhub_service.settings import Settings, load_settings

from . import first_start, server_database, status
from .record import record
from .refusal import ON_KUBERNETES, Refusal
from .supervisor import hold_lock, holding

FORMAT = 1
MANIFEST, ABOUT = "MANIFEST.sha256", "backup.json"
SERVICE_DB, HUB_DB, KEYCLOAK_DB = "service/voxelhub.db", "hub/jupyterhub.sqlite", "keycloak/data/h2"
SERVICE_DUMP = "service/voxelhub.dump"  # in place of SERVICE_DB, of an installation on PostgreSQL
BEFORE = ("secrets", "audit")
AFTER = ("homes", "runs", "service/uploads", "tools")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="voxelhub backup",
        description="Write the whole state to one file. It holds secrets and everybody's data: keep it as such.")
    parser.add_argument("file", type=Path, help="new file; must not lie in the state folder")
    wanted = parser.parse_args(arguments)
    settings = load_settings()
    number = write(settings, wanted.file.resolve())
    record(settings, "backup.create", "installation", {"files": number})
    print(f"{wanted.file}: {number} files, {wanted.file.stat().st_size / 1024**2:.0f} MiB. "
          "It holds secrets and everybody's data: keep it where only you can read it.")
    return 0


def write(settings: Settings, target: Path) -> int:
    """Make the archive, whole or not at all, with mode 0600; returns its number of files."""
    if settings.on_kubernetes:
        raise Refusal(ON_KUBERNETES)
    if target.exists():
        raise Refusal(f"{target} exists. A backup never overwrites: choose another name.")
    if target.is_relative_to(settings.state_dir):
        raise Refusal("The backup would lie in the folder that it copies. Choose another place.")
    if not (settings.secrets_dir / "audit-key" if settings.database_url else settings.database_file).exists():
        raise Refusal(f"There is no installation in {settings.state_dir}.")
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with ExitStack() as stack:
            file = stack.enter_context(os.fdopen(descriptor, "wb"))
            live = status.running(settings.state_dir)  # asked once: from now on the lock may be our own
            if not live:
                stack.enter_context(hold_lock(settings.state_dir))
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".backup-", dir=settings.state_dir)))
            number = _fill(settings, Archive(file), scratch, live)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return number


def _fill(settings: Settings, archive: Archive, scratch: Path, live: bool) -> int:
    state = settings.state_dir
    archive.text(ABOUT, json.dumps({
        "format": FORMAT, "version": voxelhub_service.__version__, "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }))
    with signing_lock(settings.audit_dir):  # keys, checkpoints and the records they cover, of one moment
        for folder in BEFORE:
            archive.tree(state, state / folder)
        released, waiting = _service_database(settings, archive, scratch)
    if (state / HUB_DB).exists():
        _sqlite(state / HUB_DB, archive, scratch, HUB_DB)
    for version in released:
        if not version.exists():
            raise Refusal("A dataset was removed for good while it was copied. Start the backup again.")
        archive.tree(state, version)
    for path in waiting:
        if not path.exists():
            raise Refusal("A file left the quarantine while it was copied. Start the backup again; "
                          "if it says so again, see what `voxelhub fsck` offers.")
        archive.tree(state, path)
    archive.file(settings.quarantine_dir, str(settings.quarantine_dir.relative_to(state)))  # for its mode
    for folder in (*AFTER, str(first_start.stamp(settings).relative_to(state))):
        archive.tree(state, state / folder)
    _keycloak(settings, archive, live)
    return archive.close()


def _service_database(settings: Settings, archive: Archive, scratch: Path) -> tuple[list[Path], list[Path]]:
    """Copies it, whichever it is; what that copy names: versions, and files in quarantine."""
    if settings.database_url:
        copy = scratch / Path(SERVICE_DUMP).name
        with server_database.snapshot(settings) as (session, moment):
            named = list(versions(settings, session)), list(quarantined(settings, session))
            server_database.dump(settings, copy, moment)
        archive.file(copy, SERVICE_DUMP)
        return named
    engine = make_engine(f"sqlite:///{_sqlite(settings.database_file, archive, scratch, SERVICE_DB)}")
    with reading(engine) as session:
        named = list(versions(settings, session)), list(quarantined(settings, session))
    engine.dispose()
    return named


def _sqlite(source: Path, archive: Archive, scratch: Path, name: str) -> Path:
    copy = scratch / Path(name).name
    snapshot(source, copy)
    archive.file(copy, name)
    return copy


def snapshot(source: Path, target: Path) -> None:
    """A transactionally consistent copy of a live SQLite database (its write-ahead log included)."""
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
    target.chmod(0o600)


def versions(settings: Settings, session: Session) -> Iterator[Path]:
    """Folder and manifest of each dataset version that the copied database names."""
    rows = session.execute(
        select(Project.name, Dataset.name, DatasetVersion.number)
        .join(Dataset, Dataset.project_id == Project.id).join(DatasetVersion, DatasetVersion.dataset_id == Dataset.id)
    ).all()
    for project, dataset, number in rows:
        folder = settings.projects_dir / project / dataset
        yield folder / f"v{number}"
        yield folder / f"v{number}.sha256"


def quarantined(settings: Settings, session: Session) -> Iterator[Path]:
    """Bytes and name of each file that waits in quarantine by the copied database."""
    rows = session.execute(select(QuarantineItem.run_id, QuarantineItem.id).where(QuarantineItem.state.in_(KEPT))).all()
    for run, item in rows:
        yield settings.quarantine_dir / run / item
        yield settings.quarantine_dir / run / f"{item}.json"


def _keycloak(settings: Settings, archive: Archive, live: bool) -> None:
    """Its database, while it is not open; the supervisor starts it again after `holding`."""
    folder = settings.state_dir / KEYCLOAK_DB
    if not live:
        archive.tree(settings.state_dir, folder)
        return
    with holding(settings.state_dir, "keycloak"):
        pid = status.read(settings.state_dir)["children"].get("keycloak", {}).get("pid")
        if pid:
            handle = os.pidfd_open(pid)
            try:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
            finally:
                os.close(handle)
        deadline = time.monotonic() + 60
        while status.read(settings.state_dir)["children"]["keycloak"]["pid"] == pid:
            if time.monotonic() > deadline:
                raise Refusal("Keycloak did not end within 60 s; nothing was written.")
            time.sleep(0.1)
        archive.tree(settings.state_dir, folder)


class Archive:
    """A tar that digests what it writes. Files that shrink or vanish while they are read leave it well-formed."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by close()
        self._digests: dict[str, str] = {}
        self._links: dict[tuple[int, int], str] = {}

    def text(self, name: str, text: str) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = len(text.encode()), 0o600, int(time.time())
        self._tar.addfile(entry, io.BytesIO(text.encode()))
        self._digests[name] = hashlib.sha256(text.encode()).hexdigest()

    def tree(self, base: Path, path: Path) -> None:
        """`path` and everything below it under its name relative to `base`; sockets and devices are left out."""
        if not os.path.lexists(path):
            return
        self.file(path, str(path.relative_to(base)))
        if path.is_dir() and not path.is_symlink():
            for child in sorted(path.iterdir()):
                self.tree(base, child)

    def file(self, path: Path, name: str) -> None:
        try:
            info = path.lstat()
            if stat.S_ISREG(info.st_mode):
                self._regular(path, name)
            elif stat.S_ISDIR(info.st_mode) or stat.S_ISLNK(info.st_mode):
                self._tar.addfile(self._tar.gettarinfo(str(path), name))
        except FileNotFoundError:
            return  # removed by its user between listing and reading

    def _regular(self, path: Path, name: str) -> None:
        with path.open("rb") as file:
            info = os.fstat(file.fileno())
            entry = tarfile.TarInfo(name)
            entry.mode, entry.mtime = stat.S_IMODE(info.st_mode), int(info.st_mtime)
            entry.uid, entry.gid = info.st_uid, info.st_gid
            if (known := self._links.get((info.st_dev, info.st_ino))) and info.st_nlink > 1:
                entry.type, entry.linkname = tarfile.LNKTYPE, known
                self._tar.addfile(entry)
                self._digests[name] = self._digests[known]
                return
            entry.size = info.st_size
            reader = Exactly(file, info.st_size)
            self._tar.addfile(entry, reader)  # type: ignore[arg-type]
            self._digests[name] = reader.digest.hexdigest()
            self._links[(info.st_dev, info.st_ino)] = name

    def close(self) -> int:
        lines = "".join(f"{digest}  {escape(name)}\n" for name, digest in self._digests.items())
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode = len(lines.encode("utf-8", "surrogateescape")), 0o600
        self._tar.addfile(entry, io.BytesIO(lines.encode("utf-8", "surrogateescape")))
        self._tar.close()
        return len(self._digests)


class Exactly:
    """Reads as many bytes as were promised; what a shrinking file no longer has is zeros."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self._file, self._left, self.digest = file, size, hashlib.sha256()

    def read(self, size: int) -> bytes:
        block = self._file.read(min(size, self._left))
        block += b"\0" * (min(size, self._left) - len(block))
        self._left -= len(block)
        self.digest.update(block)
        return block


def escape(name: str) -> str:
    """A name on one line."""
    return name.replace("\\", "\\\\").replace("\n", "\\n")
