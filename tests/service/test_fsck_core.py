"""fsck: each check finds its own kind of damage and nothing else; a repair leaves it clean."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from support import databases
from support.service import ALICE, make_test_context
from voxelhub_service.context import Context
from voxelhub_service.database import writing
from voxelhub_service.fsck import cli, core
from voxelhub_service.models import Lease, Reservation, Run, Upload, utcnow
from voxelhub_service.projects.store import projects_of

LATER = timedelta(hours=2)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A healthy installation: a project, an open upload and a running tool with their reservations, a worker's lease."""
    made = make_test_context(tmp_path)
    project = projects_of(made, ALICE)[-1]
    with writing(made.engine) as session:
        session.add(
            Upload(id="u" * 32, project_id=project.id, owner="alice", dataset_name="d", title="D", expires_at=utcnow() + LATER)
        )
        session.add(Run(id="r" * 32, number=1, project_id=project.id, owner="alice", kind="tool", title="T", state="running"))
        session.add(Reservation(project_id=project.id, holder=f"upload:{'u' * 32}", size=10, expires_at=utcnow() + LATER))
        session.add(Reservation(project_id=project.id, holder=f"run:{'r' * 32}", size=10, expires_at=utcnow() + LATER))
        session.add(Lease(name="worker", holder="x", expires_at=utcnow() + timedelta(seconds=30)))
        made.audit.append(session, ALICE, "test.done", "thing:1")
    return made


def _found(context: Context) -> dict[str, list[str]]:
    found = {check.name: [finding.sentence for finding in check.run(context, False)] for check in core.CHECKS}
    return {name: sentences for name, sentences in found.items() if sentences}


def test_a_healthy_installation_is_clean(context):
    assert _found(context) == {}
    assert {check.name: check.run(context, True) for check in core.CHECKS} == {check.name: [] for check in core.CHECKS}


def _sql(*statements: str) -> Callable[[Context], None]:
    def damage(context: Context) -> None:
        with databases.unguarded(context) as connection:
            for statement in statements:
                connection.execute(text(statement))

    return damage


def _head_gone(context: Context) -> None:
    (context.audit.folder / "head.json").unlink()


DAMAGE = {
    "upload ended": ("reservations", _sql("UPDATE upload SET state = 'done'"), "is done", True),
    "upload gone": ("reservations", _sql("DELETE FROM upload"), "does not exist", True),
    "run ended": ("reservations", _sql("UPDATE run SET state = 'failed'"), "is failed", True),
    "holder of no kind": (
        "reservations",
        _sql("UPDATE reservation SET holder = 'x:1' WHERE holder LIKE 'run:%'"),
        "does not exist",
        True,
    ),
    "expired long ago": ("reservations", _sql("UPDATE reservation SET expires_at = '2020-01-01 00:00:00'"), "expired", True),
    "lease for ever": ("leases", _sql("UPDATE lease SET expires_at = '2999-01-01 00:00:00'"), "lasts until 2999", True),
    "row that points nowhere": ("database", _sql("DELETE FROM project WHERE name = 'demo'"), "does not exist", False),
    "record changed": ("audit", _sql("UPDATE audit_event SET actor = 'bob'"), "was changed", False),
    "head gone": ("audit", _head_gone, "head is missing", True),
    "chain truncated": ("audit", _sql("DELETE FROM audit_event"), "truncated", True),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_each_damage_is_found_by_its_check_and_repaired_where_that_is_possible(context, name):
    check, damage, sentence, repairable = DAMAGE[name]
    damage(context)
    found = _found(context)
    assert check in found
    assert sentence in " ".join(found[check])
    for each in core.CHECKS:
        report = cli.report(context, each, deep=False, repair=True)
        assert all(finding["offer"] and finding["done"] for finding in report["findings"] if finding["repaired"])
    assert (check not in _found(context)) == repairable


def test_finding_changes_nothing(context):
    DAMAGE["upload ended"][1](context)
    assert _found(context) == _found(context) != {}


def test_a_head_mirrored_anew_leaves_a_record(context):
    _head_gone(context)
    cli.report(context, core.CHECKS[1], deep=False, repair=True)
    with context.engine.connect() as connection:
        assert connection.scalar(text("SELECT action FROM audit_event ORDER BY seq DESC")) == "audit.head_reset"


def test_the_command_line(context, monkeypatch, capsys):
    databases.use(monkeypatch, context)
    monkeypatch.setattr(cli, "checks", lambda: core.CHECKS)
    assert cli.main([]) == 0
    assert "as it should be" in capsys.readouterr().out
    DAMAGE["run ended"][1](context)
    assert cli.main(["--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["clean"] is False
    assert [finding["offer"] for check in document["checks"] for finding in check["findings"]] == ["release them"]
    assert cli.main(["--repair"]) == 0
    assert "repaired: released 10 bytes" in capsys.readouterr().out
    assert cli.main(["--deep"]) == 0
    monkeypatch.setenv("VOXELHUB_STATE_DIR", str(context.settings.state_dir / "nothing"))
    assert cli.main([]) == 1
