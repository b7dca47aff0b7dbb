"""Sending files to the service: digests first, then only what is missing, resumed wherever it broke off (tus 1.0)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from . import client
from .errors import VoxelHubError, from_problem

CHUNK = 8 * 1024**2       # bytes a PATCH carries; what a broken connection costs at most
PIECE = 1024**2           # bytes read at a time
GIVE_UP_AFTER_S = 120.0   # without a byte accepted; a service that restarts is back long before
FINAL = {400, 401, 403, 404, 410, 412, 413, 415, 422, 507}  # statuses that no retry changes

Report = Callable[[int], None]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def send_file(upload: str, file: dict[str, Any], path: Path, report: Report) -> None:
    """Bring one file of an upload to its full size. `report` is told how many bytes have arrived."""
    url, size, offset = f"uploads/{upload}/files/{file['id']}", file["size"], file["offset"]
    wait, last = 0.2, time.monotonic()
    report(offset)
    while offset < size:
        arrived, problem = _patch(url, path, offset, min(CHUNK, size - offset))
        if arrived is None:
            if time.monotonic() - last > GIVE_UP_AFTER_S:
                raise problem or from_problem(503, None)
            time.sleep(wait)
            wait = min(2 * wait, 5.0)
            arrived = _offset(url)
        if arrived is not None and arrived != offset:
            offset, wait, last = arrived, 0.2, time.monotonic()
            report(offset)


def _patch(url: str, path: Path, offset: int, length: int) -> tuple[int | None, VoxelHubError | None]:
    """The new offset, or None when it is unknown and the server must be asked. Raises for what no retry changes."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset), "Content-Length": str(length),
               "Content-Type": "application/offset+octet-stream"}
    try:
        answer = client.send("PATCH", url, headers=headers, content=_pieces(path, offset, length))
    except httpx.TransportError:
        return None, None
    if answer.is_success:
        return int(answer.headers["Upload-Offset"]), None
    error = _error(answer)
    if answer.status_code in FINAL or (answer.status_code == 409 and error.code != "wrong_offset"):
        raise error
    return None, error


def _offset(url: str) -> int | None:
    try:
        answer = client.send("HEAD", url, headers={"Tus-Resumable": "1.0.0"})
    except httpx.TransportError:
        return None
    if answer.is_success:
        return int(answer.headers["Upload-Offset"])
    if answer.status_code in FINAL:
        raise _error(answer)
    return None


def _error(answer: httpx.Response) -> VoxelHubError:
    try:
        return from_problem(answer.status_code, answer.json())
    except ValueError:
        return from_problem(answer.status_code, None)


def _pieces(path: Path, offset: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while length > 0:
            piece = file.read(min(PIECE, length))
            if not piece:
                raise VoxelHubError("changed", f"{path.name} became shorter while it was sent.",
                                    "Write it completely, then call save again.")
            length -= len(piece)
            yield piece
