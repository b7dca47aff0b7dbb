"""Brings an installation's database to the tables of this version."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from ..database import NoAnswer, away
from ..database_place import no_answer, open_database, refuse_unsuited
from ..settings import Settings

FOLDER = Path(__file__).parent


def upgrade(settings: Settings, revision: str = "head") -> None:
    """Idempotent; of two processes that start together the second waits and finds nothing to do. All or nothing.

    Those of one machine wait at the file, those of several that share a server at the database's write lock.
    """
    folder = settings.state_dir / "service"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = open_database(settings)
    try:
        with (folder / "migrate.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with transaction(engine) as connection:
                refuse_unsuited(connection)
                command.upgrade(config(connection), revision)
    except NoAnswer as error:
        if away(error):
            raise no_answer(settings, error) from None
        raise
    finally:
        engine.dispose()


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """In which tables change, all or nothing. Its lock is waited for without limit.

    SQLite changes a table by making it anew, and other tables' rows point to it meanwhile: so they are looked at in the end.
    """
    with engine.execution_options(voxelhub_migrates=True).begin() as connection:
        yield connection
        if engine.dialect.name == "sqlite" and (strays := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
            raise RuntimeError(f"The migration would leave rows of {strays[0][0]} that point to no row of {strays[0][2]}.")


def config(connection: Connection) -> Config:
    """alembic's configuration for one open connection; no file, so that nothing can say otherwise."""
    made = _config()
    made.attributes["connection"] = connection
    return made


def head() -> str:
    """The revision that this version's tables have."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def known() -> set[str]:
    """The revisions that this version can go on from; "" is an empty database."""
    return {"", *(one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions())}


def _config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return made
