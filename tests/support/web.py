"""A host on loopback that behaves as badly as a test wants: each request is answered by the next of a list of scripts."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Request:
    method: str
    path: str
    fields: dict[str, str]
    connection: socket.socket

    @property
    def start(self) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", self.fields.get("range", ""))
        return int(found[1]) if found else 0

    def answer(self, status: int, fields: dict[str, object] | None = None, body: bytes = b"") -> None:
        head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in (fields or {}).items()) + "\r\n"
        self.connection.sendall(head.encode() + body)

    def reset(self) -> None:
        """As a host that vanishes: no orderly end (RST)."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Script = Callable[[Request], None]


@dataclass
class Web:
    port: int
    scheme: str = "http"
    scripts: list[Script] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str = "/study.zip", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def serve(self, connection: socket.socket) -> None:
        with connection:
            raw = b""
            while b"\r\n\r\n" not in raw:
                if not (more := connection.recv(65536)):
                    return
                raw += more
            first, *lines = raw.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            request = Request(*first.split(" ")[:2], fields, connection)
            with self._lock:
                self.requests.append(request)
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                self._now += 1
                self.most_at_once = max(self.most_at_once, self._now)
            try:
                script(request)
            except OSError:
                pass
            finally:
                with self._lock:
                    self._now -= 1


@contextmanager
def web(*scripts: Script, context: ssl.SSLContext | None = None) -> Iterator[Web]:
    """The last script answers every further request."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Web(server.getsockname()[1], "https" if context else "http", list(scripts))

        def run(connection: socket.socket) -> None:
            try:
                made.serve(context.wrap_socket(connection, server_side=True) if context else connection)
            except OSError:
                connection.close()

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=run, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield made
        finally:
            server.shutdown(socket.SHUT_RDWR)


def whole(data: bytes, etag: str = '"one"', **more: object) -> Script:
    """A well-behaved host: Range and If-Range as RFC 9110 has them."""
    extra = {name.replace("_", "-"): value for name, value in more.items()}

    def script(request: Request) -> None:
        start = request.start if request.fields.get("if-range") == etag else 0
        fields = {"ETag": etag, "Content-Length": len(data) - start, **extra}
        if start:
            fields["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        request.answer(206 if start else 200, fields, data[start:])

    return script


def cut(data: bytes, at: int, etag: str = '"one"', reset: bool = True) -> Script:
    """Announces all that is left, sends up to byte `at`, and breaks off."""

    def script(request: Request) -> None:
        start = request.start if request.fields.get("if-range") == etag else 0
        fields: dict[str, object] = {"ETag": etag, "Content-Length": len(data) - start}
        if start:
            fields["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        request.answer(206 if start else 200, fields, data[start:at])
        if reset:
            request.reset()

    return script


def status(code: int, **fields: object) -> Script:
    return lambda request: request.answer(code, {"Content-Length": 0, **{n.replace("_", "-"): v for n, v in fields.items()}})


