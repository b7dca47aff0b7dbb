"""What the two databases promise alike: one writer at a time, snapshots, one order of texts, one word for being away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from support.service import bearer, make_service, make_test_context
from support.uploads import bring_in, open_project
from support.world import add_project
from voxelhub_service import database as database_module
from voxelhub_service.context import Context
from voxelhub_service.database import Unstorable, away, reading, writing
from voxelhub_service.database_place import about
from voxelhub_service.datasets.names import fold
from voxelhub_service.models import AuditEvent, Entry, Lease, Project, Run, utcnow
from voxelhub_service.projects.quota import reserve
from voxelhub_service.settings import SettingsError, load_settings

NAMES = ["b.csv", "B.csv", "a_1.csv", "a-1.csv", "a 1.csv", "a10.csv", "a2.csv", "Ärzte.csv", "ärzte 2.csv", "Zebra.csv",
         "zoé.csv", "ZOE.csv",
         "ß.csv", "ss.csv", "Ωmega.csv", "😀.csv", "_.csv", "%.csv", "(x).csv", "数据.csv", "\u202fthin.csv"]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Context]:
    made = make_test_context(tmp_path)
    add_project(made, "demo", 1000)
    yield made
    made.engine.dispose()


def _lease(context: Context, name: str) -> None:
    with writing(context.engine) as session:
        session.add(Lease(name=name, holder="x", expires_at=utcnow()))


def test_a_second_writer_waits_and_then_sees_what_the_first_wrote(here: Context) -> None:
    order: list[str] = []

    def second() -> None:
        with writing(here.engine) as session:
            order.append(f"second sees {session.scalar(select(func.count()).select_from(Lease))}")

    with writing(here.engine) as session:
        assert session.get(Lease, "one") is None  # the lock is taken with the first statement
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        session.add(Lease(name="one", holder="x", expires_at=utcnow()))
        session.flush()
        order.append("first ends")
    thread.join()
    assert order == ["first ends", "second sees 1"]


def test_a_reader_neither_waits_nor_sees_what_comes_later(here: Context) -> None:
    with reading(here.engine) as early:
        assert early.scalar(select(func.count()).select_from(Lease)) == 0
        with writing(here.engine) as session:
            session.add(Lease(name="one", holder="x", expires_at=utcnow()))
            session.flush()
            with reading(here.engine) as during:
                assert during.scalar(select(func.count()).select_from(Lease)) == 0
        assert early.scalar(select(func.count()).select_from(Lease)) == 0
    with reading(here.engine) as late:
        assert late.scalar(select(func.count()).select_from(Lease)) == 1


def test_writing_where_only_reading_was_asked_for_is_refused_as_a_defect(here: Context) -> None:
    with pytest.raises(DBAPIError) as caught, reading(here.engine) as session:
        session.add(Lease(name="one", holder="x", expires_at=utcnow()))
        session.flush()
    assert not away(caught.value)
    _lease(here, "one")  # and the connection that was used is none the worse


def test_a_quota_is_not_overdrawn_by_many_at_once(here: Context) -> None:
    def one(number: int) -> bool:
        try:
            with writing(here.engine) as session:
                reserve(session, session.scalars(select(Project)).one(), f"run:{number}", 100, utcnow().replace(year=2999))
                here.audit.append(session, "ada", "test.reserve", f"run:{number}")
        except Exception:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one, range(24))) == 10
    with reading(here.engine) as session:
        assert list(session.scalars(select(AuditEvent.seq).order_by(AuditEvent.seq))) == list(range(1, 11))


def test_who_waits_too_long_for_the_lock_is_told_that_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOCK_PATIENCE", 1)
    context = make_test_context(tmp_path)
    with writing(context.engine) as session:
        session.flush()
        assert session.get(Lease, "one") is None
        with pytest.raises(OperationalError) as caught:
            _lease(context, "one")
    assert away(caught.value)
    _lease(context, "one")
    context.engine.dispose()


def test_a_missing_table_is_our_defect(here: Context) -> None:
    with pytest.raises(DBAPIError) as caught, reading(here.engine) as session:
        session.execute(text("SELECT * FROM nothing"))
    assert not away(caught.value)


def test_texts_with_nul_are_refused_before_the_database(tmp_path: Path) -> None:
    client, context = make_service(tmp_path)
    project = add_project(context)
    headers = bearer("admin")
    for answer in (
        client.patch("/projects/demo", headers=headers, json={"title": "a\0b"}),
        client.get("/entries", headers=headers, params={"q": "a\0b"}),
        client.get("/datasets/a%00b", headers=headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "unstorable_text"), answer.text
    assert "\0" not in client.patch("/projects/demo", headers=headers, json={"title": "a\\u0000b"}).text
    for row in (Lease(name="a\0", holder="x", expires_at=utcnow()),
                Run(number=1, project_id=project, owner="a", kind="tool", title="t", arguments={"a": ["b\0"]})):
        with pytest.raises(Unstorable), writing(context.engine) as session:
            session.add(row)
    with writing(context.engine) as session:  # six characters that only look like one
        session.add(Run(id="r", number=1, project_id=project, owner="a", kind="tool", title="t", arguments={"a": "\\u0000"}))
    with reading(context.engine) as session:
        assert session.get_one(Run, "r").arguments == {"a": "\\u0000"}
    context.engine.dispose()


def test_names_sort_and_are_found_alike(tmp_path: Path) -> None:
    """By code point of the name without case: what Python says, on any database."""
    client, context = make_service(tmp_path, min_free=0)
    open_project(context)
    bring_in(client, context, {name: f"a\n{number}\n".encode() for number, name in enumerate(NAMES)})
    rows = sorted(NAMES, key=fold)
    for sort, wanted in (("name", rows), ("-name", rows[::-1])):
        items = client.get("/entries", headers=bearer("alice"), params={"sort": sort}).json()["items"]
        assert [fold(one["name"]) for one in items] == [fold(name) for name in wanted]
    for part in ("ä", "Ä", "zo", "ZOÉ", "_", "%", "a1", "ß", "SS", "😀", ".csv", "(x)", "\\", "'", "数"):
        found = client.get("/entries", headers=bearer("alice"), params={"q": part, "limit": 200}).json()
        assert {one["name"] for one in found["items"]} == {name for name in NAMES if fold(part) in fold(name)}, part
        assert found["total"] == len(found["items"])
    with reading(context.engine) as session:
        assert list(session.scalars(select(Entry.name).order_by(Entry.name))) == sorted(NAMES)
    context.engine.dispose()


def test_every_thread_gets_its_connection(here: Context) -> None:
    def one(number: int) -> int:
        with reading(here.engine) as session:
            time.sleep(0.05)
            return int(session.scalar(select(func.count()).select_from(Project)) or 0)

    with ThreadPoolExecutor(45) as pool:
        assert list(pool.map(one, range(90))) == [1] * 90


def test_what_the_database_is(here: Context, database: str) -> None:
    known = about(here.settings)
    assert known.version.startswith("PostgreSQL 1" if database == "postgresql" else "SQLite 3.") and known.revision == ""


@pytest.mark.parametrize(("url", "sentence"), [
    ("postgresql://voxelhub:geheim@db/voxelhub", "holds a password"),
    ("postgresql://voxelhub@db/voxelhub?password=geheim", "holds a password"),
    ("mysql://voxelhub@db/voxelhub", "no address of a PostgreSQL database"),
    ("postgresql://voxelhub@db", "no address of a PostgreSQL database"),
    ("db", "no address of a PostgreSQL database"),
])
def test_addresses_that_are_refused(url: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence) as caught:
        load_settings({"VOXELHUB_DATABASE_URL": url})
    assert "geheim" not in str(caught.value)


def test_addresses_that_are_taken() -> None:
    for url in ("postgresql://voxelhub@db:5432/voxelhub?sslmode=verify-full", "postgresql:///voxelhub?host=/run/postgresql"):
        assert load_settings({"VOXELHUB_DATABASE_URL": url}).database == url.replace("://", "+psycopg://", 1)
    settings = load_settings({})
    assert settings.database == f"sqlite:///{settings.database_file}"
