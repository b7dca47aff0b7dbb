"""A real PostgreSQL server for tests: started by them, on a socket and a free loopback port, without fsync, gone afterwards.

It refuses to run as root, so that root's tests start it as another user, in a folder of that user.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
from support.ports import free_port

OWNER, PASSWORD = "voxelhub", "not-a-secret"
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off", "shared_buffers": "64MB",
        "max_connections": "400"}
PR_SET_PDEATHSIG = 1


def programs() -> Path | None:
    """The folder of initdb and postgres, 15 or newer; Debian keeps them off the path."""
    found = [Path(name).resolve().parent for name in filter(None, map(shutil.which, ("postgres", "initdb")))]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    for folder in found:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
            version = re.search(r"\d+", said)
            if version and int(version[0]) >= 15:
                return folder
    return None


def unavailable() -> str:
    """Why no server can be started here, or ""."""
    if programs() is None:
        return "PostgreSQL 15 is not installed (tests/support/system_packages.sh installs it)"
    return "" if os.getuid() or _other_user() else "PostgreSQL does not run as root, and there is no user postgres or nobody"


class Cluster:
    """`start`, `stop` and `kill` it; a context manager that leaves nothing behind."""

    def __init__(self, **settings: str) -> None:
        folder = programs()
        assert folder is not None, unavailable()
        self.programs, self.settings = folder, FAST | settings
        self.folder = Path(tempfile.mkdtemp(prefix="voxelhub-postgresql-"))
        self.user = None if os.getuid() else _other_user()
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        (self.folder / "password").write_text(PASSWORD)
        self._run([self.programs / "initdb", "--pgdata", self.folder / "data", "--username", OWNER, "--encoding", "UTF8",
                   "--locale", "C", "--no-sync", "--auth-local", "trust", "--auth-host", "scram-sha-256",
                   "--pwfile", self.folder / "password"])

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Only from the main thread: the server ends with the thread that started it."""
        assert threading.current_thread() is threading.main_thread()
        options = {"port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder),
                   **self.settings}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", *(f"--{key}={value}" for key, value in options.items())],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=_end_with_parent,
                **self._as_user())
        deadline = time.monotonic() + 240
        while True:
            try:
                self.connect("postgres").close()
                return
            except psycopg.OperationalError:
                assert self.process.poll() is None and time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT cuts connections and ends in order ("fast"); SIGQUIT ends as a crash would ("immediate")."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        self.stop(signal.SIGQUIT)

    def connect(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.folder), port=self.port, user=OWNER, dbname=name, autocommit=True)

    def create(self, name: str, options: str = "") -> str:
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}" {options}')
        return self.url(name)

    def url(self, name: str) -> str:
        """Through the socket, which asks for no password."""
        return f"postgresql://{OWNER}@/{name}?host={self.folder}&port={self.port}"

    def loopback_url(self, name: str) -> str:
        """Over TCP, where it asks for PASSWORD."""
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{name}"

    def _run(self, command: list[Any]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **self._as_user())
        assert done.returncode == 0, done.stderr

    def _as_user(self) -> dict[str, Any]:
        if self.user is None:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _other_user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
