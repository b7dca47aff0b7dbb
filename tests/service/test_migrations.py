"""From the first tables that ever landed to those of models.py, with real rows, on both databases; starters at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, inspect, select, text
from support import databases
from voxelhub_service import migrations
from voxelhub_service.database import make_engine, reading
from voxelhub_service.database_place import about, open_database
from voxelhub_service.models import AuditEvent, Base, Dataset, Event, Run, Upload
from voxelhub_service.settings import Settings, SettingsError

REVISIONS = [one.revision for one in reversed(list(ScriptDirectory(str(migrations.FOLDER)).walk_revisions()))]
# Rows as the version of revision 0001 wrote them; every table of it has one.
FIRST_ROWS: dict[str, dict[str, Any]] = {
    "project": {"id": "p", "name": "demo", "title": "Ärzte", "kind": "shared", "open": True, "quota_bytes": 2**40,
                "used_bytes": 7, "created_at": "2026-01-05 06:07:08.000009"},
    "dataset": {"id": "d", "project_id": "p", "name": "ct", "title": "CT", "description": "", "created_by": "ada",
                "created_at": "2026-01-05 06:07:08"},
    "reservation": {"id": "r", "project_id": "p", "holder": "run:u", "size": 2**40, "expires_at": "2026-01-05 06:07:08"},
    "upload": {"id": "u", "project_id": "p", "owner": "ada", "dataset_name": "ct", "title": "CT", "unpack": True, "state": "done",
               "reason": "", "source": "upload", "created_at": "2026-01-05 06:07:08", "expires_at": "2026-01-05 06:07:08"},
    "upload_file": {"id": "f", "upload_id": "u", "path": "1", "size": 7, "committed": 7},
    "run": {"id": "n", "number": 1, "project_id": "p", "owner": "ada", "kind": "import", "title": "CT", "state": "succeeded",
            "reason": "", "wanted": "run", "inputs": '{"in": ["a", "b"]}', "arguments": '{"b": 1.50, "a": null}',
            "output_dataset": "", "progress": 0.25, "progress_text": "", "created_at": "2026-01-05 06:07:08"},
    "dataset_version": {"id": "v", "dataset_id": "d", "number": 1, "digest": "0" * 64, "size": 7, "n_files": 1,
                        "created_by": "ada", "created_at": "2026-01-05 06:07:08", "run_id": "n"},
    "entry": {"id": "e", "version_id": "v", "dataset_id": "d", "project_id": "p", "visible": True, "name": "Ä", "folded": "ä",
              "path": "ä.csv", "kind": "table", "data_type": "table", "file_format": "csv", "n_files": 1, "size": 7,
              "execution": "", "created_at": "2026-01-05 06:07:08", "meta": '{"rows": 2}'},
    "file": {"id": "f", "version_id": "v", "entry_id": "e", "path": "ä.csv", "size": 7, "sha256": "0" * 64},
    "run_counter": {"project_id": "p", "next_number": 2},
    "lease": {"name": "worker", "holder": "x", "expires_at": "2026-01-05 06:07:08"},
    "event": {"at": "2026-01-05 06:07:08", "project_id": "p", "topic": "dataset", "subject": "d", "payload": '{"version": 1}'},
    "audit_event": {"seq": 1, "at": "2026-01-05T06:07:08.000009+00:00", "actor": "ada", "action": "dataset.publish",
                    "resource": "dataset:d", "outcome": "success", "detail": '{"run": "n", "bytes": 7, "ä": "\\u00e4"}',
                    "previous": "0" * 64, "mac": "1" * 64},
}


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """An installation whose database is empty."""
    made = replace(Settings(), state_dir=tmp_path)
    if request.param == "sqlite":
        yield made
        return
    with databases.serving(request.getfixturevalue("cluster")), databases.dropping():
        yield replace(made, database_url=databases.prepare(tmp_path, made, template="template0"))


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = open_database(settings)
    yield opened
    opened.dispose()


def fill(connection: Connection) -> None:
    for table, row in FIRST_ROWS.items():
        names = ", ".join(f'"{name}"' for name in row)
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})"), row)


def all_rows(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    tables = MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        return {table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in tables.sorted_tables if table.name != "alembic_version"}


def schema(engine: Engine) -> dict[str, Any]:
    """Tables as the database itself describes them, in one order: of SQLite also its own statements, which hold all."""
    seen = inspect(engine)
    described: dict[str, Any] = {}
    for table in seen.get_table_names():
        if table == "alembic_version":
            continue
        columns = sorted((c["name"], str(c["type"]), c["nullable"], str(c["default"]).replace(f"{table}_", "")) for c in
                         seen.get_columns(table))
        keys = sorted((str(k["constrained_columns"]), k["referred_table"]) for k in seen.get_foreign_keys(table))
        unique = sorted(str(u["column_names"]) for u in seen.get_unique_constraints(table))
        indexes = sorted((i["name"], str(i["column_names"]), bool(i["unique"])) for i in seen.get_indexes(table))
        described[table] = (columns, seen.get_pk_constraint(table)["constrained_columns"], keys, unique, indexes)
    if engine.dialect.name == "sqlite":
        described["statements"] = _statements(engine)
    return described


def _statements(engine: Engine) -> dict[str, list[str]]:
    with engine.connect() as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
        rows = connection.execute(text(query)).all()
    # A column that was added to a table stands at the end of the last line.
    return {name: sorted(part.replace('"', "").strip() for part in re.split(r"\n|,(?![^(]*\))", sql) if part.strip())
            for name, sql in rows}


def test_migrated_schema_equals_the_models(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    migrations.upgrade(settings)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    other = replace(settings, state_dir=tmp_path / "other")
    other.database_file.parent.mkdir(parents=True)
    if settings.database_url:
        other = replace(other, database_url=databases.prepare(other.state_dir, other, template="template0"))
    made = make_engine(other.database)
    Base.metadata.create_all(made)
    assert schema(engine) == schema(made)
    made.dispose()


def test_rows_of_the_first_tables_arrive_at_the_newest(settings: Settings, engine: Engine) -> None:
    migrations.upgrade(settings, "0001")
    with engine.begin() as connection:
        fill(connection)
    first = all_rows(engine)
    assert set(first) == set(FIRST_ROWS) and all(first.values())
    for revision in REVISIONS[1:]:
        migrations.upgrade(settings, revision)
    assert about(settings).revision == REVISIONS[-1] == migrations.head()
    for table, rows in all_rows(engine).items():
        kept = [{name: row[name] for name in (first[table][0] if table in first else row)} for row in rows]
        assert kept == first.get(table, []), table
    with reading(engine) as session:  # and the models read them
        assert session.get_one(Run, "n").arguments == {"b": 1.5, "a": None} and session.get_one(Run, "n").priority == 0
        assert session.get_one(Upload, "u").mode == "replace" and not session.get_one(Upload, "u").clinical
        assert session.get_one(Dataset, "d").created_at.isoformat() == "2026-01-05T06:07:08+00:00"
        assert list(session.get_one(AuditEvent, 1).detail) == ["run", "bytes", "ä"], "as it was hashed"
        found = select(AuditEvent.seq).where(AuditEvent.detail["run"].as_string() == "n")
        assert session.scalar(found) == 1
        assert session.scalars(select(Event)).one().payload == {"version": 1}


def test_down_and_up_again_with_rows(settings: Settings, engine: Engine) -> None:
    migrations.upgrade(settings, "0001")
    with engine.begin() as connection:
        fill(connection)
    first = all_rows(engine)
    migrations.upgrade(settings)
    with migrations.transaction(engine) as connection:
        command.downgrade(migrations.config(connection), "0001")
    assert all_rows(engine) == first
    migrations.upgrade(settings)
    with migrations.transaction(engine) as connection:
        command.downgrade(migrations.config(connection), "base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}


def test_a_migration_that_fails_changes_nothing(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    migrations.upgrade(settings, "0001")
    before = schema(engine)
    with pytest.raises(Exception, match="quarantine_item"), migrations.transaction(engine) as connection:
        connection.execute(text("CREATE TABLE quarantine_item (id TEXT)"))
        command.upgrade(migrations.config(connection), "head")
    assert schema(engine) == before and about(settings).revision == "0001"


def test_upgrading_twice_keeps_the_data(settings: Settings, engine: Engine) -> None:
    migrations.upgrade(settings)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO lease VALUES ('worker', 'me', '2026-01-01 00:00:00')"))
    migrations.upgrade(settings)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM lease")) == 1


def test_four_starters_at_once(settings: Settings, tmp_path: Path) -> None:
    """Two pairs on two machines, as far as a server is concerned: they share no file."""
    starters = [settings] * 2
    starters += [replace(settings, state_dir=tmp_path / "elsewhere")] * 2 if settings.database_url else [settings] * 2
    with ProcessPoolExecutor(4) as pool:
        assert list(pool.map(migrations.upgrade, starters)) == [None] * 4
    assert about(settings).revision == REVISIONS[-1]


def test_a_database_that_sorts_otherwise_is_refused(cluster: Any, tmp_path: Path) -> None:
    url = cluster.create("unsuited", "LOCALE 'C' ENCODING 'SQL_ASCII' TEMPLATE template0")
    settings = replace(Settings(), state_dir=tmp_path, database_url=url)
    with pytest.raises(SettingsError, match=r"encoding SQL_ASCII .* CREATE DATABASE voxelhub ENCODING 'UTF8' LOCALE 'C'"):
        migrations.upgrade(settings)
    engine = open_database(settings)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_server_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    settings = replace(Settings(), state_dir=tmp_path, database_url="postgresql://voxelhub@127.0.0.1:1/voxelhub")
    with pytest.raises(SettingsError, match=r"PostgreSQL database voxelhub at 127\.0\.0\.1:1 does not answer"):
        migrations.upgrade(settings)


def test_first_rows_are_json() -> None:
    for table, name in (("run", "inputs"), ("run", "arguments"), ("entry", "meta"), ("audit_event", "detail")):
        json.loads(FIRST_ROWS[table][name])
