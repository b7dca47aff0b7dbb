"""Loads over FTP with REST (RFC 959, RFC 3659): anonymous, binary, passive, and the data from the host that was checked.

Of the answer to PASV only the port counts: `ftplib` connects to the peer of the control connection.
"""

from __future__ import annotations

import ftplib
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from urllib.parse import unquote

from ..errors import invalid
from .addresses import Address, Resolve, look_up, resolve
from .transfer import BLOCK, Again, Opened, Record

Slot = Callable[[str], AbstractContextManager[None]]
UNKNOWN_COMMAND = ("500", "501", "502", "504")


class FtpSource:
    def __init__(self, address: Address, private: bool, slot: Slot, idle: float = 60.0, resolve: Resolve = look_up) -> None:
        self._address, self._private, self._slot, self._idle, self._resolve = address, private, slot, idle, resolve

    @contextmanager
    def open(self, record: Record) -> Iterator[Opened]:
        with self._slot(self._address.host):
            ftp = self._connected()
            try:
                with _refusals(self._address):
                    ftp.login()
                    ftp.voidcmd("TYPE I")
                    path = unquote(self._address.path[1:])
                    length, modified = _ask(ftp, "SIZE", path), _ask(ftp, "MDTM", path)
                    mark = f"{length} {modified}" if length and modified else ""
                    start = record.offset if record.resumable and record.modified == mark else 0
                    data, start = _begin(ftp, path, start)
                with data:
                    whole = int(length) if length.isascii() and length.isdecimal() else None
                    yield Opened(start, whole, "", mark, self._address.name, self._blocks(ftp, data))
            finally:
                ftp.close()

    def _connected(self) -> ftplib.FTP:
        failed: OSError = OSError("no address")
        for one in resolve(self._address, self._private, self._resolve):
            ftp = ftplib.FTP(timeout=self._idle)  # noqa: S321 - public data, in the open; its digest may be given
            try:
                with _refusals(self._address):
                    ftp.connect(one, self._address.port)
                return ftp
            except OSError as error:
                failed = error
        raise failed

    def _blocks(self, ftp: ftplib.FTP, data: socket.socket) -> Iterator[bytes]:
        while block := data.recv(BLOCK):
            yield block
        data.close()
        with _refusals(self._address):
            ftp.voidresp()


def _ask(ftp: ftplib.FTP, command: str, path: str) -> str:
    """The value of a 213 answer; '' where the server does not know the command."""
    try:
        answer = ftp.sendcmd(f"{command} {path}")
    except ftplib.error_perm as error:
        if str(error)[:3] in UNKNOWN_COMMAND:
            return ""
        raise
    return answer[4:].strip()[:40] if answer.startswith("213") else ""


def _begin(ftp: ftplib.FTP, path: str, start: int) -> tuple[socket.socket, int]:
    if start:
        with suppress(ftplib.error_perm):  # no REST: from the first byte
            return ftp.transfercmd(f"RETR {path}", start), start
    return ftp.transfercmd(f"RETR {path}"), 0


@contextmanager
def _refusals(address: Address) -> Iterator[None]:
    try:
        yield
    except ftplib.error_perm as error:
        code = str(error)[:3]
        if code == "530":
            raise invalid("url_needs_login", f"{address.shown} wants a login for this file.",
                          "Give an address that needs none, or upload the file.") from None
        if code in ("550", "553"):
            raise invalid("url_not_found", f"{address.shown} has no file at this address.",
                          "Look whether it was moved.") from None
        raise invalid("url_refused", f"{address.shown} refuses to give this file out.", "Try the address in a browser.") from None
    except (ftplib.Error, EOFError, ValueError):
        raise Again("broke the connection") from None
