"""Spend over HTTP: who reads whose, sums that are those of the rows, a table for spreadsheets, estimates, figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import yaml
from starlette.testclient import TestClient
from support.probe import write_probe
from support.service import bearer, make_service
from support.uploads import open_project
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.ledger.metering import Counters, Meter, meter
from voxelhub_service.ledger.prices import Price
from voxelhub_service.models import AuditEvent, LedgerEntry, Project, utcnow
from voxelhub_service.secrets import read_secret

PRICES = {
    "currency": "EUR", "date": date(2026, 11, 1), "source": "List 7", "scheduler_per_hour": 0.04, "runs": {"core_hour": 0.5},
    "kinds": [{"name": "small", "cpu": 1, "memory": "1 GiB", "price_per_hour": 0.1}]}
BUDGETS = {"currency": "EUR", "people": {"alice": {"money": 40}, "bob": {"cpu_hours": 1}}}


@pytest.fixture(scope="module")
def service(tmp_path_factory, database) -> Iterator[tuple[TestClient, Context]]:
    folder = tmp_path_factory.mktemp("spend")
    for name, document in (("prices", PRICES), ("budgets", BUDGETS)):
        (folder / name).write_text(yaml.safe_dump(document))
    client, context = make_service(folder, prices_file=str(folder / "prices"), budgets_file=str(folder / "budgets"),
                                   tools_dir=str(write_probe(folder / "tools")))
    for name in ("demo", "alpha"):
        open_project(context, name)
    with writing(context.engine) as session:
        ids = {one.name: one.id for one in session.query(Project)}
        now, euro, none, dollar = utcnow(), Price(0.1, "EUR", "2026-11-01"), Price(None, None), Price(1, "USD")
        for kind, subject, owner, project, profile, tool, hours, price, ago in (
            ("cluster", "c1", "alice", "alpha", "small", "", 3, euro, 0),
            ("cluster", "c1", "alice", "alpha", "scheduler", "", 1, euro, 0),
            ("run", "r1", "alice", "demo", "1 core, 1 GiB", "otsu", 2, none, 0),
            ("server", "bob/@1", "bob", "demo", "small", "", 4, euro, 0),
            ("run", "r2", "bob", "alpha", "1 core, 1 GiB", "=cmd|' /C calc'!A0", 1, dollar, 0),
            ("run", "old", "alice", "demo", "1 core, 1 GiB", "otsu", 7, euro, 400),
        ):
            seconds, at = hours * 3600, now - timedelta(days=ago)
            counters = Counters(seconds, seconds, 0, seconds / 2, 10**9)
            meter(session, Meter(kind, subject, f"{kind} {subject}", owner, ids[project], profile, counters, price,
                                 subject == "c1", tool, since=at, at=at))  # all of it today, however early it is
    yield client, context


def get(service, path: str, user: str = "alice", status: int = 200, **query):
    answer = service[0].get(path, params=query, headers=bearer(user))
    assert answer.status_code == status, answer.text
    return answer.json() if "json" in answer.headers["content-type"] else answer.text


def bars(summary, by: str) -> dict[str, tuple[float | None, float]]:
    return {bar["key"]: (round(bar["cost"], 6) if bar["cost"] is not None else None, round(bar["cpu_hours"], 6))
            for bar in summary["by"][by]}


def test_everyone_reads_their_own(service):
    mine = get(service, "/spend")
    assert (mine["currency"], round(mine["cost"], 6), round(mine["cpu_hours"], 6), mine["running"]) == ("EUR", 0.4, 6, 2)
    assert bars(mine, "kind") == {"cluster": (0.4, 4), "run": (None, 2)} and bars(mine, "tool") == {"otsu": (None, 2)}
    assert bars(mine, "profile") == {"small": (0.3, 3), "scheduler": (0.1, 1), "1 core, 1 GiB": (None, 2)}
    assert bars(mine, "project") == {"alpha": (0.4, 4), "demo": (None, 2)} and bars(mine, "person") == {"alice": (0.4, 6)}
    assert sum(day["cost"] or 0 for day in mine["days"]) == pytest.approx(0.4)
    assert [one["sentence"] for one in mine["budgets"]] == ["39.60 of 40 EUR left this month"]
    assert not mine["everything"] and "alpha" in mine["projects"] and "demo" not in mine["projects"]
    demo = get(service, "/spend", project="demo")
    assert bars(demo, "kind") == {"run": (None, 2)} and get(service, "/spend", "mallory")["cost"] is None


def test_owners_read_their_projects_and_administrators_all(service):
    alpha = get(service, "/spend", scope="project", project="alpha")
    assert bars(alpha, "person") == {"alice": (0.4, 4), "bob": (None, 1)} and alpha["other_currencies"] == {"USD": 1}
    everything = get(service, "/spend", "admin", scope="all")
    assert everything["everything"] and everything["cost"] == pytest.approx(0.8)
    assert {"alpha", "demo"} <= set(everything["projects"])
    assert get(service, "/spend", "admin", scope="project", project="demo")["cost"] == pytest.approx(0.4)


@pytest.mark.parametrize(("user", "query", "status"), [
    ("alice", {"scope": "project", "project": "demo"}, 403), ("bob", {"scope": "project", "project": "alpha"}, 404),
    ("mallory", {"scope": "project", "project": "demo"}, 404), ("mallory", {"project": "demo"}, 404),
    ("alice", {"scope": "project"}, 404), ("alice", {"scope": "all"}, 403), ("olga", {"scope": "all"}, 403),
    ("alice", {"since": "2026-11-30", "until": "2026-11-01"}, 422),
    ("alice", {"since": "2001-01-01", "until": "2026-11-01"}, 422),
])
def test_nobody_reads_what_is_not_theirs(service, user, query, status):
    for path in ("/spend", "/spend/entries", "/spend/entries.csv"):
        get(service, path, user, status, **query)


def test_the_sums_are_those_of_the_entries(service):
    for user, query in (("alice", {}), ("alice", {"scope": "project", "project": "alpha"}), ("admin", {"scope": "all"})):
        page, total = get(service, "/spend/entries", user, **query), get(service, "/spend", user, **query)
        assert page["total"] == len(page["items"]) == sum(bar["entries"] for bar in total["by"]["kind"])
        assert sum(one["cost"] or 0 for one in page["items"] if one["currency"] == "EUR") == pytest.approx(total["cost"] or 0)
        assert sum(one["core_seconds"] for one in page["items"]) / 3600 == pytest.approx(total["cpu_hours"])


def test_entries_are_paged_filtered_and_of_their_days(service):
    assert [one["subject"] for one in get(service, "/spend/entries", kind="run")["items"]] == ["r1"]
    assert get(service, "/spend/entries", "admin", scope="all", person="bob", tool="otsu")["items"] == []
    ago = utcnow().date() - timedelta(days=500)
    assert {one["subject"] for one in get(service, "/spend/entries", since=ago)["items"]} == {"c1", "r1", "old"}
    first, second = (get(service, "/spend/entries", offset=n, limit=1) for n in (0, 1))
    assert first["total"] == 3 and first["items"][0]["id"] != second["items"][0]["id"]


def test_the_table_runs_nothing_in_a_spreadsheet(service):
    text = get(service, "/spend/entries.csv", scope="project", project="alpha")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 3 and {row["tool"] for row in rows} == {"", "'=cmd|' /C calc'!A0"}
    assert sum(float(row["cost"]) for row in rows if row["currency"] == "EUR") == pytest.approx(0.4)
    with reading(service[1].engine) as session:
        last = session.query(AuditEvent).filter_by(action="spend.export").order_by(AuditEvent.seq.desc()).first()
    assert (last.actor, last.resource) == ("alice", "project:alpha")


def estimate(service, user: str = "alice", status: int = 200, **body):
    answer = service[0].post("/spend/estimate", json={"project": "demo", **body}, headers=bearer(user))
    assert answer.status_code == status, answer.text
    return answer.json()


def test_before_a_start(service):
    found = estimate(service, kind="run", tool="probe")
    assert (found["sentence"], found["refused"]) == ("about 0.50 EUR an hour; 39.60 of 40 EUR left this month", "")
    assert estimate(service, kind="run", tool="probe", runs=4)["price_per_hour"] == 2
    assert estimate(service, kind="server", profile="small", project="home-alice")["price_per_hour"] == 0.02
    refused = estimate(service, "bob", kind="server")
    assert refused["refused"] == "The budget of bob for this month is spent: 5.0 of 1 CPU hours."
    for body in ({"kind": "run"}, {"kind": "server", "profile": "gpu"}, {"kind": "cluster"}):
        estimate(service, status=422, **body)
    estimate(service, "mallory", 404, kind="server")


def test_a_spent_budget_refuses_runs_with_its_figures(service):
    body = {"tool": "probe", "project": "demo", "inputs": {"volume": ["0" * 32]}, "arguments": {}}
    answer = service[0].post("/runs", json=body, headers=bearer("bob"))
    assert (answer.status_code, answer.json()["code"]) == (403, "budget_reached")
    assert "5.0 of 1 CPU hours" in answer.json()["detail"]


def test_the_price_list(service):
    found = get(service, "/prices")
    assert (found["currency"], found["date"], found["source"], found["run_core_hour"]) == ("EUR", "2026-11-01", "List 7", 0.5)
    assert {(one["kind"], one["name"], one["price_per_hour"]) for one in found["items"]} >= {
        ("cluster", "scheduler", 0.04), ("cluster", "small", 0.1), ("server", "small", 0.02)}


def test_a_proposal(service):
    with writing(service[1].engine) as session:
        demo = session.query(Project).filter_by(name="demo").one()
        for number in range(3):
            meter(session, Meter("run", f"p{number}", "P", "bob", demo.id, "1 core, 1 GiB", Counters(100, 100, 0, 90, 6 * 10**8),
                                 Price(None, None), False, "planner", at=utcnow() - timedelta(days=60)))
    found = get(service, "/spend/proposal", tool="planner")
    assert (found["profile"], found["runs"]) == ("small", 3) and found["sentence"].endswith("the size small would do.")
    assert get(service, "/spend/proposal", "mallory", tool="planner")["runs"] == 0


def test_what_the_hub_asks(service):
    client, context = service
    headers = {"Authorization": f"Bearer {read_secret(context.settings.secrets_dir, 'events-token')}"}
    answer = client.post("/internal/spend/server", json={"person": "bob"}, headers=headers).json()
    assert answer["sentences"]["small"] == "about 0.02 EUR an hour" and "5.0 of 1 CPU hours" in answer["refused"]
    assert client.post("/internal/spend/server", json={"person": "bob"}, headers=bearer("admin")).status_code == 401


def test_figures_for_prometheus_are_for_administrators_and_the_one_secret(service):
    client, context = service
    secret = {"Authorization": f"Bearer {read_secret(context.settings.secrets_dir, 'metrics-token')}"}
    for headers, status in ((secret, 200), (bearer("admin"), 200), (bearer("alice"), 403), ({}, 401)):
        assert client.get("/metrics", headers=headers).status_code == status
    assert client.get("/me", headers=secret).status_code == 401, "it opens nothing else"
    text = client.get("/metrics", headers=secret).text
    samples = dict(line.rpartition(" ")[::2] for line in text.splitlines() if not line.startswith("#"))
    assert float(samples['voxelhub_month_spend{kind="cluster",currency="EUR"}']) == pytest.approx(0.4)
    assert samples['voxelhub_ledger_growing{kind="cluster"}'] == "2" and float(samples["voxelhub_audit_records_total"]) > 0
    assert "alice" not in text and "demo" not in text
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) > 10


def test_the_database_is_the_one_that_was_filled(service):
    with reading(service[1].engine) as session:
        assert session.query(LedgerEntry).count() >= 6
