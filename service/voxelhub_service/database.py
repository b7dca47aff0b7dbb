"""One way to open a transaction, with the same promises on SQLite and on PostgreSQL.

`writing` holds the one write lock from its first statement: nobody else writes, and it sees all that was committed before. SQLite
in WAL mode: BEGIN IMMEDIATE. PostgreSQL: an advisory lock of the transaction, under READ COMMITTED, so that each statement
sees what was committed before the lock was given; it is let go after the commit can be seen. `reading` is a snapshot that
takes no lock and cannot write. Which database it is, and whether it suits us: database_place.py.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DontWrapMixin, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

LOCK_PATIENCE = 30  # seconds that a writer waits for the one before it, as long as on SQLite
STATEMENT_PATIENCE = 120  # seconds for one statement; a migration has no limit
IDLE_PATIENCE = 600  # seconds between two statements of one transaction, or a stopped process would hold the lock for ever
WRITE_LOCK = 0x766F78656C687562  # the advisory lock of whoever writes: "voxelhub", within this one database
# A route is a thread. A server's 100 connections are enough for the service, the worker and its imports.
POOL: dict[str, Any] = {"pool_size": 20, "max_overflow": 30, "hide_parameters": True}
# What the database raises when it cannot answer now; `away` tells it from a defect of ours.
NoAnswer = (OperationalError, PoolTimeout)
_SQLITE_AWAY = frozenset({5, 6, 10, 13, 14, 15})  # SQLITE_BUSY, _LOCKED, _IOERR, _FULL, _CANTOPEN, _PROTOCOL
# Connection, rollback (deadlock, serialisation), resources, operator's intervention, system; a lock that took too long.
_POSTGRESQL_AWAY = ("08", "40", "53", "57", "58", "55P03")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # in JSON


class Unstorable(DontWrapMixin, ValueError):
    """A text with a NUL character. PostgreSQL has none, so that SQLite shall not have any either."""

    def __init__(self) -> None:
        super().__init__("a text holds a NUL character")


def _json(value: Any) -> str:
    text = json.dumps(value)
    if _NUL.search(text):
        raise Unstorable
    return text


def make_engine(url: str, password: str | None = None) -> Engine:
    """For an address as Settings.database gives it, which holds no password."""
    return _postgresql(url, password) if url.startswith("postgresql") else _sqlite(url)


def _sqlite(url: str) -> Engine:
    engine = create_engine(
        url, connect_args={"check_same_thread": False, "timeout": LOCK_PATIENCE}, json_serializer=_json, **POOL)

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's BEGIN below is the only one
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={LOCK_PATIENCE * 1000}",
                       "cache_size=-32768", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A deferred transaction that turns to writing can fail with "database is locked" at once, without waiting.
        wanted = connection.get_execution_options()
        read = bool(wanted.get("voxelhub_read"))
        connection.exec_driver_sql(f"PRAGMA foreign_keys={'OFF' if wanted.get('voxelhub_migrates') else 'ON'}")
        connection.exec_driver_sql(f"PRAGMA query_only={'ON' if read else 'OFF'}")
        connection.exec_driver_sql(f"BEGIN {'DEFERRED' if read else 'IMMEDIATE'}")

    return engine


def _postgresql(url: str, password: str | None) -> Engine:
    options = {
        "lock_timeout": f"{LOCK_PATIENCE}s", "statement_timeout": f"{STATEMENT_PATIENCE}s",
        "idle_in_transaction_session_timeout": f"{IDLE_PATIENCE}s", "timezone": "UTC", "jit": "off", "client_encoding": "UTF8",
    }
    arguments: dict[str, Any] = {
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()), "application_name": "voxelhub",
        "connect_timeout": 5, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
    }
    if password is not None:
        arguments["password"] = password
    # A connection that died with the server is noticed before it is used, and made anew.
    engine = create_engine(url, connect_args=arguments, json_serializer=_json, pool_pre_ping=True, **POOL)

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        wanted = connection.get_execution_options()
        if wanted.get("voxelhub_read"):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return
        if wanted.get("voxelhub_migrates"):
            connection.exec_driver_sql("SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true)")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")

    @event.listens_for(engine, "handle_error")
    def _lost(context: ExceptionContext) -> Exception | None:
        """A cut connection has many faces; here it gets one."""
        if context.is_disconnect and not isinstance(context.sqlalchemy_exception, OperationalError):
            return OperationalError(None, None, context.original_exception, connection_invalidated=True)
        return None

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A transaction that commits at the end, or rolls back on an exception."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A snapshot that takes no write lock. Writing in it is a defect, and the database refuses it."""
    with Session(engine.execution_options(voxelhub_read=True), expire_on_commit=False) as session:
        yield session


def away(error: BaseException | None) -> bool:
    """Whether the database could not do its work now: busy, gone, starting, full. The same may succeed later."""
    if not isinstance(error, OperationalError):
        return isinstance(error, PoolTimeout)
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_AWAY
    state = getattr(error.orig, "sqlstate", None)  # None: the connection broke, or never was
    return error.connection_invalidated or state is None or state.startswith(_POSTGRESQL_AWAY)


def wait_for(engine: Engine, seconds: float) -> bool:
    """Whether the database answers, within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with reading(engine) as session:
                session.execute(text("SELECT 1"))
            return True
        except NoAnswer as error:
            if not away(error) or time.monotonic() > deadline:
                return False
        time.sleep(0.5)
