"""Which size would do, from what was seen: of a tool's runs, or of one's notebook servers. `fitting` is pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from voxelhub_sandbox.profiles import gib

from ..identity.actor import Actor
from ..models import LedgerEntry, Project
from ..policy.authorize import decide
from ..wire_spend import EntryKindOfSpend, Proposal
from .prices import PriceList

ENOUGH = 3  # of runs or servers, before anything is proposed
LAST = 20  # of the newest that are looked at
HEADROOM = 1.25  # times the peak that was seen


@dataclass(frozen=True)
class Size:
    name: str
    title: str
    cpu: float
    memory: int


@dataclass(frozen=True)
class Seen:
    """One run or server, its days together. `cores` on average over its life; bytes at the peak."""

    cores: float
    peak_memory: int
    seconds: float


def fitting(seen: Sequence[Seen], sizes: Sequence[Size], what: str) -> Proposal:
    """The smallest size whose memory holds the highest peak with headroom and whose cores the usual need; a sentence."""
    if len(seen) < ENOUGH:
        return Proposal(profile=None, sentence="", peak_memory=None, used_cores=None, seconds=None, runs=len(seen))
    peak, cores = max(one.peak_memory for one in seen), _middle([one.cores for one in seen])
    figures = f"{what} peaked at {gib(peak)} and kept {cores:.2g} cores busy"
    fits = [one for one in sizes if one.memory >= peak * HEADROOM and one.cpu >= cores]
    best = min(fits, key=lambda one: (one.memory, one.cpu)) if fits else None
    verdict = f"the size {best.title} would do" if best else "more than any size holds with room to spare"
    return Proposal(
        profile=best.name if best else None, sentence=f"{figures}: {verdict}.", peak_memory=peak, used_cores=cores,
        seconds=_middle([one.seconds for one in seen]), runs=len(seen))


def propose(session: Session, actor: Actor, prices: PriceList, kind: EntryKindOfSpend, tool: str) -> Proposal:
    """From the newest of a tool's runs in the caller's projects; of notebook servers and clusters from the caller's own."""
    mine = LedgerEntry.owner == actor.name
    if kind == "run":
        readable = [one.id for one in session.scalars(select(Project)) if decide(actor, "run.read", one).allowed]
        mine = LedgerEntry.project_id.in_(readable)
    sums = (func.sum(LedgerEntry.seconds), func.sum(LedgerEntry.used_cpu_seconds), func.max(LedgerEntry.peak_memory))
    ended = select(*sums).where(mine, LedgerEntry.kind == kind, LedgerEntry.tool == tool, LedgerEntry.ended_at.is_not(None))
    each = ended.group_by(LedgerEntry.subject, LedgerEntry.profile)
    newest = each.order_by(func.max(LedgerEntry.started_at).desc()).limit(LAST)
    seen = [Seen(cpu / seconds, int(peak), seconds) for seconds, cpu, peak in session.execute(newest) if seconds > 0]
    offered = prices.servers if kind == "server" else prices.kinds
    sizes = [Size(one.name, one.title, one.cpu, one.memory) for one in offered]
    return fitting(seen, sizes, f"Its last {len(seen)} runs" if kind == "run" else f"The last {len(seen)}")


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
