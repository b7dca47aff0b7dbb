"""One message of RFC 5424 to a receiver: over UDP (RFC 5426), TCP with octet counting (RFC 6587), or the system's own socket."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

PRIORITY = 13 * 8 + 5  # facility "log audit", severity "notice"
PATIENCE = 5.0  # seconds
NAME, KIND = "voxelhub", "audit-checkpoint"


def message(text: bytes) -> bytes:
    """`text` must be ASCII on one line."""
    time_ = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    host = "".join(c for c in socket.gethostname() if 32 < ord(c) < 127)[:255] or "-"
    return f"<{PRIORITY}>1 {time_} {host} {NAME} {os.getpid()} {KIND} - ".encode() + text


def send(address: str, text: bytes) -> None:
    """OSError where it cannot be sent. Over TCP every byte is acknowledged when this returns; UDP tells nothing."""
    payload = message(text)
    if address.startswith("/"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
            local.connect(address)
            local.send(payload)
        return
    parts = urlsplit(address)
    where = (str(parts.hostname), int(parts.port or 0))
    if parts.scheme == "udp":
        family, kind, number, _, target = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, number) as datagram:
            datagram.connect(target)
            datagram.send(payload)
        return
    with socket.create_connection(where, timeout=PATIENCE) as stream:
        stream.sendall(str(len(payload)).encode() + b" " + payload)
        _acknowledged(stream)


def _acknowledged(stream: socket.socket) -> None:
    """Wait until nothing is left in the send queue (TIOCOUTQ of Linux)."""
    deadline = time.monotonic() + PATIENCE
    while struct.unpack("i", fcntl.ioctl(stream, termios.TIOCOUTQ, b"\0" * 4))[0]:
        if time.monotonic() > deadline:
            raise TimeoutError("it does not acknowledge")
        time.sleep(0.01)
