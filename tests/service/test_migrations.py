"""The migrated schema is the one that models.py describes; two starters at once are harmless."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from voxelhub_service import migrations
from voxelhub_service.database import make_engine
from voxelhub_service.models import Base
from voxelhub_service.settings import Settings


def _settings(folder: Path) -> Settings:
    return replace(Settings(), state_dir=folder)


def _statements(url: str) -> dict[str, list[str]]:
    """What SQLite itself keeps of the schema, with columns and constraints in one order."""
    engine = make_engine(url)
    with engine.connect() as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
        rows = connection.execute(text(query)).all()
    engine.dispose()
    return {name: sorted(line.replace(f'"{name}"', name).strip(" ,\t") for line in sql.splitlines() if line.strip())
            for name, sql in rows}


def test_migrated_schema_equals_the_models(tmp_path):
    migrations.upgrade(_settings(tmp_path))
    engine = make_engine(_settings(tmp_path).database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()
    other = f"sqlite:///{tmp_path / 'models.db'}"
    Base.metadata.create_all(make_engine(other))
    assert _statements(_settings(tmp_path).database_url) == _statements(other)


def test_upgrading_twice_keeps_the_data(tmp_path):
    settings = _settings(tmp_path)
    migrations.upgrade(settings)
    engine = make_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO lease VALUES ('worker', 'me', '2026-01-01 00:00:00')"))
    migrations.upgrade(settings)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM lease")) == 1


def test_downgrade_leaves_an_empty_database(tmp_path):
    settings = _settings(tmp_path)
    migrations.upgrade(settings)
    engine = make_engine(settings.database_url)
    with engine.begin() as connection:
        command.downgrade(migrations.config(connection), "base")
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}


def test_four_starters_at_once(tmp_path):
    settings = _settings(tmp_path)
    with ProcessPoolExecutor(4) as pool:
        assert list(pool.map(migrations.upgrade, [settings] * 4)) == [None] * 4
    engine = make_engine(settings.database_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0002"
