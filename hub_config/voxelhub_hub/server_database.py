"""Backup and restore of a PostgreSQL database, by PostgreSQL's own programs: pg_dump and pg_restore."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session
from voxelhub_service.database import reading
from voxelhub_service.database_place import about, open_database, place
from voxelhub_service.secrets import database_password
from voxelhub_service.settings import Settings

from .refusal import Refusal

DEBIAN = Path("/usr/lib/postgresql")  # where it keeps each version's programs


@contextmanager
def snapshot(settings: Settings) -> Iterator[tuple[Session, str]]:
    """The database at one moment: a session that sees it, and the name under which pg_dump sees the same."""
    engine = open_database(settings)
    try:
        with reading(engine) as session:
            session.execute(text("SELECT set_config('idle_in_transaction_session_timeout', '0', true)"))  # a dump may take long
            yield session, str(session.execute(text("SELECT pg_export_snapshot()")).scalar_one())
    finally:
        engine.dispose()


def dump(settings: Settings, target: Path, snapshot: str) -> None:
    """All tables as they are in the snapshot, in pg_dump's custom format; mode 0600."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        _run(settings, "pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"], stdout=file)


def load(settings: Settings, source: Path) -> None:
    """A dump into the empty database that the settings name; all of it or nothing."""
    _refuse_full(settings)
    _run(settings, "pg_restore", ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", str(source)])


def _refuse_full(settings: Settings) -> None:
    engine = open_database(settings)
    try:
        if inspect(engine).get_table_names():
            raise Refusal(f"The {place(settings)} is not empty. A restore never mixes: make a new one, and set "
                          "VOXELHUB_DATABASE_URL to it.")
    finally:
        engine.dispose()


def _run(settings: Settings, name: str, options: list[str], stdout: IO[bytes] | int = subprocess.DEVNULL) -> None:
    password = database_password(settings.secrets_dir)
    environ = {**os.environ, **({"PGPASSWORD": password} if password is not None else {})}
    command = [str(program(settings, name)), "--no-password", f"--dbname={settings.database_url}", *options]
    done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no reason"])[0]
        raise Refusal(f"{name} failed ({said}); nothing was changed.")


def program(settings: Settings, name: str) -> Path:
    """That of the path or of Debian's folders, not older than the server; raises Refusal with what to do."""
    wanted = int(re.findall(r"\d+", about(settings).version)[0])
    folders = sorted(DEBIAN.glob("*/bin"), key=lambda path: -_number(path.parent.name))
    on_path = shutil.which(name)
    for path in [*([Path(on_path)] if on_path else []), *(folder / name for folder in folders)]:
        if os.access(path, os.X_OK) and _major(path) >= wanted:
            return path
    raise Refusal(
        f"This needs {name} {wanted} or newer, as the database's server is, and it is not on this machine. "
        f"Install it (on Debian and Ubuntu: apt install postgresql-client-{wanted}) and try again.")


def _major(path: Path) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+", said)
    return int(found[0]) if found else 0


def _number(name: str) -> int:
    return int(name) if name.isdecimal() else 0
