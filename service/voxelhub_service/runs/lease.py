"""One worker at a time: a row with a holder and an expiry, renewed while the holder lives.

A holder that was killed on this machine need not expire: its successor sees that the process is gone.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from ..context import Context
from ..database import writing
from ..executors.folder import alive, identity
from ..models import Lease, utcnow

NAME = "worker"
LIFE = timedelta(seconds=30)
RENEW = 5.0  # seconds


class LeaseLost(Exception):
    """Another worker took over: this one must end without writing anything more."""


class WorkerLease:
    def __init__(self, context: Context) -> None:
        self._context = context
        self.holder = json.dumps({"host": _host(), **identity()}, sort_keys=True)

    def take(self) -> bool:
        """Whether this process now holds the lease."""
        with writing(self._context.engine) as session:
            row = session.get(Lease, NAME)
            if row is None:
                session.add(Lease(name=NAME, holder=self.holder, expires_at=utcnow() + LIFE))
                return True
            if row.holder != self.holder and row.expires_at > utcnow() and not _is_dead(row.holder):
                return False
            row.holder, row.expires_at = self.holder, utcnow() + LIFE
            return True

    def renew(self) -> None:
        with self.writing() as session:
            row = session.get(Lease, NAME)
            assert row is not None
            row.expires_at = utcnow() + LIFE

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A write transaction in which this process holds the lease; raises LeaseLost else."""
        with writing(self._context.engine) as session:
            if not self.held(session):
                raise LeaseLost
            yield session

    def held(self, session: Session) -> bool:
        row = session.get(Lease, NAME)
        return row is not None and row.holder == self.holder

    def release(self) -> None:
        with writing(self._context.engine) as session:
            row = session.get(Lease, NAME)
            if row is not None and row.holder == self.holder:
                session.delete(row)


def _host() -> str:
    """Names the set of process numbers that ours belongs to."""
    return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"


def _is_dead(holder: str) -> bool:
    try:
        known = json.loads(holder)
    except json.JSONDecodeError:
        return False
    return known.get("host") == _host() and not alive(known)
