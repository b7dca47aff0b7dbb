"""Brings an installation's database to the tables of this version."""

from __future__ import annotations

import fcntl
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from ..database import make_engine
from ..settings import Settings

FOLDER = Path(__file__).parent


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Idempotent; of two processes that start together the second waits and finds nothing to do. All or nothing."""
    folder = settings.state_dir / "service"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = make_engine(settings.database_url)
    try:
        with (folder / "migrate.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with engine.begin() as connection:
                command.upgrade(config(connection), revision)
    finally:
        engine.dispose()


def config(connection: Connection) -> Config:
    """alembic's configuration for one open connection; no file, so that nothing can say otherwise."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made
