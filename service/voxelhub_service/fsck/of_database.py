"""What the database says about itself, and rows that point nowhere."""

from __future__ import annotations

from sqlalchemy import MetaData, select, text
from sqlalchemy.orm import Session

from ..context import Context
from ..database import reading
from .base import Finding


def database(context: Context, deep: bool) -> list[Finding]:
    with reading(context.engine) as session:
        server = session.get_bind().dialect.name == "postgresql"
        return _of_postgresql(session, deep) if server else _of_sqlite(session, deep)


def _of_sqlite(session: Session, deep: bool) -> list[Finding]:
    said = session.scalars(text(f"PRAGMA {'integrity_check' if deep else 'quick_check'}")).all()
    strays = session.execute(text("PRAGMA foreign_key_check")).all()
    findings = [Finding(f"SQLite reports: {line}. Restore a backup.") for line in said if line != "ok"]
    return findings + [_stray(row[0], row[2]) for row in strays]


def _of_postgresql(session: Session, deep: bool) -> list[Finding]:
    """Pages that failed their checksum, indexes and constraints that were left half made, and rows that point nowhere.

    `deep` reads every row once, so that a page which cannot be read is met now.
    """
    findings = []
    failures = session.execute(
        text("SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()")).scalar()
    if failures:
        findings.append(Finding(f"PostgreSQL reports: {failures} pages failed their checksum. Restore a backup."))
    for name in session.scalars(text(
            "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indrelid "
            "WHERE NOT (indisvalid AND indisready) AND relnamespace = current_schema()::regnamespace")):
        findings.append(Finding(f"PostgreSQL reports: the index {name} is not valid. Make it anew with REINDEX INDEX {name}."))
    tables = MetaData()
    tables.reflect(session.connection())
    for table in tables.sorted_tables:
        if deep:
            session.execute(text(f'SELECT count(t::text) FROM "{table.name}" AS t'))  # noqa: S608 - a name of the catalogue
        for key in table.foreign_keys:
            other = key.column.table.alias()
            there = select(1).where(other.c[key.column.name] == key.parent).exists()
            strays = session.execute(select(1).select_from(table).where(key.parent.is_not(None), ~there)).all()
            findings += [_stray(table.name, key.column.table.name)] * len(strays)
    return findings


def _stray(table: str, other: str) -> Finding:
    return Finding(f"A row of {table} points to a row of {other} that does not exist.")
