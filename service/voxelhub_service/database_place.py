"""Which database an installation has: SQLite in its state folder, or a PostgreSQL server; and whether that one suits us.

The address of a server is a setting and holds no password. The password comes from the secrets folder, or from where
libpq looks by itself (PGPASSFILE, PGPASSWORD). It is never logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine, make_url, text

from .database import NoAnswer, away, make_engine, reading
from .secrets import DATABASE_PASSWORD, OF_SERVICE, database_password, require_secrets
from .settings import Settings, SettingsError, is_loopback

OLDEST = 15  # PostgreSQL
ENOUGH = 100  # connections: the service's pool, the worker, its imports, the command line
LOCALES = ("C", "POSIX")  # texts sort by their bytes there, as in SQLite
MAKE_IT = "Make it with: CREATE DATABASE voxelhub ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0;"


@dataclass(frozen=True)
class About:
    """What a database says of itself. `revision` is "" before the first migration."""

    name: str
    version: str
    revision: str


def open_database(settings: Settings) -> Engine:
    """Connects at its first use; does not migrate."""
    return make_engine(settings.database, database_password(settings.secrets_dir) if settings.database_url else None)


def require_pod(settings: Settings, secrets: tuple[str, ...] = OF_SERVICE) -> None:
    """What each process of the service looks at first, on Kubernetes; raises SettingsError with the sentence to show."""
    if not settings.on_kubernetes:
        return
    if not settings.database_url:
        raise SettingsError("VOXELHUB_DATABASE_URL is empty. On Kubernetes the database is a PostgreSQL server: "
                            "the chart's bundled one, or yours.")
    require_secrets(settings, (*secrets, DATABASE_PASSWORD))


def place(settings: Settings) -> str:
    """For a sentence: where the database is."""
    if not settings.database_url:
        return "SQLite in the state folder"
    url = make_url(settings.database)
    host = url.host or url.query.get("host") or "this machine"
    return f"PostgreSQL database {url.database} at {host}{f':{url.port}' if url.port else ''}"


def no_answer(settings: Settings, error: BaseException) -> SettingsError:
    """The sentence for a database that is away. What the server says names hosts, users and roles, never a password."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    return SettingsError(
        f"The {place(settings)} does not answer{f' ({said[0].strip()})' if said else ''}. Start it, or correct "
        f"VOXELHUB_DATABASE_URL or {settings.secrets_dir / 'database-password'}.")


def about(settings: Settings) -> About:
    """Asks the database; raises SettingsError with the sentence to show where it does not answer or does not suit."""
    engine = open_database(settings)
    try:
        with reading(engine) as session:
            connection = session.connection()
            refuse_unsuited(connection)
            return About(place(settings), version(connection), revision(connection))
    except NoAnswer as error:
        if away(error):
            raise no_answer(settings, error) from None
        raise
    finally:
        engine.dispose()


def refuse_unsuited(connection: Connection) -> None:
    """A server that is too old, or a database that sorts or encodes texts in another way than SQLite does."""
    if connection.dialect.name != "postgresql":
        return
    major = int(connection.execute(text("SELECT current_setting('server_version_num')::int / 10000")).scalar_one())
    if major < OLDEST:
        raise SettingsError(f"This is PostgreSQL {major}; VoxelHub needs {OLDEST} or newer.")
    name, encoding, collate, ctype = connection.execute(text(
        "SELECT datname, pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = current_database()"
    )).one()
    if encoding != "UTF8" or collate not in LOCALES or ctype not in LOCALES:
        raise SettingsError(
            f"The database {name} has the encoding {encoding} and the locale {collate}; VoxelHub needs UTF8 and C, so that it "
            f"sorts and searches as everywhere. {MAKE_IT}")


def version(connection: Connection) -> str:
    if connection.dialect.name == "postgresql":
        return f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one()}"
    return f"SQLite {connection.execute(text('SELECT sqlite_version()')).scalar_one()}"


def revision(connection: Connection) -> str:
    """Of the last migration; "" where there was none."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def server_findings(settings: Settings) -> list[tuple[Literal["wrong", "note"], str]]:
    """For `voxelhub doctor`: how the server is set, as far as it matters to us. Nothing for SQLite."""
    if not settings.database_url:
        return []
    engine = open_database(settings)
    try:
        with reading(engine) as session:
            said: dict[str, str] = dict(session.execute(text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)"), {
                "names": ["fsync", "full_page_writes", "synchronous_commit", "max_connections"]}).all())
            encrypted = session.execute(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).scalar()
    finally:
        engine.dispose()
    found: list[tuple[Literal["wrong", "note"], str]] = [
        ("wrong", f"PostgreSQL runs with {name}=off: a power cut can lose what was said to be done, and audit records with it. "
                  "Turn it on.") for name in ("fsync", "full_page_writes", "synchronous_commit") if said.get(name) == "off"]
    if int(said["max_connections"]) < ENOUGH:
        found.append(("note", f"PostgreSQL allows {said['max_connections']} connections; a busy VoxelHub may want {ENOUGH}."))
    host = make_url(settings.database).host
    if host and not is_loopback(host) and not encrypted:
        found.append(("note", "The database is on another machine, and the connection is not encrypted. "
                              "Add ?sslmode=verify-full to VOXELHUB_DATABASE_URL."))
    return found
