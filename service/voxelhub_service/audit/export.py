"""The whole log as one ZIP that anybody can check without us: records, checkpoints, public keys, and how they belong together."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from ..database import reading
from .checkpoint import Checkpoints, NotWhole, make, origin_of, parse
from .keys import read_keys
from .lines import lines
from .log import AuditLog
from .record import Stored, canonical, stored

SIGNED = b"voxelhub audit export v1\n"
README = Path(__file__).with_name("export_readme.md")


def export(log: AuditLog, engine: Engine, target: Path) -> tuple[dict[str, Any], str]:
    """Sign the log as it is, then write `target`, whole or not at all; returns its manifest, and what is wrong with the log.

    A log that is not whole is not signed but exported as it is. FileExistsError. Memory does not grow with the log.
    """
    if target.exists():
        raise FileExistsError(target)
    problem, size = "", None
    try:
        newest = make(log, engine) or Checkpoints(log.folder).newest()
        size = newest.size if newest else None
    except (NotWhole, ValueError) as error:
        problem = str(error)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive, reading(engine) as session:
                manifest = _fill(log, archive, stored(session, upto=size), size)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return manifest, problem


def _fill(log: AuditLog, archive: zipfile.ZipFile, rows: Iterable[Stored], size: int | None) -> dict[str, Any]:
    keys = read_keys(log.keys.path)[0]
    files, counts = {}, {}
    for name, content in (
        ("README.md", iter([README.read_bytes()])),
        ("records.jsonl", (_line(row) for row in rows)),
        ("checkpoints.jsonl", _checkpoints(log, size)),
        ("keys.jsonl", (line + b"\n" for line, _ in lines(log.keys.path))),
    ):
        files[name], counts[name] = _member(archive, name, content)
    document = {
        "format": 1, "origin": origin_of(keys[0].id) if keys else "", "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "records": counts["records.jsonl"], "checkpoints": counts["checkpoints.jsonl"], "files": files,
        "key": keys[-1].id if keys else "",
    }
    text = canonical(document)
    manifest = {**document, "signature": _signature(log, keys[-1].id if keys else "", text)}
    archive.writestr("export.json", canonical(manifest) + b"\n")
    return manifest


def _checkpoints(log: AuditLog, size: int | None) -> Iterator[bytes]:
    """As they are, whatever somebody may have written there; without those that were made since."""
    for line, _ in lines(Checkpoints(log.folder).path):
        try:
            if size is not None and parse(line).size > size:
                return
        except ValueError:
            pass
        yield line + b"\n"


def _signature(log: AuditLog, key: str, text: bytes) -> str:
    return log.keys.sign(key, SIGNED, text) if key else ""


def _member(archive: zipfile.ZipFile, name: str, content: Iterator[bytes]) -> tuple[str, int]:
    """Digest and number of pieces."""
    digest, count = hashlib.sha256(), 0
    with archive.open(name, "w", force_zip64=True) as file:
        for piece in content:
            file.write(piece)
            digest.update(piece)
            count += 1
    return digest.hexdigest(), count


def _line(row: Stored) -> bytes:
    """A record as it is; one that cannot be written as we write them is shown as such, for whoever looks into it."""
    if row.fields is not None:
        try:
            return canonical({**row.fields, "mac": row.mac, "signature": row.signature}) + b"\n"
        except (TypeError, ValueError):
            pass
    return json.dumps({"seq": str(row.seq), "unreadable": True}).encode() + b"\n"
