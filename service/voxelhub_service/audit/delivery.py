"""Checkpoints on their way to the second place, in order, each until it is there; and whether what is there is ours."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..settings import Settings
from .checkpoint import Checkpoints, genuine, parse
from .head import Lock
from .keys import PublicKey
from .places import Conflict, Place, PlaceDown, make_place, name_of

BATCH = 500  # checkpoints at a time


class Delivered(NamedTuple):
    """How far the second place has come. `problem` is why it goes no further, empty while it does."""

    place: str = ""
    offset: int = 0  # in checkpoints.jsonl, behind the last one that is there
    size: int = 0  # records that this one covers
    problem: str = ""
    at: str = ""  # of the last try


def delivered(settings: Settings) -> Delivered:
    """As it stands for the place that is set; from the beginning for a new one."""
    try:
        known = Delivered(**json.loads((settings.audit_dir / "second.json").read_text()))
    except (FileNotFoundError, TypeError, ValueError):
        known = Delivered()
    return known if known.place == settings.audit_second else Delivered(settings.audit_second)


def deliver(settings: Settings) -> Delivered | None:
    """Bring what is not there yet; None where no second place is set. SettingsError for a place that cannot be."""
    place = make_place(settings)
    if place is None:
        return None
    try:
        with Lock(settings.audit_dir / "second.lock", wait=False):
            return _bring(settings, place)
    except BlockingIOError:  # another process is at it
        return delivered(settings)


def _bring(settings: Settings, place: Place) -> Delivered:
    state = delivered(settings)._replace(problem="", at=datetime.now(UTC).isoformat(timespec="seconds"))
    begun = state
    try:
        for number, (checkpoint, end) in enumerate(Checkpoints(settings.audit_dir).all(state.offset), 1):
            place.put(checkpoint)
            state = state._replace(offset=end, size=checkpoint.size)
            if number == BATCH:
                break
    except (PlaceDown, Conflict) as error:
        state = state._replace(problem=str(error))
    except ValueError:
        state = state._replace(problem="The checkpoints here cannot be read. Run `voxelhub audit verify`.")
    if state != begun or state.problem != delivered(settings).problem:
        _write(settings.audit_dir / "second.json", state._asdict())
    return state


def _write(path: Path, document: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    with part.open("w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def compare(settings: Settings, keys: list[PublicKey]) -> Iterator[str]:
    """What the second place says against the checkpoints here, a sentence each. SettingsError, PlaceDown."""
    place = make_place(settings)
    if place is None or not place.readable:
        return
    state, there = delivered(settings), set(place.names())
    for checkpoint, end in Checkpoints(settings.audit_dir).all():
        name = name_of(checkpoint.size)
        if name in there:
            there.discard(name)
            if not place.holds(name, checkpoint.line):
                yield f"The second place holds another checkpoint over {checkpoint.size} records than the one here."
        elif end <= state.offset:
            yield f"The checkpoint over {checkpoint.size} records was brought to the second place and is not there any more."
    for name in sorted(there):
        yield from _foreign(name, place.get(name) or b"", keys)


def _foreign(name: str, content: bytes, keys: list[PublicKey]) -> Iterator[str]:
    try:
        checkpoint = parse(content.removesuffix(b"\n"))
    except ValueError:
        yield f"The second place holds {name}, which is no checkpoint."
        return
    if genuine(checkpoint, keys):
        yield (f"The second place holds a checkpoint over {checkpoint.size} records, signed by a key of this log at "
               f"{checkpoint.time}, that is not here: the log was set back, or is an older copy.")
    else:
        yield f"The second place holds {name}, which no key of this log has signed."
