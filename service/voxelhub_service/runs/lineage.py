"""Where something comes from, and what came of it: runs and entries, followed step by step in both directions.

A step leads from an entry to a run or back. What lies in a project that the actor does not read is one hidden node beside
its neighbour, and nothing is followed through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from sqlalchemy import Text, cast, or_, select
from sqlalchemy.orm import Session

from ..context import Context
from ..identity.actor import Actor
from ..models import AuditEvent, DatasetVersion, Entry, File, QuarantineItem, Run, Upload
from ..wire_evidence import LineageEdge, LineageNode, LineageOut
from .facts import output_of
from .lineage_nodes import Nodes

AT_ONCE = 40  # ids in one condition
Place = Entry | Run


def lineage_of_entry(context: Context, session: Session, actor: Actor, entry: Entry, depth: int, limit: int) -> LineageOut:
    return _Walk(context, session, actor, limit).around(entry, depth)


def lineage_of_run(context: Context, session: Session, actor: Actor, run: Run, depth: int, limit: int) -> LineageOut:
    return _Walk(context, session, actor, limit).around(run, depth)


class _Walk:
    def __init__(self, context: Context, session: Session, actor: Actor, limit: int) -> None:
        self.session, self.limit, self.cut = session, limit, False
        self.make = Nodes(context, session, actor)
        self.nodes: dict[str, LineageNode] = {}
        self.edges: dict[tuple[str, str, str], LineageEdge] = {}

    def around(self, subject: Place, depth: int) -> LineageOut:
        self.nodes[_key(subject)] = self._node(subject)
        for step in (self._above, self._below):
            seen, places = {_key(subject)}, [subject]
            for _ in range(depth):
                places = [one for one in _once(step(places)) if _key(one) not in seen]
                seen |= {_key(one) for one in places}
            self._look_beyond(step(places))
        return LineageOut(subject=_key(subject), nodes=list(self.nodes.values()), edges=list(self.edges.values()), cut=self.cut)

    def _look_beyond(self, further: Iterator[Place]) -> None:
        """Whether one more step would show something new, without showing it."""
        limit, self.limit = self.limit, len(self.nodes)
        for _ in further:
            pass
        self.limit = limit

    def _above(self, places: Sequence[Place]) -> Iterator[Place]:
        for place in places:
            if isinstance(place, Entry):
                yield from self._maker(place)
                yield from self._before(place)
            else:
                yield from self._inputs(place)
                yield from self._held_by(place)

    def _below(self, places: Sequence[Place]) -> Iterator[Place]:
        entries = [one for one in places if isinstance(one, Entry)]
        yield from self._users(entries)
        for entry in entries:
            yield from self._after(entry)
        for run in (one for one in places if isinstance(one, Run)):
            yield from self._outputs(run)
            yield from self._releases(run)

    def _maker(self, entry: Entry) -> Iterator[Run]:
        run = self.session.get(Run, self.session.get_one(DatasetVersion, entry.version_id).run_id)
        if run is not None and self._see(run):
            role = output_of(self.make.record(run.id), entry.path) if run.kind == "tool" else ""
            self._join(run, entry, role)
            yield run

    def _inputs(self, run: Run) -> Iterator[Place]:
        ids = {one for many in run.inputs.values() for one in many}
        found = self._entries(ids)
        noted = {one["entry"]: one for many in self.make.record(run.id).get("inputs", {}).values() for one in many}
        for role, many in run.inputs.items():
            for entry_id in many:
                entry = found.get(entry_id)
                if entry is None:
                    yield from self._purged(run, role, entry_id, noted.get(entry_id, {}))
                elif not self.make.readable(entry.project_id):
                    self._hide(run, above=True)
                elif self._see(entry):
                    self._join(entry, run, role)
                    yield entry

    def _purged(self, run: Run, role: str, entry_id: str, noted: dict[str, object]) -> Iterator[Run]:
        """An input that was deleted for good, and the run that had made it: the audit log knows."""
        if noted and not self.make.readable_name(str(noted.get("dataset", "")).partition("/")[0]):
            self._hide(run, above=True)
            return
        node = self.make.purged_input(entry_id, noted)
        if not self._add(node):
            return
        self._edge(node.key, _key(run), role)
        maker = self.session.scalar(select(AuditEvent.detail["run"].as_string()).where(
            AuditEvent.action == "dataset.publish", AuditEvent.detail["version_digest"].as_string() == node.digest).limit(1))
        made_by = self.session.get(Run, maker) if maker and node.digest else None
        if made_by is not None and self._see(made_by):
            self._edge(_key(made_by), node.key, "")
            yield made_by

    def _outputs(self, run: Run) -> Iterator[Entry]:
        version = self.session.scalar(select(DatasetVersion).where(DatasetVersion.run_id == run.id))
        record = self.make.record(run.id)
        if version is None:
            noted = record.get("result")
            if isinstance(noted, dict) and self._add(node := self.make.purged_result(run, noted)):
                self._edge(_key(run), node.key, "")
            return
        rows = select(Entry).where(Entry.version_id == version.id).order_by(Entry.path, Entry.id).limit(self.limit + 1)
        for entry in self.session.scalars(rows):
            if self._see(entry):
                self._join(run, entry, output_of(record, entry.path) if run.kind == "tool" else "")
                yield entry

    def _users(self, entries: Sequence[Entry]) -> Iterator[Run]:
        """The runs that had one of these as an input. `inputs` is JSON without an index: one look through what is younger."""
        by_id = {one.id: one for one in entries}
        ids = iter(by_id)
        while some := list(islice(ids, AT_ONCE)):
            oldest = min(by_id[one].created_at for one in some)
            rows = select(Run).where(
                Run.kind.in_(("tool", "join")), Run.created_at >= oldest,
                or_(*(cast(Run.inputs, Text).contains(one, autoescape=True) for one in some)))
            for run in self.session.scalars(rows.order_by(Run.created_at, Run.id).limit(self.limit + 1)):
                yield from self._used_by(run, {one: by_id[one] for one in some})

    def _used_by(self, run: Run, entries: Mapping[str, Entry]) -> Iterator[Run]:
        for role, many in run.inputs.items():
            for entry in (entries[one] for one in many if one in entries):
                if not self.make.readable(run.project_id):
                    self._hide(entry, above=False)
                elif self._see(run):
                    self._join(entry, run, role)
                    yield run

    def _before(self, entry: Entry) -> Iterator[Place]:
        """Of an entry that an import took over from the version before: that one."""
        version = self.session.get_one(DatasetVersion, entry.version_id)
        run = self.session.get(Run, version.run_id)
        older = self._same(entry, version.number - 1) if run is not None and self._adds(run) else None
        if run is not None and older is not None and self._see(older):
            self._join(older, run, "kept")
            yield older

    def _after(self, entry: Entry) -> Iterator[Place]:
        version = self.session.get_one(DatasetVersion, entry.version_id)
        newer = self._same(entry, version.number + 1)
        made = self.session.get_one(DatasetVersion, newer.version_id).run_id if newer is not None else None
        run = self.session.get(Run, made) if made else None
        if run is not None and self._adds(run) and self._see(run):
            self._join(entry, run, "kept")
            if newer is not None and self._see(newer):
                self._join(run, newer, "kept")
                yield newer

    def _same(self, entry: Entry, number: int) -> Entry | None:
        """The entry of another version at the same path with the same bytes."""
        rows = select(Entry).join(DatasetVersion, DatasetVersion.id == Entry.version_id).where(
            DatasetVersion.dataset_id == entry.dataset_id, DatasetVersion.number == number, Entry.path == entry.path,
            Entry.n_files == entry.n_files, Entry.size == entry.size)
        other = self.session.scalar(rows)
        return other if other is not None and self._digests(other) == self._digests(entry) else None

    def _digests(self, entry: Entry) -> set[tuple[str, str]]:
        rows = self.session.execute(select(File.path, File.sha256).where(File.entry_id == entry.id))
        return {(path, sha256) for path, sha256 in rows}

    def _adds(self, run: Run) -> bool:
        upload = self.session.get(Upload, run.upload_id) if run.upload_id else None
        return upload is not None and upload.mode == "add"

    def _held_by(self, run: Run) -> Iterator[Run]:
        """Of a release from quarantine: the import that had held the file."""
        ids = select(QuarantineItem.run_id).where(QuarantineItem.release_run_id == run.id)
        for held in self.session.scalars(select(Run).where(Run.id.in_(ids))):
            if self._see(held):
                self._join(held, run, "quarantine")
                yield held

    def _releases(self, run: Run) -> Iterator[Run]:
        ids = select(QuarantineItem.release_run_id).where(QuarantineItem.run_id == run.id)
        for release in self.session.scalars(select(Run).where(Run.id.in_(ids)).order_by(Run.created_at)):
            if self._see(release):
                self._join(run, release, "quarantine")
                yield release

    def _entries(self, ids: Iterable[str]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        left = iter(sorted(ids))
        while some := list(islice(left, 500)):
            found |= {one.id: one for one in self.session.scalars(select(Entry).where(Entry.id.in_(some)))}
        return found

    def _see(self, place: Place) -> bool:
        """Whether it is among the nodes now."""
        if not self.make.readable(place.project_id):
            return False
        return _key(place) in self.nodes or self._add(self._node(place))

    def _hide(self, beside: Place, *, above: bool) -> None:
        """What may not be read is one hidden node beside its neighbour."""
        node = self.make.hidden(_key(beside), above=above)
        if self._add(node):
            self._edge(*((node.key, _key(beside)) if above else (_key(beside), node.key)), "")

    def _add(self, node: LineageNode) -> bool:
        if node.key not in self.nodes:
            if len(self.nodes) >= self.limit:
                self.cut = True
                return False
            self.nodes[node.key] = node
        return True

    def _node(self, place: Place) -> LineageNode:
        return self.make.entry(place) if isinstance(place, Entry) else self.make.run(place)

    def _join(self, source: Place, target: Place, role: str) -> None:
        self._edge(_key(source), _key(target), role)

    def _edge(self, source: str, target: str, role: str) -> None:
        self.edges[source, target, role] = LineageEdge(source=source, target=target, role=role)


def _once(places: Iterable[Place]) -> list[Place]:
    return list({_key(one): one for one in places}.values())


def _key(place: Place) -> str:
    return f"entry:{place.id}" if isinstance(place, Entry) else f"run:{place.id}"
