"""What only a server can do to us: cut connections, refuse, wait for another, ask for a password."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import OperationalError
from support import databases
from support.postgresql import PASSWORD, Cluster
from support.service import bearer, make_service, make_test_context
from support.world import add_project
from voxelhub_service.context import Context
from voxelhub_service.database import away, reading, wait_for, writing
from voxelhub_service.database_place import about, open_database
from voxelhub_service.models import Lease, Project, utcnow
from voxelhub_service.secrets import DATABASE_PASSWORD, ensure_secrets
from voxelhub_service.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def _on_the_server(cluster: Cluster) -> Iterator[None]:
    with databases.serving(cluster), databases.dropping():
        yield


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Context]:
    made = make_test_context(tmp_path)
    yield made
    made.engine.dispose()


def _lease(context: Context, name: str) -> None:
    with writing(context.engine) as session:
        session.add(Lease(name=name, holder="x", expires_at=utcnow()))


def _cut(cluster: Cluster, context: Context) -> None:
    with cluster.connect("postgres") as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                           [context.settings.database_url.partition("@/")[2].partition("?")[0]])


def test_cut_connections_are_made_anew_without_a_failure(here: Context, cluster: Cluster) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: _lease(here, str(number)), range(8)))
    _cut(cluster, here)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: _lease(here, str(number)), range(8, 16)))
    with reading(here.engine) as session:
        assert session.scalar(select(func.count()).select_from(Lease)) == 16


def test_a_connection_cut_in_a_transaction_is_a_503_and_nothing_stays(tmp_path: Path, cluster: Cluster) -> None:
    client, context = make_service(tmp_path)
    add_project(context)
    before = client.get("/projects", headers=bearer("admin")).json()
    cut = threading.Event()

    def at_update(*_: object) -> None:
        if not cut.is_set():
            cut.set()
            _cut(cluster, context)

    event.listen(Project, "before_update", at_update)
    try:
        answer = client.patch("/projects/demo", headers=bearer("admin"), json={"title": "New"})
    finally:
        event.remove(Project, "before_update", at_update)
    assert cut.is_set()
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "database_away", "5")
    assert client.get("/projects", headers=bearer("admin")).json() == before
    assert client.patch("/projects/demo", headers=bearer("admin"), json={"title": "New"}).status_code == 200
    context.engine.dispose()


@pytest.mark.parametrize("code", ["40001", "40P01", "53300", "57014", "57P01", "57P03", "08006", "55P03"])
def test_each_way_of_not_answering_is_known(here: Context, code: str) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$"
    with pytest.raises(OperationalError) as caught, writing(here.engine) as session:
        session.execute(text(raising))
    assert away(caught.value)


def test_two_that_wait_for_each_other_end_as_away(here: Context) -> None:
    """Not with our lock; but an administrator's own session may hold rows."""
    _lease(here, "one")
    _lease(here, "two")
    both = threading.Barrier(2)
    caught: list[bool] = []

    def one(first: str, second: str) -> None:
        with here.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("BEGIN")
            try:
                connection.execute(text("UPDATE lease SET holder = 'y' WHERE name = :name"), {"name": first})
                both.wait(120)
                connection.execute(text("UPDATE lease SET holder = 'y' WHERE name = :name"), {"name": second})
            except OperationalError as error:
                caught.append(away(error))
            connection.exec_driver_sql("ROLLBACK")

    threads = [threading.Thread(target=one, args=names) for names in (("one", "two"), ("two", "one"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caught == [True]


def test_the_password_is_in_a_file_and_in_no_sentence(cluster: Cluster, tmp_path: Path) -> None:
    with databases.over_tcp(cluster, tmp_path) as url:
        settings = replace(Settings(), state_dir=tmp_path, database_url=url)
        with pytest.raises(SettingsError, match="no password supplied"):
            about(settings)
        ensure_secrets(settings.secrets_dir)
        (settings.secrets_dir / DATABASE_PASSWORD).write_text(f"{PASSWORD}\n")
        assert "127.0.0.1" in about(settings).name
        assert PASSWORD not in repr(open_database(settings)) + repr(settings)


def test_a_server_that_never_answers_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    settings = replace(Settings(), state_dir=tmp_path, database_url="postgresql://voxelhub@127.0.0.1:1/voxelhub")
    assert not wait_for(open_database(settings), 1.0)
