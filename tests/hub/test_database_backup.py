"""An installation on PostgreSQL: backup and restore, what `doctor` says of it, and when a start is refused."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import databases
from support.held import hold
from support.postgresql import PASSWORD, Cluster
from support.service import make_test_context
from support.uploads import open_project
from support.world import audit_is_whole
from voxelhub_hub import backup, doctor, restore, server_database, up
from voxelhub_hub.refusal import Refusal
from voxelhub_service import migrations
from voxelhub_service.context import Context, make_context
from voxelhub_service.database import reading, writing
from voxelhub_service.fsck.registry import checks
from voxelhub_service.models import AuditEvent
from voxelhub_service.secrets import DATABASE_PASSWORD, ensure_secrets
from voxelhub_service.settings import Settings


@pytest.fixture
def context(cluster: Cluster, tmp_path: Path) -> Iterator[Context]:
    """Reached over TCP with a password; its tables made by migrations, a file in quarantine, a record in the audit log."""
    with databases.over_tcp(cluster, tmp_path, "template0") as url:
        settings = replace(Settings(), state_dir=tmp_path / "state", database_url=url)
        ensure_secrets(settings.secrets_dir)
        (settings.secrets_dir / DATABASE_PASSWORD).write_text(f"{PASSWORD}\n")
        (settings.secrets_dir / DATABASE_PASSWORD).chmod(0o600)
        migrations.upgrade(settings)
        made = make_context(settings)
        open_project(made, open=False)
        hold(made, "demo", "alice", [b"kept"])
        with writing(made.engine) as session:
            made.audit.append(session, "ada", "test.done", "thing:1", detail={"ä": [1.50, None]})
        yield made
        made.engine.dispose()


def _elsewhere(context: Context, url: str) -> Settings:
    return replace(context.settings, state_dir=context.settings.state_dir.with_name("elsewhere"), database_url=url)


def test_a_backup_comes_back_on_another_database(context: Context, cluster: Cluster, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar"
    backup.write(context.settings, target)
    with writing(context.engine) as session:
        context.audit.append(session, "ada", "test.later", "thing:2")
    with tarfile.open(target) as tar:
        names = tar.getnames()
    assert "service/voxelhub.dump" in names and "service/voxelhub.db" not in names
    assert PASSWORD.encode() not in b"".join(name.encode() for name in names)
    with databases.over_tcp(cluster, tmp_path / "elsewhere", "template0") as url:
        settings = _elsewhere(context, url)
        restore.read(settings, target)
        assert not (settings.state_dir / backup.SERVICE_DUMP).exists()
        migrations.upgrade(settings)
        again = make_context(settings)
        assert audit_is_whole(again)
        with reading(again.engine) as session:
            last = session.query(AuditEvent).order_by(AuditEvent.seq.desc()).first()
            assert last is not None and (last.action, last.detail) == ("test.done", {"ä": [1.5, None]})
        wanted = {"database", "audit", "quarantine"}
        assert {check.name: check.run(again, True) for check in checks() if check.name in wanted} == {name: [] for name in wanted}
        with pytest.raises(Refusal, match="is not empty"):
            restore.read(replace(settings, state_dir=tmp_path / "third"), target)
        assert not (tmp_path / "third").exists()
        again.engine.dispose()


def test_a_backup_is_refused_where_the_programs_are_not(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(server_database, "DEBIAN", tmp_path)
    with pytest.raises(Refusal, match=r"needs pg_dump 15 or newer.*apt install postgresql-client-15"):
        backup.write(context.settings, tmp_path / "backup.tar")
    assert not (tmp_path / "backup.tar").exists()


def test_each_kind_is_restored_to_its_own(context: Context, tmp_path: Path) -> None:
    backup.write(context.settings, tmp_path / "server.tar")
    with pytest.raises(Refusal, match="of an installation on PostgreSQL"):
        restore.read(_elsewhere(context, ""), tmp_path / "server.tar")
    plain = make_test_context(tmp_path / "plain")
    backup.write(plain.settings, tmp_path / "file.tar")
    with pytest.raises(Refusal, match="of an installation on SQLite"):
        restore.read(_elsewhere(context, context.settings.database_url), tmp_path / "file.tar")
    assert not (tmp_path / "elsewhere").exists()


def _said(settings: Settings) -> list[tuple[str, str]]:
    return [(one.verdict, one.text) for one in doctor.look_at_database(settings)]


def test_doctor_names_it_and_what_is_wrong_with_it(context: Context) -> None:
    settings = context.settings
    (verdict, text), *more = _said(settings)
    assert verdict == "ok" and "PostgreSQL database tcp_" in text and f"({migrations.head()})" in text and "(PostgreSQL 1" in text
    assert [one for one, _ in more] == ["wrong"] * 3  # the tests' server is fast, not safe
    assert "fsync=off" in " ".join(text for _, text in more)
    (settings.secrets_dir / DATABASE_PASSWORD).write_text("a-wrong-word")
    ((verdict, text),) = _said(settings)
    assert verdict == "wrong" and "does not answer" in text and "password authentication failed" in text
    assert "a-wrong-word" not in text and PASSWORD not in text
    (settings.secrets_dir / DATABASE_PASSWORD).chmod(0o644)
    assert any("database-password" in one.text for one in doctor._secrets(settings) if one.verdict == "wrong")


def test_doctor_knows_older_and_newer_tables(context: Context, tmp_path: Path) -> None:
    with writing(context.engine) as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    assert _said(context.settings)[0][0] == "note" and "from 0001 to" in _said(context.settings)[0][1]
    with writing(context.engine) as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert _said(context.settings)[0][0] == "wrong" and "newer version" in _said(context.settings)[0][1]
    plain = replace(Settings(), state_dir=tmp_path / "plain")
    assert _said(plain) == [("note", "Database: SQLite in the state folder. The first start makes it.")]
    migrations.upgrade(plain)
    assert _said(plain)[0][0] == "ok" and "SQLite 3." in _said(plain)[0][1]


def test_a_database_that_others_sealed_is_not_begun_anew(context: Context, tmp_path: Path) -> None:
    up.refuse_lost_key(context.settings)
    other = _elsewhere(context, context.settings.database_url)
    ensure_secrets(other.secrets_dir)
    (other.secrets_dir / DATABASE_PASSWORD).write_text(PASSWORD)
    (other.secrets_dir / "audit-key").unlink()
    with pytest.raises(Refusal, match="audit key is missing"):
        up.refuse_lost_key(other)
    (context.settings.secrets_dir / "deid-key").unlink()
    with pytest.raises(Refusal, match="key of the pseudonyms is missing"):
        up.refuse_lost_key(context.settings)
