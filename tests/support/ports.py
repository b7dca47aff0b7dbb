"""Ports of this machine that nobody else takes until they are used, nor after what listened there was killed.

They lie below those that the kernel gives to outgoing connections, and are reserved among all test processes of the machine,
by a lock on one byte of a common file, until the process that asked has ended.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

LOWEST = 10_000
_taken: set[int] = set()
_locks: list[int] = []


def free_port() -> int:
    for port in random.SystemRandom().sample(range(LOWEST, _highest()), 1000):
        if port not in _taken and _reserve(port) and _is_free(port):
            return port
    raise RuntimeError("no free port was found")


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def _highest() -> int:
    """The first one that an outgoing connection may get."""
    try:
        return max(int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]), LOWEST + 2000)
    except OSError:
        return 32_768


def _reserve(port: int) -> bool:
    if not _locks:
        path = Path(tempfile.gettempdir()) / "voxelhub-test-ports"
        if not path.exists():
            path.touch()
        _locks.append(os.open(path, os.O_RDWR))
    try:
        fcntl.lockf(_locks[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _taken.add(port)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
