"""The record of a run that other programs read: RO-Crate 1.1, profile Process Run Crate 0.5.

It lies in <run folder>/crate/ and is written at the end of a run, whatever the end was. It may leave VoxelHub: it names bytes by
SHA-256, people by pseudonym, and holds no word that a person may have written over another (names of entries, titles), no
path of this machine and no address. Of inputs from other projects it names the bytes alone: its readers need not be in those.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from ..context import Context
from ..database import reading
from ..executors.folder import RunFolder, read_json, write_json
from ..models import TERMINAL_STATES, Run
from . import crate_parts
from .facts import Facts, Piece, facts_of, veiled
from .people import People

log = logging.getLogger(__name__)
FILE = "ro-crate-metadata.json"
SHORTEST = 3  # letters of a name that is looked for in what a tool has said


def path_of(context: Context, run_id: str) -> Path:
    return RunFolder(context.settings.runs_dir / run_id).path / "crate" / FILE


def stored(context: Context, run_id: str) -> dict[str, Any]:
    """The crate that was written, {} where there is none that can be read."""
    found = read_json(path_of(context, run_id))
    return found if isinstance(found.get("@graph"), list) else {}


def write(context: Context, run_id: str) -> bool:
    """Writes the crate of a run that has ended, unless it is there; whether it is there now. A run that never began has no
    folder, and its crate is made when somebody asks."""
    if stored(context, run_id):
        return True
    with reading(context.engine) as session:
        run = session.get(Run, run_id)
        if run is None or run.state not in TERMINAL_STATES or not path_of(context, run_id).parent.parent.is_dir():
            return False
        document = made(context, session, run)
    path = path_of(context, run_id)
    path.parent.mkdir(exist_ok=True)
    write_json(path, document)
    return True


def try_write(context: Context, run_id: str) -> None:
    """The end of a run does not depend on its record; fsck names a run that has none."""
    try:
        write(context, run_id)
    except OSError:
        raise
    except Exception:
        log.exception("the crate of run %s", run_id)


def crate_of(context: Context, session: Session, run: Run) -> dict[str, Any]:
    """The stored crate of a run that has ended, or the one that is made of what is still known."""
    return stored(context, run.id) or made(context, session, run)


def outputs(document: Mapping[str, Any]) -> dict[str, Piece]:
    """The files that a crate names as results, by path: all that is left of data that was deleted for good."""
    by_id = {one["@id"]: one for one in document.get("@graph", [])}
    found: dict[str, Piece] = {}
    for action in (one for one in by_id.values() if one.get("@type") == "CreateAction"):
        for reference in _many(action.get("result", [])):
            file = by_id.get(reference.get("@id"), {})
            if file.get("@type") == "File":
                for path in (file["name"], *_many(file.get("alternateName", []))):
                    found[path] = Piece(path, int(file["contentSize"]), file["sha256"])
    return found


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def made(
    context: Context, session: Session, run: Run, carried: Mapping[str, str] | None = None, log: crate_parts.Log | None = None,
) -> dict[str, Any]:
    """`carried`: sha256 -> path, of the outputs that lie beside the metadata in an archive; `log`, where it lies there too."""
    facts = facts_of(context, session, run)
    cleaned, shown = without_names(context, facts), People(context)
    return crate_parts.document(veiled(facts, {facts.project.name}), shown.pseudonym(run.owner), shown.project(facts.project),
                                cleaned, carried or {}, log)


def without_names(context: Context, facts: Facts) -> Callable[[str], str]:
    """Takes the folders of this machine and the names of the inputs out of what a tool has said. Without isolation it knows
    the former; the latter it always does."""
    settings = context.settings
    words = {str(settings.runs_dir / facts.run.id): "<run>", str(settings.state_dir): "<state>",
             str(settings.envs_dir): "<environments>"}
    words |= {name: "<input>" for one in facts.sources for name in (one.inside, one.title) if len(name) >= SHORTEST}

    def cleaned(text: str) -> str:
        for word, instead in words.items():
            text = text.replace(word, instead)
        return text

    return cleaned
