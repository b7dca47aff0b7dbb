"""On which database a test's installation lies: SQLite in its state folder, or a database of its own on the tests' server.

The address of the server is in the environment, and a database is named after its state folder: so a process that a test
starts finds the same one. Each is a copy of a template whose tables are made from the models.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, MetaData, make_url, select, text
from support.postgresql import Cluster
from voxelhub_service.context import Context
from voxelhub_service.database import make_engine, reading
from voxelhub_service.models import Base
from voxelhub_service.settings import Settings

SERVER = "TEST_POSTGRESQL"  # environment: address of the server's database `postgres`; unset: SQLite
TEMPLATE = "models"
_made: list[str] = []


def on_server() -> bool:
    return SERVER in os.environ


def prepare(folder: Path, settings: Settings, template: str = TEMPLATE) -> str:
    """The setting `database_url` for a state below `folder`; a database that is not there yet is made."""
    if not on_server():
        return settings.database_url
    name = f"t_{hashlib.sha256(str(folder).encode()).hexdigest()[:20]}"
    with _server() as connection:
        try:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            _made.append(name)
        except psycopg.errors.DuplicateDatabase:
            pass
    return _url(name)


@contextmanager
def serving(cluster: Cluster) -> Iterator[None]:
    """While this lasts, installations of tests lie on the cluster."""
    os.environ[SERVER] = cluster.url("postgres")
    try:
        yield
    finally:
        del os.environ[SERVER]


@contextmanager
def dropping() -> Iterator[None]:
    """At the end, the databases that were made meanwhile go, whoever is still connected."""
    before = len(_made)
    yield
    if len(_made) > before:
        with _server() as connection:
            for name in _made[before:]:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    del _made[before:]


@contextmanager
def over_tcp(cluster: Cluster, folder: Path, template: str = TEMPLATE) -> Iterator[str]:
    """The setting for a database that is reached as over a network: with a password, which is in no address."""
    name = f"tcp_{hashlib.sha256(str(folder).encode()).hexdigest()[:20]}"
    cluster.create(name, f"TEMPLATE {template}")
    yield cluster.loopback_url(name)
    with cluster.connect("postgres") as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def make_template(cluster: Cluster) -> None:
    engine = make_engine(Settings(database_url=cluster.create(TEMPLATE)).database)
    Base.metadata.create_all(engine)
    engine.dispose()


def everything(context: Context) -> bytes:
    """All that the database holds: of SQLite its files, so that what was deleted counts too; of a server every row."""
    if not context.settings.database_url:
        return b"".join(path.read_bytes() for path in sorted(context.settings.database_file.parent.glob("voxelhub.db*")))
    tables = MetaData()
    with reading(context.engine) as session:
        tables.reflect(session.connection())
        rows = [session.execute(select(text("*")).select_from(table)).all() for table in tables.sorted_tables]
    return "\n".join(str(tuple(row)) for some in rows for row in some).encode()


@contextmanager
def unguarded(context: Context) -> Iterator[Connection]:
    """For damage as no service does it: foreign keys are not looked at."""
    with context.engine.connect() as connection:
        if context.settings.database_url:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            yield connection
            connection.commit()
            return
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        yield connection
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        connection.exec_driver_sql("BEGIN")


def environ(settings: Settings) -> dict[str, str]:
    """What tells a program of ours where this installation lies."""
    server = {"VOXELHUB_DATABASE_URL": settings.database_url} if settings.database_url else {}
    return {"VOXELHUB_STATE_DIR": str(settings.state_dir), **server}


def use(monkeypatch: pytest.MonkeyPatch, context: Context) -> None:
    for name, value in environ(context.settings).items():
        monkeypatch.setenv(name, value)


def _server() -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(os.environ[SERVER], autocommit=True)


def _url(name: str) -> str:
    return make_url(os.environ[SERVER]).set(database=name).render_as_string(hide_password=False)
