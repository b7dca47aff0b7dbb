"""What is known of a selection for pairing.py: datasets, and which entries each was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..identity.actor import Actor
from ..models import Dataset, DatasetVersion, Entry, Run
from ..runs.making import selected, visible_entries
from .pairing import Candidate

DEPTH = 4  # runs between an entry and what it was made from
AT_ONCE = 500  # ids in one statement


def candidates(session: Session, actor: Actor, ids: Sequence[str]) -> list[Candidate]:
    """In the order of the ids, each once; raises not_found for what the actor may not see."""
    unique = list(dict.fromkeys(ids))
    entries = visible_entries(session, actor, unique)
    titles = _titles(session, {entry.dataset_id for entry in entries.values()})
    made = Origins(session, entries)
    return [Candidate(selected(entries[one]), entries[one].dataset_id, titles[entries[one].dataset_id], made.run(one),
                      entries[one].size, made.sources(one)) for one in unique]


class Origins:
    """Runs and input entries behind some entries, read level by level for all of them together."""

    def __init__(self, session: Session, entries: Mapping[str, Entry]) -> None:
        self._runs: dict[str, str] = {}  # entry -> the tool run that made it
        self._inputs: dict[str, frozenset[str]] = {}  # run -> entries it was given
        frontier = {one.id: one.version_id for one in entries.values()}
        for _ in range(DEPTH):
            given = self._read(session, frontier)
            unknown = given - self._runs.keys() - frontier.keys()
            if not unknown:
                break
            frontier = {}
            for some in _chunks(sorted(unknown)):
                frontier |= dict(session.execute(select(Entry.id, Entry.version_id).where(Entry.id.in_(some))).all())

    def run(self, entry: str) -> str:
        return self._runs.get(entry, "")

    def sources(self, entry: str) -> frozenset[str]:
        found: set[str] = set()
        pending = [entry]
        while pending:
            new = self._inputs.get(self.run(pending.pop()), frozenset()) - found
            found |= new
            pending += new
        return frozenset(found - {entry})

    def _read(self, session: Session, frontier: Mapping[str, str]) -> set[str]:
        """The entries that those of the frontier were made from."""
        made: dict[str, str] = {}
        given: set[str] = set()
        for some in _chunks(sorted(set(frontier.values()))):
            query = select(DatasetVersion.id, Run.id, Run.inputs).join(Run, Run.id == DatasetVersion.run_id)
            for version, run, inputs in session.execute(query.where(DatasetVersion.id.in_(some), Run.kind == "tool")):
                made[version] = run
                self._inputs[run] = frozenset(one for many in inputs.values() for one in many)
                given |= self._inputs[run]
        self._runs |= {entry: made[version] for entry, version in frontier.items() if version in made}
        return given


def _titles(session: Session, datasets: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in _chunks(sorted(datasets)):
        found |= dict(session.execute(select(Dataset.id, Dataset.title).where(Dataset.id.in_(some))).all())
    return found


def _chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start:start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
