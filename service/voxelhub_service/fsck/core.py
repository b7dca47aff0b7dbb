"""Checks of what the service's core keeps: database, audit chain, reservations, leases."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..audit.checkpoint import newest_digest
from ..audit.head import GENESIS, Head
from ..audit.verify import verify
from ..context import Context
from ..database import reading, writing
from ..models import TERMINAL_STATES, AuditEvent, Lease, Reservation, Run, Upload, utcnow
from ..projects.quota import human, release
from .base import Check, Finding
from .of_database import database

LONGEST_LEASE = timedelta(hours=1)
PATIENCE = timedelta(hours=1)  # the worker drops expired uploads by itself; after this long it has not


def audit_chain(context: Context, deep: bool) -> list[Finding]:
    """Only the mirrored head can be made anew; nothing mends a changed record."""
    with reading(context.engine) as session:
        sentences = verify(session, context.audit)

    def mend() -> str:
        with writing(context.engine) as session:
            last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(1)).first()
            head = Head(last.seq, last.mac) if last else Head(0, GENESIS)
            head = head._replace(checkpoint=newest_digest(context.audit.folder))
            context.audit.head.reset(head)
            context.audit.append(session, "command-line", "audit.head_reset", f"record:{head.seq}", detail={"found": sentences})
        return "mirrored the head of the chain anew; the chain has a record of it"

    head_only = all("mirrored" in sentence for sentence in sentences)
    offer = "mirror the head anew, after you have looked into why it differs" if head_only else ""
    return [Finding(sentence, offer, mend if head_only and i == 0 else None) for i, sentence in enumerate(sentences)]


def reservations(context: Context, deep: bool) -> list[Finding]:
    """Quota set aside for an upload or run that has ended, or that never was."""
    findings = []
    with reading(context.engine) as session:
        for reservation in session.scalars(select(Reservation).order_by(Reservation.holder)):
            if why := _stale(session, reservation):
                findings.append(_stale_finding(context, reservation, why))
    return findings


def _stale(session: Session, reservation: Reservation) -> str:
    kind, _, holder = reservation.holder.partition(":")
    if kind == "upload":
        state = session.scalar(select(Upload.state).where(Upload.id == holder))
        ended = state not in {"open", "importing"}
    else:
        state = session.scalar(select(Run.state).where(Run.id == holder)) if kind == "run" else None
        ended = state is None or state in TERMINAL_STATES
    if ended:
        return f"its {kind} " + (f"is {state}" if state else "does not exist")
    return "it expired and was not dropped" if reservation.expires_at < utcnow() - PATIENCE else ""


def _stale_finding(context: Context, reservation: Reservation, why: str) -> Finding:
    def mend() -> str:
        with writing(context.engine) as session:
            release(session, reservation.holder)
        return f"released {human(reservation.size)}"

    sentence = f"{human(reservation.size)} are reserved for {reservation.holder}, but {why}."
    return Finding(sentence, "release them", mend)


def leases(context: Context, deep: bool) -> list[Finding]:
    findings = []
    with reading(context.engine) as session:
        for lease in session.scalars(select(Lease)):
            if lease.expires_at > utcnow() + LONGEST_LEASE:
                findings.append(_long_lease(context, lease))
    return findings


def _long_lease(context: Context, lease: Lease) -> Finding:
    def mend() -> str:
        with writing(context.engine) as session:
            if (found := session.get(Lease, lease.name)) is not None:
                session.delete(found)
        return "dropped it; a running worker takes it again"

    sentence = f"The lease {lease.name} lasts until {lease.expires_at:%Y-%m-%d %H:%M} UTC: the clock was wrong when it was taken."
    return Finding(sentence, "drop it", mend)


CHECKS = [
    Check("database", "the database's own check, and rows that point nowhere", database),
    Check("audit", "the audit chain and its mirrored head", audit_chain),
    Check("reservations", "quota set aside for nobody", reservations),
    Check("leases", "leases that no worker can hold", leases),
]
