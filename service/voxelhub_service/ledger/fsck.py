"""Checks of the ledger for `voxelhub fsck`: nothing that ended goes on costing, and no run cost less than it ran."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select

from ..context import Context
from ..database import reading, writing
from ..executors.folder import read_json
from ..fsck.base import Check, Finding
from ..models import ENDED_CLUSTERS, TERMINAL_STATES, Cluster, LedgerEntry, Run, utcnow
from .metering import close_all

PATIENCE = timedelta(minutes=2)  # within which a worker closes what has ended
ROUNDING = 0.01  # seconds


def ended(context: Context, deep: bool) -> list[Finding]:
    """Entries of runs and clusters that have ended, or never were, do not grow."""
    with reading(context.engine) as session:
        growing = select(LedgerEntry.kind, LedgerEntry.subject).where(LedgerEntry.ended_at.is_(None)).distinct()
        found = {kind: {subject for one, subject in session.execute(growing) if one == kind} for kind in ("run", "cluster")}
        gone = utcnow() - PATIENCE
        rows: dict[str, Any] = {"run": Run, "cluster": Cluster}
        states = {"run": TERMINAL_STATES, "cluster": ENDED_CLUSTERS}
        findings = []
        for kind, subjects in found.items():
            row = rows[kind]
            known = {one.id: one for one in session.scalars(select(row).where(row.id.in_(subjects)))}
            for subject in sorted(subjects):
                one = known.get(subject)
                if one is None or (one.state in states[kind] and (one.ended_at is None or one.ended_at < gone)):
                    said = "does not exist" if one is None else "has ended"
                    findings.append(Finding(f"The {kind} {subject} {said}, and yet its entry in the ledger grows.",
                                            "close the entry where it was read last", partial(_close, context, kind, subject)))
    return findings


def _close(context: Context, kind: str, subject: str) -> str:
    with writing(context.engine) as session:
        close_all(session, kind, [subject])
    return f"closed the entry of the {kind} {subject}"


def runs(context: Context, deep: bool) -> list[Finding]:
    """What the last attempt of a run took, by its own record, is in the ledger; earlier attempts come on top."""
    with reading(context.engine) as session:
        summed = select(LedgerEntry.subject, func.sum(LedgerEntry.seconds)).where(LedgerEntry.kind == "run")
        counted: dict[str, float] = {row[0]: row[1] for row in session.execute(summed.group_by(LedgerEntry.subject))}
        finished = list(session.scalars(select(Run).where(Run.state.in_(TERMINAL_STATES))))
    findings = []
    for run in finished:
        record = read_json(context.settings.runs_dir / run.id / "run.json")
        usage = record.get("usage") if record.get("state") in TERMINAL_STATES else None
        ran = usage.get("seconds") if isinstance(usage, dict) else None  # none: from before there was a ledger
        has = counted.get(run.id, 0.0)
        if isinstance(ran, int | float) and has < ran - ROUNDING:
            said = f"{run.label} ({run.id}) ran for {ran:.1f} s by its record, and the ledger has {has:.1f} s."
            findings.append(Finding(said))
    return findings


def amounts(context: Context, deep: bool) -> list[Finding]:
    """No entry is negative, ends before it began, or has a price without a currency."""
    wrong: dict[str, Callable[[LedgerEntry], bool]] = {
        "is negative": lambda row: min(row.seconds, row.core_seconds, row.gpu_seconds, row.used_cpu_seconds) < 0,
        "ends before it begins": lambda row: row.ended_at is not None and row.ended_at < row.started_at,
        "has a price without a currency": lambda row: row.price_per_hour is not None and not row.currency,
    }
    with reading(context.engine) as session:
        return [Finding(f"The entry {row.id} of the ledger ({row.kind} {row.subject}, {row.day}) {what}.")
                for row in session.scalars(select(LedgerEntry)) for what, test in wrong.items() if test(row)]


CHECKS = [
    Check("ledger-ended", "What has ended costs nothing more", ended),
    Check("ledger-runs", "The ledger has what runs took", runs),
    Check("ledger-amounts", "Entries of the ledger are plausible", amounts),
]
