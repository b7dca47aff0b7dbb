"""A wall that needs no namespace and no privilege: a process gives up all files but some, and the network, for good.

For where bubblewrap cannot be, as in a pod of Kubernetes under *restricted*. It is less: the process sees the others, and
shares their limits. The kernel needs Landlock (Linux 5.13; TCP is closed from 6.7 on, signals to others from 6.12 on).
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

CREATE, ADD, RESTRICT = 444, 445, 446  # the same numbers on every architecture
PR_SET_NO_NEW_PRIVS = 38
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
READ = READ_FILE | READ_DIR
MAKE = sum(1 << bit for bit in (4, 5, 7, 8, 12))  # and remove: files, folders, links; no devices, no sockets
WRITE = READ | WRITE_FILE | REFER | TRUNCATE | MAKE
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
TCP, SCOPES = 3, 3  # bind and connect; abstract sockets and signals
# What a program of ours needs of a system to run at all. /etc is left out, but for what names libraries and the time.
SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime",
          "/sys/devices/system/cpu", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/dev/urandom", "/dev/random")
DEVICES = ("/dev/null", "/dev/zero")


def version() -> int:
    """Of the kernel's Landlock; 0 where there is none, or where it may not be used."""
    return max(0, int(_libc().syscall(CREATE, None, 0, 1)))


def sentence() -> str:
    known = version()
    if not known:
        return "this kernel has no Landlock, so a file that is made to do harm could reach what the service can"
    return f"Landlock {known} leaves them their own files{'' if known < 4 else ' and no TCP'}"


def confine(read_only: Iterable[Path], read_write: Iterable[Path]) -> int:
    """This process and all it starts. The version that does it; 0: the kernel has none, and nothing changed. Else OSError."""
    known = version()
    if not known:
        return 0
    handled = _handled(known)
    fields = [handled, TCP if known >= 4 else None, SCOPES if known >= 6 else None]
    attributes = b"".join(struct.pack("=Q", one) for one in fields if one is not None)
    ruleset = _call(CREATE, attributes, len(attributes), 0)
    try:
        for folder in (*map(Path, SYSTEM), *read_only):
            _allow(ruleset, folder, (READ | EXECUTE) & handled)
        for folder in (*map(Path, DEVICES), *read_write):
            _allow(ruleset, folder, WRITE & handled)
        if _libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _call(RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)
    return known


def _handled(known: int) -> int:
    """All rights that this version can take away."""
    rights = (1 << 13) - 1
    for least, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        rights |= right if known >= least else 0
    return rights


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """What is not there is not needed."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= OF_FILES
        _call(ADD, ruleset, 1, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    done = int(_libc().syscall(number, *arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
