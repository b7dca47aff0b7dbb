"""Runs in the ledger: what their supervisors measured, for tools at the price of what the tool's manifest asks for.

Imports and joins are the platform's own work: they have no size and no price, and their cores are those that they used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from voxelhub_sandbox.profiles import gib

from ..context import Context
from ..database import reading
from ..executors.base import Executor, Observation
from ..executors.folder import read_json
from ..models import TERMINAL_STATES, LedgerEntry, Run
from .metering import Counters, Meter, close_all, meter
from .prices import Price, PriceList

log = logging.getLogger(__name__)
NO_PRICE = Price(None, None)
TITLES = {"import": "Import", "join": "Joined table"}


def profile_of(run: Run) -> str:
    """As: 2 cores, 4 GiB."""
    return f"{run.cpu:g} core{'' if run.cpu == 1 else 's'}, {gib(run.memory)}" if run.kind == "tool" else run.kind


def counters_of(run: Run, seen: Observation, gpus: int) -> Counters:
    usage = Counters.of({
        "seconds": seen.usage.get("seconds"), "used_cpu_seconds": seen.usage.get("cpu_seconds"),
        "peak_memory": seen.usage.get("peak_memory")})
    cores = usage.seconds * run.cpu if run.kind == "tool" else usage.used_cpu_seconds
    return Counters(usage.seconds, cores, usage.seconds * gpus, usage.used_cpu_seconds, usage.peak_memory)


def meter_run(
    context: Context, session: Session, run: Run, seen: Observation, prices: PriceList, *, running: bool,
) -> None:
    """What the newest attempt of a run has used by now."""
    gpus = _gpus(context, run) if run.kind == "tool" else 0
    price = prices.of_run(run.cpu, run.memory, gpus) if run.kind == "tool" else NO_PRICE
    since = datetime.fromisoformat(seen.started_at) if seen.started_at else None
    meter(session, Meter(
        "run", run.id, f"{TITLES.get(run.kind) or run.tool} {run.label}", run.owner, run.project_id, profile_of(run),
        counters_of(run, seen, gpus), price, running, run.tool or "", str(seen.attempts), since))


def going(context: Context, executor: Executor) -> list[tuple[Run, Observation]]:
    """Runs whose program runs now, with what is seen of them."""
    with reading(context.engine) as session:
        rows = list(session.scalars(select(Run).where(Run.state == "running")))
    observed = [(run, executor.observe(run.id)) for run in rows]
    return [(run, seen) for run, seen in observed if seen.process == "running"]


def open_entries(context: Context) -> bool:
    with reading(context.engine) as session:
        growing = select(LedgerEntry.id).where(LedgerEntry.kind == "run", LedgerEntry.ended_at.is_(None))
        return session.scalar(growing.limit(1)) is not None


def close_ended(session: Session) -> None:
    """Entries of runs that have ended: whoever ended a run has read it, or it was never read at all."""
    growing = select(LedgerEntry.subject).where(LedgerEntry.kind == "run", LedgerEntry.ended_at.is_(None))
    ended: Iterable[str] = session.scalars(select(Run.id).where(Run.id.in_(growing), Run.state.in_(TERMINAL_STATES)))
    close_all(session, "run", list(ended))


def _gpus(context: Context, run: Run) -> int:
    """That its tool's manifest asks for."""
    asked = read_json(context.settings.runs_dir / run.id / "run.json").get("manifest", {}).get("resources", {}).get("gpu")
    return asked if isinstance(asked, int) else 0
