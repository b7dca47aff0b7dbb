"""What a project holds, has set aside and may still take, in bytes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from ..errors import Problem
from ..models import Project, Reservation, utcnow


def reserved_bytes(session: Session, project: Project) -> int:
    """Bytes of the reservations that have not expired."""
    live = select(func.coalesce(func.sum(Reservation.size), 0)).where(
        Reservation.project_id == project.id, Reservation.expires_at > utcnow())
    return int(session.scalar(live) or 0)


def room(session: Session, project: Project) -> int:
    """Bytes that may still be reserved; 0 where a lowered quota is already exceeded."""
    return max(0, project.quota_bytes - project.used_bytes - reserved_bytes(session, project))


def reserve(session: Session, project: Project, holder: str, size: int, expires_at: datetime) -> Reservation:
    """Set `size` bytes aside for `holder` (`upload:<id>` or `run:<id>`), in place of what it had; Problem 413 without room."""
    own = session.scalar(select(Reservation).where(Reservation.holder == holder))
    free = room(session, project) + (own.size if own is not None and own.expires_at > utcnow() else 0)
    if size > free:
        raise Problem(
            413, "quota_exceeded", f"The project {project.name} has room for {human(free)}; this needs {human(size)}.",
            "Delete datasets that nobody needs, or ask an administrator for a larger quota.",
        )
    if own is None:
        own = Reservation(project_id=project.id, holder=holder, size=size, expires_at=expires_at)
        session.add(own)
    else:
        own.project_id, own.size, own.expires_at = project.id, size, expires_at
    session.flush()
    return own


def reserve_each(session: Session, project: Project, sizes: Mapping[str, int], expires_at: datetime) -> None:
    """Set bytes aside for many new holders at once, or for none of them; Problem 413 without room for all."""
    free, total = room(session, project), sum(sizes.values())
    if total > free:
        each = f" for {len(sizes)} runs" if len(sizes) > 1 else ""
        raise Problem(
            413, "quota_exceeded", f"The project {project.name} has room for {human(free)}; this needs {human(total)}{each}.",
            "Delete datasets that nobody needs, or ask an administrator for a larger quota.",
        )
    session.add_all(Reservation(project_id=project.id, holder=holder, size=size, expires_at=expires_at)
                    for holder, size in sizes.items())
    session.flush()


def release(session: Session, holder: str) -> None:
    """Give back what `holder` had; nothing to do where it had nothing."""
    gone = delete(Reservation).where(Reservation.holder == holder)
    session.execute(gone.execution_options(synchronize_session=False))  # nobody holds the row; a batch ends a thousand


def human(size: float) -> str:
    """1536 -> 1.5 KiB."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError
