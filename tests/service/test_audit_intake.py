"""Events of the hub: over HTTP and from the spool, once each, in order; and the log as people read it."""

from __future__ import annotations

import json
from pathlib import Path

from support import databases
from support.events import event
from support.service import bearer, make_service, make_test_context
from voxelhub_service.audit import cli
from voxelhub_service.audit.intake import take_in_spool
from voxelhub_service.audit.verify import verify
from voxelhub_service.database import reading
from voxelhub_service.models import AuditEvent
from voxelhub_service.secrets import read_secret


def _actions(context) -> list[str]:
    with reading(context.engine) as session:
        assert verify(session, context.audit) == []
        return [record.action for record in session.query(AuditEvent).order_by(AuditEvent.seq)]


def _door(context) -> dict[str, str]:
    return {"Authorization": f"Bearer {read_secret(context.settings.secrets_dir, 'events-token')}"}


def test_told_twice_is_one_record(tmp_path):
    client, context = make_service(tmp_path)
    told = event("login")
    for _ in range(2):
        assert client.post("/internal/audit", json=told, headers=_door(context)).status_code == 204
    client.post("/internal/audit", json=event("logout"), headers=_door(context))
    assert _actions(context) == ["login", "logout"]


def test_what_is_no_event_is_refused(tmp_path):
    client, context = make_service(tmp_path)
    for body in (
        {},
        event("x", event_id="1"),
        event("x", outcome="perhaps"),
        event("x", detail={"n": 2**60}),
        event("x", more=1),
        event("x", at="0001-01-01T00:00:00+14:00"),
    ):
        answer = client.post("/internal/audit", json=body, headers=_door(context))
        assert answer.status_code == 422, body
    assert _actions(context) == []


def _spool(context, name: str, *lines: bytes) -> Path:
    folder = context.settings.audit_dir / "spool"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def _line(told: dict[str, object]) -> bytes:
    return json.dumps(told).encode() + b"\n"


def test_spool_files_enter_oldest_first_and_are_removed(tmp_path):
    context = make_test_context(tmp_path)
    known = event("one")
    paths = [
        _spool(context, "0002-7", _line(event("three"))),
        _spool(context, "0001-7", _line(known), _line(event("two")), _line(known)),
    ]
    assert take_in_spool(context) == 3
    assert _actions(context) == ["one", "two", "three"]
    assert not any(path.exists() for path in paths)
    assert take_in_spool(context) == 0


def test_a_line_that_a_kill_cut_short_is_reported_in_the_chain(tmp_path):
    context = make_test_context(tmp_path)
    _spool(context, "0001-7", _line(event("one")), _line(event("bad", detail={"n": 2**60})), _line(event("two"))[:40])
    assert take_in_spool(context) == 1
    assert _actions(context) == ["one", "audit.spool"]
    with reading(context.engine) as session:
        last = session.query(AuditEvent).order_by(AuditEvent.seq.desc()).first()
        assert (last.outcome, last.detail) == ("failure", {"damaged_lines": 2})


def test_a_spool_taken_in_before_its_removal_is_not_taken_in_twice(tmp_path, monkeypatch):
    context = make_test_context(tmp_path)
    path = _spool(context, "0001-7", _line(event("one")), _line(event("two")))
    kept = path.read_bytes()
    take_in_spool(context)
    path.write_bytes(kept)  # as a kill between commit and removal leaves it
    assert take_in_spool(context) == 0
    assert _actions(context) == ["one", "two"]


def test_only_administrators_and_officers_read_and_the_denial_is_written_down(tmp_path):
    client, context = make_service(tmp_path)
    client.post("/internal/audit", json=event("login"), headers=_door(context))
    assert client.get("/audit/events", headers=bearer("alice")).status_code == 403
    for name in ("admin", "olga"):
        page = client.get("/audit/events", headers=bearer(name)).json()
        assert [(item["actor"], item["action"], item["outcome"]) for item in page["items"]] == [
            ("alice", "audit.read", "denied"),
            ("alice", "login", "success"),
        ]


def test_filters_and_paging(tmp_path):
    client, context = make_service(tmp_path)
    for number in range(5):
        client.post(
            "/internal/audit",
            headers=_door(context),
            json=event(
                f"a{number % 2}",
                actor=f"user{number}",
                at=f"2026-01-0{number + 1}T00:00:00Z",
                outcome="denied" if number == 4 else "success",
            ),
        )

    def actors(**query: object) -> list[str]:
        answer = client.get("/audit/events", params=query, headers=bearer("admin"))
        assert answer.status_code == 200, answer.text
        return [item["actor"] for item in answer.json()["items"]]

    assert actors() == ["user4", "user3", "user2", "user1", "user0"]
    assert actors(limit=2, offset=1) == ["user3", "user2"]
    assert actors(action="a1") == ["user3", "user1"]
    assert actors(actor="user2") == ["user2"]
    assert actors(outcome="denied") == ["user4"]
    assert actors(since="2026-01-04T00:00:00Z") == ["user4", "user3"]
    assert actors(until="2026-01-02T02:00:00+02:00") == ["user0"]
    assert actors(since="2026-01-05T00:00:00") == ["user4"]
    assert client.get("/audit/events", params={"since": "9999-12-31T23:59:59-14:00"}, headers=bearer("admin")).status_code == 422


def test_the_command_line_verifies_and_shows(tmp_path, monkeypatch, capsys):
    context = make_test_context(tmp_path)
    databases.use(monkeypatch, context)
    _spool(context, "0001-7", _line(event("login")), _line(event("logout", detail={"why": "expired"})))
    take_in_spool(context)
    assert cli.main(["verify"]) == 0
    assert "whole: 2 records" in capsys.readouterr().out
    assert cli.main(["show", "--action", "logout"]) == 0
    shown = capsys.readouterr().out
    assert "why=expired" in shown
    assert "login" not in shown
    with context.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM audit_event WHERE seq = 2")
    assert cli.main(["verify"]) == 1
    assert "truncated" in capsys.readouterr().out
    monkeypatch.setenv("VOXELHUB_STATE_DIR", str(tmp_path / "nothing"))
    assert cli.main(["verify"]) == 1
