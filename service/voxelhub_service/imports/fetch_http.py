"""Loads over HTTP/1.1 with Range and If-Range (RFC 9110, 13.1.5 and 14), one connection for each request.

`http.client` rather than a client with a pool: the connection must go to the address that was checked, with the name of
the URL in Host, SNI and certificate; and the bytes behind the announced length must be seen.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from email.message import Message
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

import httpx

from .. import __version__
from ..errors import Problem, invalid
from .addresses import Address, Resolve, connect, file_name, follow, look_up
from .transfer import BLOCK, Again, Opened, Record, Restart

REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 10
LINGER = 1.0  # seconds in which a host may still send what it did not announce
LATER = {408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524}
SENTENCES = {
    401: ("url_needs_login", "wants a login for this file.", "Give an address that needs none, or upload the file."),
    403: ("url_forbidden", "refuses to give this file out.",
          "Look whether its terms must be accepted first, or whether the link ran out."),
    404: ("url_not_found", "has no file at this address.", "Look whether it was moved."),
    410: ("url_not_found", "has no file at this address any more.", "Look whether it was moved."),
    451: ("url_forbidden", "may not give this file out, for legal reasons.", "Ask its owner."),
}
Slot = Callable[[str], AbstractContextManager[None]]


class HttpSource:
    """`slot(host)` is held while that host is spoken to; `idle` is the longest wait for a byte, in seconds."""

    def __init__(self, address: Address, private: bool, slot: Slot, idle: float = 60.0, resolve: Resolve = look_up) -> None:
        self._address, self._private, self._slot, self._idle, self._resolve = address, private, slot, idle, resolve

    @contextmanager
    def open(self, record: Record) -> Iterator[Opened]:
        address = self._address
        for _ in range(MOST_REDIRECTS + 1):
            with self._slot(address.host), self._ask(address, record) as answer:
                if answer.status not in REDIRECTS:
                    yield self._opened(address, answer, record)
                    return
                location = answer.headers.get("Location")
            if not location:
                raise invalid("bad_redirect", f"{address.shown} leads on, but does not say where to.")
            address = follow(address, location)
        raise invalid("too_many_redirects", f"{self._address.shown} leads on more than {MOST_REDIRECTS} times.",
                      "Give the address of the file itself.")

    @contextmanager
    def _ask(self, address: Address, record: Record) -> Iterator[http.client.HTTPResponse]:
        with ExitStack() as stack:
            plain = stack.enter_context(connect(address, self._private, self._idle, self._resolve))
            connection = http.client.HTTPConnection(address.host, address.port, timeout=self._idle)
            connection.sock = stack.enter_context(_secured(plain, address)) if address.scheme == "https" else plain
            stack.callback(connection.close)
            try:
                connection.putrequest("GET", address.path, skip_host=True, skip_accept_encoding=True)
                for name, value in _fields(address, record):
                    connection.putheader(name, value)
                connection.endheaders()
                answer = connection.getresponse()
            except (http.client.HTTPException, ValueError):
                raise Again("does not speak HTTP as it should") from None
            stack.callback(answer.close)
            yield answer

    def _opened(self, address: Address, answer: http.client.HTTPResponse, record: Record) -> Opened:
        start, length = _place(address, answer, record)
        fields = answer.headers
        if fields.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise invalid("url_encoded", f"{address.shown} sends the file compressed on its way, though it was asked not to.",
                          "Load it yourself and upload it.")
        if fields.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
            raise invalid("url_encoded", f"{address.shown} sends the file in an encoding that is not known here.",
                          "Load it yourself and upload it.")
        left = None if answer.chunked or length is None else length - start
        name = _disposition(fields) or (self._address.name if "." in self._address.name else address.name)
        blocks = _chunked(answer) if left is None else _counted(answer, left, address)
        return Opened(start, length, fields.get("ETag", ""), fields.get("Last-Modified", ""), name, blocks)


def _secured(plain: socket.socket, address: Address) -> ssl.SSLSocket:
    try:
        return _context().wrap_socket(plain, server_hostname=address.host)
    except ssl.SSLCertVerificationError:
        raise invalid("bad_certificate", f"{address.shown} shows no valid certificate, so it cannot be told who answers there.",
                      "Tell its owner.") from None


def _context() -> ssl.SSLContext:
    """The authorities that httpx trusts; SSL_CERT_FILE and SSL_CERT_DIR add a site's own."""
    return httpx.create_ssl_context()


def _fields(address: Address, record: Record) -> Iterator[tuple[str, str]]:
    yield "Host", address.authority
    yield "User-Agent", f"VoxelHub/{__version__}"
    yield "Accept", "*/*"
    yield "Accept-Encoding", "identity"
    yield "Connection", "close"
    if record.resumable:
        yield "Range", f"bytes={record.offset}-"
        yield "If-Range", record.validator


def _place(address: Address, answer: http.client.HTTPResponse, record: Record) -> tuple[int, int | None]:
    """Where the answer's bytes begin, and how long the whole is. Raises Again, Restart or Problem for what is no file."""
    status, fields = answer.status, answer.headers
    if status in (200, 203):
        return 0, _number(fields.get("Content-Length"))
    if status == 206 and record.resumable:
        found = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", fields.get("Content-Range", "").strip())
        whole = None if found is None or found[3] == "*" else int(found[3])
        etag = fields.get("ETag", record.etag)
        if found is None or int(found[1]) != record.offset or etag != record.etag or whole != record.length:
            raise Restart
        return record.offset, whole
    if status == 416 and record.resumable:
        raise Restart
    if status in LATER:
        raise Again(f"answers with status {status}" if status != 429 else "asks for fewer requests", _retry_after(fields))
    code, sentence, fix = SENTENCES.get(status, (
        "url_refused", f"answers with status {status} and no file.", "Try the address in a browser."))
    raise Problem(422, code, f"{address.shown} {sentence}", fix)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,18}", text.strip(), re.ASCII) else None


def _retry_after(fields: Message) -> float | None:
    """Seconds (RFC 9110, 10.2.3)."""
    text = fields.get("Retry-After", "").strip()
    if (seconds := _number(text)) is not None:
        return float(seconds)
    with suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return None


def _disposition(fields: Message) -> str:
    """The file name of Content-Disposition (RFC 6266), '' without one that could be ours."""
    text = fields.get("Content-Disposition", "")
    if found := re.search(r"filename\*\s*=\s*UTF-8''([^;\s]+)", text, re.IGNORECASE):
        return file_name(unquote(found[1]))
    found = re.search(r'filename\s*=\s*(?:"([^"]*)"|([^;\s]+))', text, re.IGNORECASE)
    return file_name(found[1] or found[2] or "") if found else ""


def _chunked(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """In chunks, or up to the end of the connection."""
    try:
        while block := answer.read1(BLOCK):
            yield block
    except (http.client.HTTPException, ValueError):
        raise Again("broke the connection") from None


def _counted(answer: http.client.HTTPResponse, left: int, address: Address) -> Iterator[bytes]:
    """As many bytes as were announced, fewer if they end; Problem if more come. Read below http.client, which would not look."""
    stream = answer.fp
    while left and (block := stream.read1(min(left, BLOCK))):
        left -= len(block)
        yield block
    if left == 0 and _speaks_on(stream, address):
        raise longer(address)


def _speaks_on(stream: object, address: Address) -> bool:
    raw = stream.raw._sock  # type: ignore[attr-defined]
    raw.settimeout(LINGER)
    try:
        return bool(stream.read1(1))  # type: ignore[attr-defined]
    except OSError:
        return False


def longer(address: Address) -> Problem:
    return invalid("length_differs", f"{address.shown} sends more bytes than it announces: the file cannot be trusted.",
                   "Tell its owner, or load the file yourself and upload it.")
