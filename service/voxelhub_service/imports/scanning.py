"""The virus scanner hook: a file's bytes go to a clamd (INSTREAM, clamd(8)), and come to a verdict.

One connection for each file. What clamd answers is never taken for a sentence of ours, except the signature's name.
While no scanner answers, the setting `clamd_required` decides: the import fails and can be begun again, or goes on
unscanned.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from ..deid.outcome import Finding, Held
from ..errors import Problem
from ..settings import Settings, SettingsError

CHUNK = 256 * 1024  # bytes
CONNECT, TALK, THINK = 10.0, 60.0, 300.0  # seconds: to connect, for each chunk, for the verdict
PATIENCE = 60.0  # seconds in which a scanner that must answer may come back: it reads its signatures again every day
REPLY = 4096  # bytes
Verdict = Literal["clean", "virus", "unscanned"]
Address = str | tuple[str, int]
T = TypeVar("T")


@dataclass(frozen=True)
class Scan:
    """`signature` is the virus' name; `reason` says why a file is unscanned."""

    verdict: Verdict
    signature: str = ""
    reason: Literal["", "down", "too_large", "failed"] = ""


class ScannerDown(Exception):
    """Nobody answers at the scanner's address."""


class Broken(Exception):
    """The scanner ended the talk about one file without a word."""


def address_of(text: str) -> Address:
    """`/path/of/socket` or `host:port` (an IPv6 host in brackets)."""
    if "/" in text:
        return text
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise SettingsError("VOXELHUB_CLAMD is neither host:port nor the path of a socket.")
    return host.strip("[]"), int(port)


def make_scanner(settings: Settings) -> Scanner | None:
    return Scanner(address_of(settings.clamd), required=settings.clamd_required) if settings.clamd else None


class Scanner:
    """Asks one clamd. May be used by several threads."""

    def __init__(self, address: Address, *, required: bool, patience: float = PATIENCE) -> None:
        self._address, self.required, self._patience = address, required, patience

    def version(self) -> str:
        """As clamd says it: program, version and date of the signatures. Raises ScannerDown."""
        with self._connected() as talk:
            talk.sendall(b"zVERSION\0")
            said = _reply(talk, CONNECT)
        if said is None:
            raise ScannerDown
        return "".join(c for c in said if c.isprintable())[:200]

    def scan(self, path: Path) -> Scan:
        """Problem 503 `scanner_down` where a scan is required and nobody answers."""
        try:
            return self._patiently(lambda: self._scan(path))
        except Broken:
            # It lives, and ended the talk twice: a limit of its own that it did not name in time.
            return Scan("unscanned", reason="failed")
        except ScannerDown:
            if not self.required:
                return Scan("unscanned", reason="down")
            raise Problem(
                503, "scanner_down", "The virus scanner does not answer, and nothing comes in unscanned.",
                "Tell the administrator, and bring the files in again when it is back.",
            ) from None

    def _scan(self, path: Path) -> Scan:
        try:
            return self._ask(path)
        except Broken:
            self.version()  # a scanner that was stopped meanwhile is down, and no fault of this file
            return self._ask(path)

    def _patiently(self, work: Callable[[], T]) -> T:
        deadline = time.monotonic() + (self._patience if self.required else 0)
        while True:
            try:
                return work()
            except ScannerDown:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(min(2.0, self._patience))

    def _ask(self, path: Path) -> Scan:
        with path.open("rb") as file, self._connected() as talk:
            said = None
            try:
                talk.sendall(b"zINSTREAM\0")
                while said is None and (block := file.read(CHUNK)):
                    talk.sendall(struct.pack("!I", len(block)) + block)
                    if select.select([talk], [], [], 0)[0]:  # it speaks before the end only to refuse the rest
                        said = _reply(talk, TALK)
                        break
                else:
                    talk.sendall(struct.pack("!I", 0))
            except OSError:  # it closed while we sent; what it said before may still be there
                said = _reply(talk, CONNECT)
            if said is None:
                said = _reply(talk, THINK)
        if said is None:
            raise Broken
        return understood(said)

    def _connected(self) -> socket.socket:
        try:
            if isinstance(self._address, str):
                talk = socket.socket(socket.AF_UNIX)
                talk.settimeout(CONNECT)
                try:
                    talk.connect(self._address)
                except BaseException:
                    talk.close()
                    raise
            else:
                talk = socket.create_connection(self._address, CONNECT)
        except OSError:
            raise ScannerDown from None
        talk.settimeout(TALK)
        return talk


def _reply(talk: socket.socket, seconds: float) -> str | None:
    """One answer up to its zero byte; None where the connection ends, or nothing comes in time."""
    said = b""
    talk.settimeout(seconds)
    with suppress(OSError):
        while b"\0" not in said and len(said) < REPLY and (some := talk.recv(REPLY)):
            said += some
    text, end, _ = said.partition(b"\0")
    return text.decode("utf-8", "replace").strip() if end else None


def understood(said: str) -> Scan:
    """`stream: OK`, `stream: <signature> FOUND`, or an error."""
    said = said.removeprefix("stream: ")
    if said == "OK":
        return Scan("clean")
    if said.endswith(" FOUND"):
        signature = "".join(c for c in said.removesuffix(" FOUND") if c.isprintable())[:100]
        if signature.startswith("Heuristics.Limits.Exceeded"):  # with AlertExceedsMax: not looked at to its end
            return Scan("unscanned", reason="too_large")
        return Scan("virus", signature)
    return Scan("unscanned", reason="too_large" if "size limit exceeded" in said else "failed")


def refusal(scan: Scan, *, required: bool, waived: bool = False) -> Held | None:
    """Why the file is held, or None. A steward's waiver covers a file that could not be scanned, never a virus."""
    if scan.verdict == "virus":
        return Held(
            "virus", f"The virus scanner recognised {scan.signature} in it.", findings=(Finding("virus", scan.signature),),
            releasable=False, fix="Do not open it, and look after the computer it comes from.",
        )
    if scan.verdict == "clean" or not required or waived:
        return None
    if scan.reason == "too_large":
        return Held(
            "too_large", "It is larger than the virus scanner reads, so that nobody knows whether it holds a virus.",
            fix="Ask an administrator to raise the scanner's limits, or let a steward release it.",
        )
    return Held(
        "unscanned", "The virus scanner could not look into it.", fix="Bring it in again, or let a steward release it.",
    )
