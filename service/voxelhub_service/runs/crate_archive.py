"""The crate of a run as one ZIP, with its log and its small outputs beside the metadata; for open projects alone."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

from sqlalchemy.orm import Session

from ..context import Context
from ..datasets import storage
from ..executors.folder import RunFolder
from ..models import Run
from . import crate
from .crate_parts import Log
from .facts import Facts, facts_of

SMALL = 8 * 1024**2  # bytes of one output that is put in
MOST = 64 * 1024**2  # of all
LOG = 4 * 1024**2  # bytes of the log's beginning


def archive_of(context: Context, session: Session, run: Run) -> bytes:
    facts = facts_of(context, session, run)
    carried = _small(facts)
    log = _log(context, facts)
    described = Log("log.txt", len(log), hashlib.sha256(log).hexdigest()) if log else None
    document = crate.made(context, session, run, {sha256: inside for sha256, (inside, _) in carried.items()}, described)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(crate.FILE, json.dumps(document, indent=1))
        if described:
            archive.writestr(described.path, log)
        if carried and facts.result is not None:
            folder = storage.version_folder(context, facts.project.name, facts.result.dataset, facts.result.version)
            for inside, path in carried.values():
                archive.write(folder / path, inside)
    return target.getvalue()


def _small(facts: Facts) -> dict[str, tuple[str, str]]:
    """sha256 -> (path in the archive, path in the version)."""
    found: dict[str, tuple[str, str]] = {}
    room = MOST
    for one in facts.result.files if facts.result else ():
        if one.size <= min(SMALL, room) and one.sha256 not in found:
            found[one.sha256] = (f"outputs/{one.path}", one.path)
            room -= one.size
    return found


def _log(context: Context, facts: Facts) -> bytes:
    try:
        with RunFolder(context.settings.runs_dir / facts.run.id).log.open("rb") as file:
            text = file.read(LOG).decode("utf-8", "replace")
    except FileNotFoundError:
        return b""
    return crate.without_names(context, facts)(text).encode()
