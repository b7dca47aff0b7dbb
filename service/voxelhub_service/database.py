"""One engine, one way to open a transaction. SQLite in WAL mode; every write transaction begins IMMEDIATE."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session


def make_engine(url: str) -> Engine:
    engine = create_engine(
        url, connect_args={"check_same_thread": False, "timeout": 30}, pool_size=20, max_overflow=40,  # a route is a thread
    )

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's BEGIN below is the only one
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "cache_size=-32768",
                       "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A deferred transaction that turns to writing can fail with "database is locked" at once, without waiting.
        read = bool(connection.get_execution_options().get("voxelhub_read"))
        connection.exec_driver_sql(f"PRAGMA query_only={'ON' if read else 'OFF'}")
        connection.exec_driver_sql(f"BEGIN {'DEFERRED' if read else 'IMMEDIATE'}")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A transaction that commits at the end, or rolls back on an exception."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A snapshot that takes no write lock. Writing in it is a defect, and SQLite refuses it."""
    with Session(engine.execution_options(voxelhub_read=True), expire_on_commit=False) as session:
        yield session
