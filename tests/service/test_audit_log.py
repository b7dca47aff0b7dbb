"""The chain: what is appended, what `verify` finds, and that the mirrored head stays as evidence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from support.service import ALICE, make_test_context
from voxelhub_service.audit.verify import verify
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.models import AuditEvent


def _append(context: Context, count: int = 1, action: str = "test.done") -> None:
    for number in range(count):
        with writing(context.engine) as session:
            context.audit.append(session, ALICE, action, f"thing:{number}", detail={"n": number, "text": "ü \u2028"})


def _findings(context: Context) -> list[str]:
    with reading(context.engine) as session:
        return verify(session, context.audit)


def _sql(context: Context, *statements: str) -> None:
    with context.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    made = make_test_context(tmp_path)
    _append(made, 5)
    return made


def test_an_untouched_chain_is_whole(context):
    assert _findings(context) == []
    assert context.audit.head.read().seq == 5


def test_an_empty_chain_is_whole(tmp_path):
    assert _findings(make_test_context(tmp_path)) == []


COPY = (
    "INSERT INTO audit_event SELECT {seq}, at, actor, action, resource, outcome, detail, {event_id}, previous, mac, key, "
    "signature FROM audit_event WHERE seq = 3"
)
TAMPERINGS = {
    "actor changed": (["UPDATE audit_event SET actor = 'bob' WHERE seq = 3"], "Record 3 was changed"),
    "outcome changed": (["UPDATE audit_event SET outcome = 'denied' WHERE seq = 5"], "Record 5 was changed"),
    "time changed": (["UPDATE audit_event SET at = '2020-01-01T00:00:00.000000+00:00' WHERE seq = 1"], "Record 1 was changed"),
    "detail changed": (["UPDATE audit_event SET detail = '{}' WHERE seq = 2"], "Record 2 was changed"),
    "detail no JSON of ours": (["UPDATE audit_event SET detail = '{\"n\": 1e400}' WHERE seq = 2"], "Record 2 was changed"),
    "first dropped": (["DELETE FROM audit_event WHERE seq = 1"], "Record 1 is missing"),
    "middle dropped": (["DELETE FROM audit_event WHERE seq = 3"], "Record 3 is missing"),
    "middle dropped, rest renumbered": (
        [
            "DELETE FROM audit_event WHERE seq = 3",
            "UPDATE audit_event SET seq = 3 WHERE seq = 4",
            "UPDATE audit_event SET seq = 4 WHERE seq = 5",
        ],
        "Record 3 does not follow",
    ),
    "last dropped": (["DELETE FROM audit_event WHERE seq = 5"], "truncated"),
    "all dropped": (["DELETE FROM audit_event"], "truncated"),
    "copy added": ([COPY.format(seq=6, event_id="NULL")], "Record 6 does not follow"),
    "reordered": (
        [
            "UPDATE audit_event SET seq = 99 WHERE seq = 2",
            "UPDATE audit_event SET seq = 2 WHERE seq = 3",
            "UPDATE audit_event SET seq = 3 WHERE seq = 99",
        ],
        "does not follow",
    ),
    "mac replaced": (["UPDATE audit_event SET mac = previous WHERE seq = 4"], "Record 4 was changed"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_and_stays_found(context, name):
    statements, sentence = TAMPERINGS[name]
    _sql(context, *statements)
    assert any(sentence in finding for finding in _findings(context)), _findings(context)
    _append(context, 3)  # life goes on, and does not cover the trace
    assert _findings(context) != []


def test_a_truncated_chain_that_grew_again_is_still_found(context):
    _sql(context, "DELETE FROM audit_event WHERE seq > 2")
    _append(context, 6)
    assert any("mirrored" in finding for finding in _findings(context)), _findings(context)
    assert context.audit.head.read().seq == 5, "the mirror is the evidence and stays"


def test_the_whole_database_replaced_by_an_older_one_is_found(context):
    with context.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql(f"VACUUM INTO '{context.settings.state_dir / 'older.db'}'")
    _append(context, 2)
    context.engine.dispose()
    database = context.settings.state_dir / "service" / "voxelhub.db"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    (context.settings.state_dir / "older.db").rename(database)
    assert any("truncated" in finding for finding in _findings(context))


@pytest.mark.parametrize(
    "content", [None, "{", "{}", '{"seq": 5, "mac": "00", "seal": "00"}', '{"seq": "x", "mac": "", "seal": ""}']
)
def test_a_head_that_is_gone_or_foreign_is_found_and_not_covered(context, content):
    path = context.audit.folder / "head.json"
    path.unlink() if content is None else path.write_text(content)
    _append(context, 2)
    assert len(_findings(context)) == 1
    assert (path.read_text() if path.exists() else None) == content


def test_a_rolled_back_change_leaves_no_record_and_no_head(context):
    with pytest.raises(ZeroDivisionError), writing(context.engine) as session:
        context.audit.append(session, ALICE, "test.done", "thing:x")
        raise ZeroDivisionError
    assert _findings(context) == []
    assert context.audit.head.read().seq == 5


def test_one_session_may_commit_and_roll_back_many_times(context):
    from sqlalchemy.orm import Session

    with Session(context.engine) as session:
        for number in range(3):
            with session.begin():
                context.audit.append(session, ALICE, "test.done", f"kept:{number}")
            session.begin()
            context.audit.append(session, ALICE, "test.done", f"dropped:{number}")
            session.rollback()
        assert context.audit.head.read().seq == 8
    assert _findings(context) == []


def test_a_savepoint_is_refused(context):
    with pytest.raises(RuntimeError), writing(context.engine) as session, session.begin_nested():
        context.audit.append(session, ALICE, "test.done", "thing:x")


def test_detail_that_is_no_canonical_json_is_refused(context):
    for detail in ({"n": 2**60}, {"n": float("nan")}, {"text": "\ud800"}):
        with pytest.raises(ValueError), writing(context.engine) as session:
            context.audit.append(session, ALICE, "test.done", "thing:x", detail=detail)
    assert _findings(context) == []


WRITER = """
import sys
from pathlib import Path
from support.service import make_test_context
from voxelhub_service.database import writing
context = make_test_context(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    with writing(context.engine) as session:
        context.audit.append(session, sys.argv[3], "test.done", f"thing:{number}")
"""


def _writer(folder: Path, count: int, name: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(count), name], env={**os.environ, "PYTHONPATH": path})


def test_three_processes_write_one_chain_while_it_is_verified(tmp_path):
    context = make_test_context(tmp_path)
    writers = [_writer(tmp_path, 40, name) for name in ("one", "two", "three")]
    while any(writer.poll() is None for writer in writers):
        assert _findings(context) == []
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert _findings(context) == []
    with reading(context.engine) as session:
        assert session.query(AuditEvent).count() == 120
    assert context.audit.head.read().seq == 120


def test_a_kill_at_any_moment_leaves_a_whole_chain(tmp_path):
    context = make_test_context(tmp_path)
    _append(context)
    for moment in (1, 4, 9):
        before = context.audit.head.read().seq
        writer = _writer(tmp_path, 100_000, "victim")
        while context.audit.head.read().seq < before + moment:
            assert writer.poll() is None
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        assert _findings(context) == []
        with writing(context.engine) as session:
            context.audit.refresh_head(session)
        with reading(context.engine) as session:
            assert context.audit.head.read().seq == session.query(AuditEvent).count()
        _append(context)
        assert _findings(context) == []


def test_the_chain_can_be_checked_without_our_code(context):
    """An auditor needs the key and two standards: HMAC-SHA-256 and RFC 8785."""
    import hashlib
    import hmac

    key = bytes.fromhex((context.settings.secrets_dir / "audit-key").read_text())
    with context.engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM audit_event ORDER BY seq")).mappings().all()
    previous = "0" * 64
    for row in rows:
        detail = row["detail"]  # a driver may have read it already
        record = {**dict(row), "detail": json.loads(detail) if isinstance(detail, str) else detail}
        mac = record.pop("mac")
        record.pop("signature")
        assert record["previous"] == previous
        text_ = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hmac.new(key, text_.encode(), hashlib.sha256).hexdigest() == mac
        previous = mac
