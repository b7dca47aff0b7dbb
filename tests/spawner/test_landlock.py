"""The wall of a pod: what a process gave up it does not get back, nor does what it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from voxelhub_sandbox import landlock
from voxelhub_sandbox.landlock import confine, version

pytestmark = pytest.mark.skipif(not version(), reason="this kernel has no Landlock")
PROBE = """
import json, os, socket, subprocess, sys
told = {}
def attempt(name, work):
    try:
        work()
        told[name] = "ok"
    except Exception as error:
        told[name] = type(error).__name__
a, b, secret, port, outsider = sys.argv[1:]
attempt("reads what it may", lambda: open(f"{a}/in").read())
attempt("writes what it may not", lambda: open(f"{a}/in", "w"))
attempt("writes what it may", lambda: open(f"{b}/out", "w").write("x"))
attempt("lists what it may", lambda: os.listdir(b))
attempt("reads a secret", lambda: open(secret).read())
attempt("lists around", lambda: os.listdir(os.path.dirname(secret)))
attempt("follows a link", lambda: open(f"{b}/link").read())
attempt("reads another process", lambda: open(f"/proc/{outsider}/environ").read())
attempt("reads passwords", lambda: open("/etc/passwd").read())
attempt("calls", lambda: socket.create_connection(("127.0.0.1", int(port)), timeout=5))
attempt("kills", lambda: os.kill(int(outsider), 0))
attempt("its child reads a secret", lambda: subprocess.run(["cat", secret], check=True, stderr=subprocess.DEVNULL))
attempt("computes", lambda: subprocess.run([sys.executable, "-c", "import hashlib, numpy; numpy.ones(9).sum()"], check=True))
print(json.dumps(told))
"""


def test_a_confined_process_has_its_own_files_and_nothing_else(tmp_path: Path) -> None:
    import socket

    given, made, secret = tmp_path / "given", tmp_path / "made", tmp_path / "secrets" / "key"
    for folder in (given, made, secret.parent):
        folder.mkdir()
    (given / "in").write_text("data")
    secret.write_text("secret")
    (made / "link").symlink_to(secret)
    outsider = subprocess.Popen(["sleep", "60"])
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def in_child() -> None:
            confine([Path(sys.prefix), Path(sys.base_prefix), given], [made])

        done = subprocess.run(
            [sys.executable, "-c", PROBE, str(given), str(made), str(secret), str(server.getsockname()[1]), str(outsider.pid)],
            preexec_fn=in_child, capture_output=True, text=True, cwd="/", timeout=120,
            env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"})
    outsider.kill()
    outsider.wait()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    allowed = {"reads what it may", "writes what it may", "lists what it may", "computes"}
    newer = {name for name, least in (("calls", 4), ("kills", 6)) if version() < least}
    assert {name for name, how in told.items() if how == "ok"} == allowed | newer, told
    assert (made / "out").read_text() == "x" and (given / "in").read_text() == "data"


def test_what_it_needs_and_is_not_there_is_left_out(tmp_path: Path) -> None:
    assert _child(lambda: confine([tmp_path / "absent"], [])) == 0


def test_a_kernel_without_it_is_said_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "CREATE", 0xFFFF)  # a call that no kernel has
    assert version() == 0 and confine([], []) == 0
    assert "no Landlock" in landlock.sentence() and os.listdir("/")


def _child(work) -> int:
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
