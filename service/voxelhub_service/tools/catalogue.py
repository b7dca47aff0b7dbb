"""Which versions of which tools there are, for whom: the tools that ship, and those that somebody submitted.

A version is what its digest says. New runs take the newest version that is offered; a run that is begun again takes the
one it had, though it was retired since.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..context import Context
from ..errors import Problem, conflict, forbidden, not_found
from ..identity.actor import Actor
from ..models import ToolVersion
from .manifest import Manifest, ManifestError, load_manifest
from .registry import registry
from .versions import order

log = logging.getLogger(__name__)
State = Literal["built-in", "submitted", "approved", "retired"]
RUNNABLE = ("submitted", "approved", "retired")  # states in which a version may be run by somebody
NO_ISOLATION = "This VoxelHub runs without isolation, so only the tools that ship are run."


@dataclass(frozen=True)
class Offer:
    """A version of a tool with what decides about who may run it."""

    manifest: Manifest
    state: State = "built-in"
    owner: str = ""  # who submitted it
    groups: frozenset[str] = frozenset()  # empty: everyone

    @property
    def network(self) -> bool:
        """Nothing reaches the network that nobody has reviewed."""
        return self.manifest.network and self.state != "submitted"

    def open_to(self, actor: Actor) -> bool:
        """Whether it exists for this actor."""
        return self.state == "built-in" or is_open(self, actor)


def is_open(one: Offer | ToolVersion, actor: Actor) -> bool:
    """Of a version that somebody submitted: what nobody reviewed is its developer's alone, the rest its groups' or everyone's."""
    if one.owner == actor.name:
        return True
    return one.state != "submitted" and (not one.groups or not actor.groups.isdisjoint(one.groups))


def offered(context: Context, session: Session, actor: Actor) -> list[Offer]:
    """Every version that the actor may start anew, by title, newest first."""
    found = [one for one in _all(context, session) if one.state != "retired" and one.open_to(actor)]
    found.sort(key=lambda one: order(one.manifest.version), reverse=True)
    return sorted(found, key=lambda one: (one.manifest.title, one.manifest.name))


def find(context: Context, session: Session, actor: Actor, name: str, version: str | None = None) -> Offer | None:
    """What the actor may start anew: this version, or the newest. A version under review only where there is no other."""
    return newest(one for one in _all(context, session, name) if one.state != "retired" and one.open_to(actor)
                  and version in (None, one.manifest.version))


def known(context: Context, session: Session, actor: Actor, name: str, version: str) -> Offer | None:
    """This version, retired ones included: to read what an old run was made with."""
    return newest(one for one in _all(context, session, name) if one.open_to(actor) and one.manifest.version == version)


def wanted(context: Context, session: Session, actor: Actor, name: str, version: str | None) -> Offer:
    """`find`, or the Problem that says why there is none."""
    if (offer := find(context, session, actor, name, version)) is not None:
        return offer
    rows = [row for row in _rows(session, name, RUNNABLE) if version in (None, row.version) and is_open(row, actor)]
    if not rows:
        raise not_found()
    if not context.settings.isolation:
        raise conflict("no_isolation", NO_ISOLATION, "An administrator starts VoxelHub with isolation.")
    if all(row.state == "retired" for row in rows):
        raise conflict("tool_retired", f"{name} {version or rows[0].version} was retired: it starts no new run.",
                       "Take another version. Runs that used it can still be run again.")
    raise _gone(name, version or rows[0].version)


def again(context: Context, session: Session, actor: Actor, name: str, version: str, digest: str) -> Offer:
    """The version of a recorded run, for one more run of the actor; raises Problem."""
    offer = exactly(context, session, name, version, digest)
    if offer is not None and offer.open_to(actor):
        return offer
    if offer is None and not context.settings.isolation and any(row.digest == digest for row in _rows(session, name, RUNNABLE)):
        raise conflict("no_isolation", NO_ISOLATION, "An administrator starts VoxelHub with isolation.")
    if offer is None:
        raise _gone(name, version)
    if offer.state == "submitted":
        raise forbidden("This run used a version that nobody has reviewed; only its developer may run it.",
                        "Ask for its approval, or start a new run with another version.")
    raise forbidden("This run used a tool that is for other groups.", "Ask an administrator to be let in.")


def exactly(context: Context, session: Session, name: str, version: str, digest: str) -> Offer | None:
    """The version of a recorded run, retired or not, its files read anew: None when a byte of it differs."""
    for one in _all(context, session, name):
        if (one.manifest.version, one.manifest.digest) == (version, digest):
            try:
                fresh = load_manifest(one.manifest.folder, any_name=True)
            except ManifestError:
                return None
            return one if fresh.digest == digest else None
    return None


def newest(offers: Iterable[Offer]) -> Offer | None:
    """Of one tool: what was reviewed comes before what was not."""
    return max(offers, key=lambda one: (one.state != "submitted", order(one.manifest.version)), default=None)


def manifest_of(context: Context, row: ToolVersion) -> Manifest | None:
    """Of a submitted version; None, and a line in the log, where its folder is not what was submitted."""
    try:
        return _loaded(context.settings.submitted_dir / row.id, row.digest)
    except ManifestError as error:
        log.error("the submitted tool %s is left out: %s", row.id, error)
        return None


def unchanged(context: Context, row: ToolVersion) -> bool:
    """Whether its files are still those that were submitted, read anew."""
    try:
        return load_manifest(context.settings.submitted_dir / row.id, any_name=True).digest == row.digest
    except ManifestError:
        return False


def name_is_built_in(context: Context, name: str) -> bool:
    return registry(context.settings).get(name) is not None


def _all(context: Context, session: Session, name: str | None = None) -> Iterator[Offer]:
    for manifest in registry(context.settings).all():
        if name in (None, manifest.name):
            yield Offer(manifest)
    if not context.settings.isolation:
        return
    for row in _rows(session, name, RUNNABLE):
        own = manifest_of(context, row)
        if own is not None:
            yield Offer(own, row.state, row.owner, frozenset(row.groups))  # type: ignore[arg-type]


def _rows(session: Session, name: str | None, states: Iterable[str]) -> list[ToolVersion]:
    query = select(ToolVersion).where(ToolVersion.state.in_(states))
    return list(session.scalars(query.where(ToolVersion.name == name) if name is not None else query))


@functools.lru_cache(maxsize=1000)
def _loaded(folder: Path, digest: str) -> Manifest:
    """Of a submitted version, whose folder never changes; ManifestError where its bytes are not those that were submitted."""
    manifest = load_manifest(folder, any_name=True)
    if manifest.digest != digest:
        raise ManifestError("its files are not those that were submitted.")
    return manifest


def _gone(name: str, version: str) -> Problem:
    return conflict("tool_gone", f"{name} {version} is no longer installed here as this run used it.",
                    "Start a new run with the present version.")
