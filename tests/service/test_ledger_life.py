"""The ledger beside real runs and records of notebook servers: what is metered, and what a spent budget does in their middle."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta

import pytest
import yaml
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from support.live import serving
from support.place import Place
from support.probe import write_probe
from support.service import make_test_context
from support.world import ROOT, add_project, make_world, until
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.errors import Problem
from voxelhub_service.executors.folder import identity, write_json
from voxelhub_service.executors.local import LocalExecutor
from voxelhub_service.keeping import keeper as keeping
from voxelhub_service.ledger import fsck
from voxelhub_service.ledger.metering import Counters, Meter, cost_of, meter
from voxelhub_service.ledger.prices import Price
from voxelhub_service.models import AuditEvent, BudgetMark, Cluster, Event, LedgerEntry, Project, Run, utcnow
from voxelhub_service.runs.lease import WorkerLease
from voxelhub_service.runs.next_step import STOPPED

runs = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (ROOT / ".envs/tool-dicom-to-nifti").exists(), reason="the tool's environment is not installed"),
]
PRICES = {"currency": "EUR", "date": date(2026, 11, 1), "runs": {"core_hour": 3600},
          "kinds": [{"name": "small", "cpu": 1, "memory": "1 GiB"}]}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A core second costs 1 EUR; alice has 4 of them."""
    monkeypatch.setattr(keeping, "EVERY", 0.2)
    (tmp_path / "prices").write_text(yaml.safe_dump(PRICES))
    (tmp_path / "budgets").write_text("currency: EUR\npeople: {alice: {money: 4}}\n")
    place = Place(tmp_path, prices_file=str(tmp_path / "prices"), budgets_file=str(tmp_path / "budgets"), budget_grace=1)
    yield place
    place.stop()


def entries(context: Context, kind: str) -> list[LedgerEntry]:
    with reading(context.engine) as session:
        return list(session.scalars(select(LedgerEntry).where(LedgerEntry.kind == kind).order_by(LedgerEntry.day)))


def told(context: Context) -> tuple[list[str], list[tuple[str, str]]]:
    """Acts that people were told of, and audit records of budgets."""
    with reading(context.engine) as session:
        events = [one.payload["act"] for one in session.scalars(select(Event).where(Event.topic == "spend").order_by(Event.id))]
        records = session.execute(select(AuditEvent.action, AuditEvent.resource).where(
            AuditEvent.action.like("budget.%")).order_by(AuditEvent.seq))
        return events, [(action, resource.partition(":")[0]) for action, resource in records]


class TestRuns:
    pytestmark = runs

    def test_a_run_costs_what_its_supervisor_measured(self, place, tmp_path):
        (tmp_path / "budgets").write_text("currency: EUR\npeople: {alice: {money: 4000}}\n")
        place.start()
        begun = place.submit(sleep=1.5)
        until(lambda: entries(place.context, "run"))
        assert entries(place.context, "run")[0].ended_at is None, "budgets see it while it runs"
        failed = place.submit(code=3)
        for run_id in (begun, failed):
            place.end(run_id)
        found = {row.subject: row for row in entries(place.context, "run")}
        assert found.keys() == {begun, failed} and all(row.ended_at is not None for row in found.values())
        row, usage = found[begun], json.loads((place.folder(begun) / "run.json").read_text())["usage"]
        assert row.seconds == usage["seconds"] and 1.5 < row.seconds < 30 and row.core_seconds == row.seconds
        assert cost_of(row) == pytest.approx(row.seconds)
        assert (row.owner, row.tool, row.profile, row.title) == ("alice", "probe", "1 core, 0.25 GiB", "probe run002")
        assert row.peak_memory == usage["peak_memory"] > 0 and row.used_cpu_seconds == usage["cpu_seconds"]

    def test_a_spent_budget_warns_waits_stops_and_refuses_each_once(self, place):
        place.start()
        long, waiting = place.submit(sleep=100), place.submit(sleep=100)
        run = place.end(long)
        assert run.state == "cancelled" and run.reason.startswith(f"{STOPPED} The budget of alice for this month: ")
        assert place.end(waiting).state == "cancelled"
        with pytest.raises(Problem) as refused:
            place.submit()
        assert refused.value.code == "budget_reached" and " of 4 EUR." in refused.value.detail
        for _ in range(3):
            place.threads[0][0].keeper.look()
        assert told(place.context)[0] in (["warn", "reach"], ["reach"])
        assert [one for one in told(place.context)[1] if one[0] == "budget.stop"] == [("budget.stop", "run")] * 2
        with reading(place.context.engine) as session:
            marks = session.execute(select(BudgetMark.scope, BudgetMark.level)).all()
        assert sorted(marks) == [("person:alice", 80), ("person:alice", 100)]
        assert all(row.ended_at is not None for row in entries(place.context, "run"))

    def test_a_tool_that_may_finish_does_and_its_result_is_published(self, place, tmp_path):
        write_probe(tmp_path / "tools", termination={"on_time_limit": "finish", "grace": 20})
        place.start()
        script = "import signal; signal.signal(signal.SIGTERM, lambda *_: sys.exit(open(output + '/half.csv', 'w').write('a')*0))"
        run = place.end(place.submit(sleep=60, script=script))
        assert (run.state, run.reason) == ("succeeded", "")
        assert "its budget is spent; the program is asked to finish" in (place.folder(run.id) / "log.txt").read_text()


@pytest.fixture
def hub():
    """Takes requests to stop a server, as JupyterHub's API does."""
    asked: list[tuple[str, str]] = []

    async def stop(request: Request) -> Response:
        asked.append((request.path_params["name"], request.headers["authorization"].partition(" ")[0]))
        return Response(status_code=202)

    with serving(Starlette(routes=[Route("/hub/api/users/{name}/server", stop, methods=["DELETE"])])) as port:
        yield port, asked


def record(context: Context, name: str, seconds: float, *, ended: bool = False, living: bool = True) -> None:
    context.settings.servers_dir.mkdir(exist_ok=True)
    process = identity() if living else {"pid": os.getpid(), "start": 1}
    write_json(context.settings.servers_dir / f"{name}.json", {
        "user": name, "server": "", "profile": "small", "cpu": 2, "gpus": 1, "process": process,
        "started_at": "2026-11-30T10:00:00.123+00:00", "ended_at": "2026-11-30T11:00:00+00:00" if ended else None,
        "usage": {"seconds": seconds, "used_cpu_seconds": seconds / 4, "peak_memory": 10**9}})


def keeper(context: Context) -> keeping.Keeper:
    lease = WorkerLease(context)
    assert lease.take()
    return keeping.Keeper(context, LocalExecutor(context.settings.runs_dir), lease)


def test_notebook_servers_are_charged_from_their_launchers_records(tmp_path):
    """Also the ones that ended while nobody looked, and those whose launcher was killed; a restarted keeper goes on."""
    context = make_test_context(tmp_path)
    record(context, "ada", 100)
    record(context, "ben", 3600, ended=True)
    record(context, "cyn", 50, living=False)
    (context.settings.servers_dir / "broken.json").write_text("{")
    keeper(context).look()
    record(context, "ada", 110)
    keeper(context).look()
    found = {row.owner: row for row in entries(context, "server")}
    assert {name: (row.seconds, row.ended_at is None) for name, row in found.items()} == {
        "ada": (110, True), "ben": (3600, False), "cyn": (50, False)}
    assert found["ben"].core_seconds == 7200 and found["ben"].gpu_seconds == 3600 and cost_of(found["ben"]) == 0.02
    assert found["ada"].subject == "ada/@2026-11-30T10:00:00.123+00:00" and found["ada"].currency == "EUR"
    assert sorted(path.name for path in context.settings.servers_dir.iterdir()) == ["ada.json", "broken.json"]
    with reading(context.engine) as session:
        assert session.get_one(Project, found["ada"].project_id).owner == "ada"


def test_a_cluster_at_the_end_of_its_budget_is_asked_to_close(tmp_path):
    (tmp_path / "budgets").write_text("projects: {demo: {cpu_hours: 1}}\n")
    context = make_world(tmp_path, budgets_file=str(tmp_path / "budgets"), budget_grace=0)
    project = add_project(context)
    with writing(context.engine) as session:
        session.add(Cluster(
            id="c1", title="C", project_id=project, owner="ada", made_in="api", environment="imaging", kind="small", cpu=1,
            memory=1, adaptive=False, minimum=0, maximum=1, workers=1, state="running"))
        hour, now = Counters(3600, 3600), utcnow()
        meter(session, Meter("cluster", "c1", "C", "ada", project, "small", hour, Price(None, None), True, since=now, at=now))
    looking = keeper(context)
    looking.look()
    looking.look()
    looking.look()
    with reading(context.engine) as session:
        closing = session.get_one(Cluster, "c1")
    assert closing.wanted == "closed"
    assert closing.reason == f"{STOPPED} The budget of the project demo for this month: 1.0 of 1 CPU hours are spent."
    assert told(context) == (["reach"], [("budget.reach", "project"), ("budget.stop", "cluster")])


def test_fsck_finds_what_costs_on_after_its_end_and_what_was_not_charged(tmp_path):
    context = make_world(tmp_path)
    project, ago = add_project(context), utcnow() - timedelta(hours=1)
    with writing(context.engine) as session:
        for number, seconds in ((1, 60.0), (2, 59.0)):
            run = Run(id=f"r{number}", number=number, project_id=project, owner="ada", kind="tool", title="T", state="failed",
                      ended_at=ago)
            session.add(run)
            meter(session, Meter("run", run.id, "T", "ada", project, "1 core", Counters(seconds), Price(None, None), number == 1,
                                 since=ago, at=ago))
            (context.settings.runs_dir / run.id).mkdir()
            write_json(context.settings.runs_dir / run.id / "run.json", {"state": "failed", "usage": {"seconds": 60.0}})
        meter(session, Meter("cluster", "none", "C", "ada", project, "small", Counters(5), Price(None, None), True))
    found = [finding for check in fsck.CHECKS for finding in check.run(context, False)]
    assert sorted(finding.sentence for finding in found) == [
        "The cluster none does not exist, and yet its entry in the ledger grows.",
        "The run r1 has ended, and yet its entry in the ledger grows.",
        "run002 (r2) ran for 60.0 s by its record, and the ledger has 59.0 s."]
    for finding in found:
        if finding.repair:
            finding.repair()
    assert [finding.sentence[:6] for check in fsck.CHECKS for finding in check.run(context, False)] == ["run002"]


def test_a_server_at_the_end_of_its_budget_is_stopped_through_the_hub(tmp_path, hub):
    port, asked = hub
    (tmp_path / "budgets").write_text("people: {ada: {gpu_hours: 0.01}}\n")
    context = make_test_context(tmp_path, budgets_file=str(tmp_path / "budgets"), budget_grace=0, hub_port=port)
    record(context, "ada", 100)
    record(context, "ben", 100)
    keeper(context).look()
    assert asked == [] and told(context) == (["reach"], [("budget.reach", "user")])
    keeper(context).look()
    assert asked == [("ada", "token")] and told(context)[0] == ["reach", "stop"]
    (tmp_path / "budgets").write_text("people: {ada: {gpu_hours: 10}}\n")
    keeper(context).look()
    with writing(context.engine) as session:
        assert session.query(BudgetMark).all() == []
    assert asked == [("ada", "token")] and told(context)[1][-1] == ("budget.lift", "user")
