"""Batches over the API, without a worker: made all or none, told, cancelled, tried again; and their table before there is one."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from support.effort import statements
from support.probe import write_probe
from support.service import bearer, make_service
from support.world import ROOT, add_project, add_version, audit_is_whole
from voxelhub_service.batches.table import for_spreadsheets, page
from voxelhub_service.database import reading, writing
from voxelhub_service.models import AuditEvent, Batch, Event, Project, Reservation, Run, RunCounter
from voxelhub_service.runs.endings import end_run

UNKNOWN = "0123456789abcdef" * 2


class Api:
    def __init__(self, folder, items=4, **settings):
        tools = str(write_probe(folder / "tools"))
        self.client, self.context = make_service(folder, tools_dir=tools, envs_dir=ROOT / ".envs", **settings)
        self.demo, self.alpha = add_project(self.context, "demo"), add_project(self.context, "alpha")
        files = {f"case {n}.csv": ("table", "table", "csv", {f"case-{n}.csv": b"a\n1\n"}) for n in range(1, items + 1)}
        self.entries = add_version(self.context, self.demo, "data", files)
        self.private = add_version(self.context, self.alpha, "own", {"s.csv": ("table", "table", "csv", {"s.csv": b"s\n"})})

    def __call__(self, method, path, as_="alice", key=None, **options):
        headers = bearer(as_) | ({"Idempotency-Key": key} if key else {})
        return self.client.request(method, path, headers=headers, **options)

    def body(self, **changes):
        items = [{"label": name, "inputs": {"volume": [one]}} for name, one in self.entries.items()]
        return {"tool": "probe", "project": "demo", "title": "Volumes", "items": items} | changes

    def start(self, as_="alice", key=None, **changes):
        return self("POST", "/batches", as_, key, json=self.body(**changes))

    def made(self, **changes):
        answer = self.start(**changes)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def runs(self, batch_id):
        with reading(self.context.engine) as session:
            return list(session.scalars(select(Run).where(Run.batch_id == batch_id).order_by(Run.number)))

    def end(self, run, state, reason=""):
        with writing(self.context.engine) as session:
            end_run(self.context, session, session.get_one(Run, run.id), state, reason)

    def count(self, table):
        with reading(self.context.engine) as session:
            return session.scalar(select(func.count()).select_from(table))


@pytest.fixture
def api(tmp_path):
    return Api(tmp_path)


def test_a_run_for_each_item_in_one_transaction(api):
    batch = api.made(arguments={"sleep": 2}, priority=-1)
    assert (batch["state"], batch["counts"], batch["total"], batch["progress"]) == ("queued", {"queued": 4}, 4, 0)
    assert batch["cancellable"] and batch["retryable"] == 0 and batch["table_state"] is None and batch["owner"] == "alice"
    runs = api.runs(batch["id"])
    assert [(run.batch_item, run.number, run.priority, run.kind) for run in runs] == [(n, n + 1, -1, "tool") for n in range(1, 5)]
    assert {run.output_dataset for run in runs} == {f"Volumes · case {n}.csv" for n in range(1, 5)}
    assert {(run.cpu, run.memory) for run in runs} == {(1.0, 256 * 1024**2)} and runs[0].arguments["sleep"] == 2
    with reading(api.context.engine) as session:
        holders = set(session.scalars(select(Reservation.holder)))
        actions = list(session.scalars(select(AuditEvent.action).where(AuditEvent.action.in_(("run.create", "batch.create")))))
        topics = list(session.scalars(select(Event.topic)))
    assert holders == {f"run:{run.id}" for run in runs} and actions == ["run.create"] * 4 + ["batch.create"]
    assert topics == ["batch"], "one hint, not a thousand"
    assert audit_is_whole(api.context)
    detail = api("GET", f"/batches/{batch['id']}").json()
    assert [(one["number"], one["label"], one["state"], one["attempts"]) for one in detail["items"]] == [
        (n, f"case {n}.csv", "queued", 1) for n in range(1, 5)]
    assert api("GET", "/batches").json()["items"] == [batch] and api("GET", "/batches", "mallory").json()["total"] == 0
    assert api("GET", "/runs", params={"batch": "none", "kind": "tool"}).json()["total"] == 0
    assert api("GET", "/runs", params={"batch": batch["id"]}).json()["total"] == 4


@pytest.mark.parametrize(("changes", "status", "code", "part"), [
    ({"tool": "none"}, 404, "not_found", ""),
    ({"project": "nowhere"}, 404, "not_found", ""),
    ({"arguments": {"sleep": -1}}, 422, "arguments_do_not_fit", "Sleep must be at least 0."),
    ({"items": []}, 422, None, ""),
    ({"items": [{"label": "x", "inputs": {"volume": [UNKNOWN]}}]}, 404, "not_found", ""),
    ({"priority": 1}, 403, "forbidden", "needs the role owner"),
    ({"priority": 2}, 422, None, ""),
])
def test_what_is_refused_leaves_nothing(api, changes, status, code, part):
    answer = api.start(**changes)
    assert answer.status_code == status and (code is None or answer.json()["code"] == code), answer.text
    assert part in answer.json()["detail"]
    assert api.count(Batch) == api.count(Reservation) == 0
    with reading(api.context.engine) as session:
        assert session.get_one(RunCounter, api.demo).next_number == 2


def test_one_item_that_does_not_fit_stops_all_and_is_named(api):
    items = [*api.body()["items"], {"label": "the fifth", "inputs": {"other": [api.entries["case 1.csv"]]}}]
    answer = api.start(items=items)
    assert answer.status_code == 422 and "the fifth: This tool has no input “other”." in answer.json()["detail"]
    assert api.count(Batch) == 0 and api.runs("x") == []


def test_quota_is_needed_for_all_items(api):
    with writing(api.context.engine) as session:
        session.get_one(Project, api.demo).quota_bytes = 13 * 1024**2  # three of the four
    answer = api.start()
    assert answer.status_code == 413 and "for 4 runs" in answer.json()["detail"]
    assert api.count(Batch) == api.count(Reservation) == 0


def test_clinical_inputs_stay_in_their_project(api):
    with writing(api.context.engine) as session:
        session.get_one(Project, api.alpha).open = False
    items = [*api.body()["items"], {"label": "s", "inputs": {"volume": [api.private["s.csv"]]}}]
    assert api.start(items=items).json()["code"] == "clinical_inputs"


def test_high_priority_is_the_owners_of_shared_projects(api):
    items = [{"label": "s", "inputs": {"volume": [api.private["s.csv"]]}}]
    assert api.start(items=items, project="alpha", priority=1).status_code == 201
    add_project(api.context, "home-alice")
    with writing(api.context.engine) as session:
        home = session.scalars(select(Project).where(Project.name == "home-alice")).one()
        home.kind, home.owner = "personal", "alice"
    assert api.start(project="home-alice", priority=1).status_code == 403, "everyone owns such a project"
    assert api("POST", "/runs", "admin", json={"tool": "probe", "project": "demo", "priority": 1, "arguments": {},
                                              "inputs": {"volume": [api.entries["case 1.csv"]]}}).status_code == 201


def test_too_many_items_and_tools_larger_than_the_machine(tmp_path):
    api = Api(tmp_path, batch_max=3, run_memory=100 * 1024**2)
    assert api.start().json()["code"] == "too_many_items"
    answer = api.start(items=api.body()["items"][:2])
    assert (answer.status_code, answer.json()["code"]) == (409, "machine_too_small") and "100.0 MiB" in answer.json()["detail"]


def test_the_same_key_begins_once(api):
    first, second = api.start(key="k"), api.start(key="k")
    assert first.json() == second.json() and api.count(Batch) == 1
    assert api.start(key="k", arguments={"sleep": 9}).json()["code"] == "key_used_before"
    assert api.start("bob", key="k").json()["id"] != first.json()["id"]


def test_titles_and_labels_never_collide(api):
    entry = api.entries["case 1.csv"]
    items = [{"label": label, "inputs": {"volume": [entry]}} for label in ("a", "a", "joined table", "x" * 200, "x" * 200)]
    first, second = api.made(items=items), api.made(items=items)
    assert (first["title"], second["title"]) == ("Volumes", "Volumes (2)")
    titles = [run.output_dataset for one in (first, second) for run in api.runs(one["id"])]
    assert len(set(titles)) == 10 and "Volumes · a (2)" in titles and "Volumes · joined table (2)" in titles
    assert not any(title.endswith(" · joined table") for title in titles)


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/batches/{}"), ("POST", "/batches/{}/cancel"), ("POST", "/batches/{}/retry"), ("GET", "/batches/{}/table"),
    ("GET", "/batches/{}/table/csv")])
def test_a_stranger_sees_nothing(api, method, path):
    batch = api.made()
    known, unknown = (api(method, path.format(one), "mallory") for one in (batch["id"], UNKNOWN))
    assert known.status_code == unknown.status_code == 404 and known.content == unknown.content


def test_states_follow_from_the_runs(api):
    batch = api.made()
    runs = api.runs(batch["id"])
    def told():
        return api("GET", f"/batches/{batch['id']}").json()
    api.end(runs[0], "failed", "It broke.")
    assert (told()["state"], told()["progress"], told()["retryable"]) == ("running", 0.25, 1)
    for run in runs[1:]:
        api.end(run, "succeeded")
    now = told()
    assert (now["state"], now["counts"], now["table_state"]) == ("joining", {"failed": 1, "succeeded": 3}, "queued")
    (join,) = [run for run in api.runs(batch["id"]) if run.kind == "join"]
    assert join.owner == "alice" and join.output_dataset == "Volumes · joined table" and now["ended_at"] is None
    api.end(join, "succeeded")
    now = told()
    assert (now["state"], now["progress"], now["cancellable"]) == ("failed", 1.0, False) and now["ended_at"]
    failed = api("GET", f"/batches/{batch['id']}", params={"state": "failed"}).json()["items"]
    assert [(one["label"], one["reason"]) for one in failed] == [("case 1.csv", "It broke.")]


def test_only_what_failed_is_tried_again(api):
    batch = api.made(arguments={"sleep": 3})
    first = api.runs(batch["id"])
    for run, state in zip(first, ("succeeded", "failed", "cancelled", "succeeded"), strict=True):
        api.end(run, state, "" if state == "succeeded" else "Why.")
    (join,) = [run for run in api.runs(batch["id"]) if run.kind == "join"]
    api.end(join, "succeeded")
    again = api("POST", f"/batches/{batch['id']}/retry", key="r").json()
    assert again["counts"] == {"queued": 2, "succeeded": 2} and again["state"] == "running"
    assert api("POST", f"/batches/{batch['id']}/retry", key="r").json() == again, "the same key tries once"
    new = [run for run in api.runs(batch["id"]) if run.number > join.number]
    assert [(run.batch_item, run.rerun_of, run.arguments["sleep"]) for run in new] == [(2, first[1].id, 3), (3, first[2].id, 3)]
    detail = api("GET", f"/batches/{batch['id']}").json()
    assert [one["attempts"] for one in detail["items"]] == [1, 2, 2, 1]
    for run in new:
        api.end(run, "succeeded")
    joins = [run for run in api.runs(batch["id"]) if run.kind == "join"]
    assert len(joins) == 2
    with reading(api.context.engine) as session:
        assert session.get_one(Batch, batch["id"]).joined == 2
    assert api("POST", f"/batches/{batch['id']}/retry").json()["code"] == "nothing_to_retry"
    api.end(joins[1], "failed", "The disk is full.")
    assert api("GET", f"/batches/{batch['id']}").json()["table_reason"] == "The disk is full."
    assert api("POST", f"/batches/{batch['id']}/retry").json()["state"] == "joining", "only its table is made again"


def test_where_nothing_succeeded_there_is_no_table(api):
    batch = api.made()
    for run in api.runs(batch["id"]):
        api.end(run, "failed", "It broke.")
    assert api("GET", f"/batches/{batch['id']}").json()["state"] == "failed"
    assert [run.kind for run in api.runs(batch["id"])] == ["tool"] * 4


def test_cancel_all(api):
    batch = api.made()
    runs = api.runs(batch["id"])
    api.end(runs[0], "succeeded")
    with writing(api.context.engine) as session:
        session.get_one(Run, runs[1].id).state = "running"
    assert api("POST", f"/batches/{batch['id']}/cancel", "bob").status_code == 403
    answer = api("POST", f"/batches/{batch['id']}/cancel")
    assert answer.status_code == 202 and answer.json()["counts"] == {"succeeded": 1, "running": 1, "cancelled": 2}
    assert [run.kind for run in api.runs(batch["id"])] == ["tool"] * 4, "one still goes on"
    assert api("POST", f"/batches/{batch['id']}/cancel").status_code == 202
    api.end(runs[1], "cancelled", "Cancelled while it was running.")
    assert [run.kind for run in api.runs(batch["id"])] == ["tool"] * 4 + ["join"]
    assert api("POST", f"/batches/{batch['id']}/cancel").json()["code"] == "batch_ended"
    with reading(api.context.engine) as session:
        told = list(session.scalars(select(AuditEvent.action).where(AuditEvent.resource == f"batch:{batch['id']}")))
    assert told == ["batch.create", "batch.cancel"] and audit_is_whole(api.context)


def test_the_table_before_there_is_one(api):
    batch = api.made()
    api.end(api.runs(batch["id"])[1], "failed", "It broke.")
    table = api("GET", f"/batches/{batch['id']}/table", params={"offset": 1, "limit": 2}).json()
    assert table == {"columns": ["item", "label", "run", "state", "reason"], "total": 4, "rows": [
        [2, "case 2.csv", "run003", "failed", "It broke."], [3, "case 3.csv", "run004", "queued", "Waits for its turn."]]}
    answer = api("GET", f"/batches/{batch['id']}/table/csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.text.splitlines()[2].startswith("2,case 2.csv,")
    with writing(api.context.engine) as session:
        session.get_one(Project, api.demo).open = False
        actions = list(session.scalars(select(AuditEvent.action).where(AuditEvent.resource == f"batch:{batch['id']}")))
    assert actions == ["batch.create", "file.view", "file.download"]
    assert api("GET", f"/batches/{batch['id']}/table/csv").status_code == 403, "nothing is downloaded from a clinical project"
    assert api("GET", f"/batches/{batch['id']}/table").status_code == 200


def test_cells_are_numbers_where_they_are_and_harmless_in_a_spreadsheet(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('item,x\n1,-1.5e3\n2,=1+1\n3,-cmd\n4,007\n5,"@a\nb"\n6,\n7,1e999\n8,+3\n9,-\n')
    assert [row[1] for row in page(path, 0, 20).rows] == [-1500.0, "=1+1", "-cmd", "007", "@a\nb", None, "1e999", "+3", "-"]
    sheet = b"".join(for_spreadsheets(path)).decode().replace("\r\n", "\n")
    assert sheet == "item,x\n1,-1.5e3\n2,'=1+1\n3,'-cmd\n4,007\n5,\"'@a\nb\"\n6,\n7,1e999\n8,+3\n9,'-\n"


def test_what_a_run_or_a_batch_made(api):
    with writing(api.context.engine) as session:
        run = session.scalars(select(Run).where(Run.kind == "import", Run.project_id == api.demo)).one()
        batch = Batch(project_id=api.demo, owner="alice", title="B", tool="probe", tool_version="1", tool_digest="0" * 64)
        session.add(batch)
        session.flush()
        run.batch_id = batch.id
    for query in ({"run": run.id}, {"batch": batch.id}):
        page = api("GET", "/entries", params={**query, "limit": 2, "sort": "name"}).json()
        assert page["total"] == 4 and len(page["items"]) == 2
        assert api("GET", "/entries", "mallory", params=query).json()["total"] == 0
    assert api("GET", "/entries", params={"run": UNKNOWN}).json()["total"] == 0


def test_the_plan_over_the_api(api):
    ids = list(api.entries.values())
    answer = api("POST", "/batches/plan", json={"tool": "probe", "entries": ids})
    output = 4 * (4 * 1024**2 + 4)
    assert answer.json() == {"items": api.body()["items"], "left_out": [], "reason": "", "output": output}
    (tool,) = api("POST", "/tools/match", json={"entries": ids}).json()["items"]
    assert tool["eligible"] and tool["each"] == 4
    assert api("GET", "/tools", params={"entries": ids[0]}).json()["items"][0]["each"] == 0
    assert api.start(items=answer.json()["items"]).status_code == 201
    assert api("POST", "/batches/plan", json={"tool": "none", "entries": ids}).status_code == 404
    foreign, unknown = (api("POST", "/batches/plan", "bob", json={"tool": "probe", "entries": [one]})
                        for one in (api.private["s.csv"], UNKNOWN))
    assert foreign.status_code == 404 and foreign.content == unknown.content


def test_a_thousand_items_are_few_questions(tmp_path):
    api = Api(tmp_path, items=1000)
    with writing(api.context.engine) as session:
        session.get_one(Project, api.demo).quota_bytes = 10 * 1024**3
    asked = {}
    for name, ask in (
        ("plan", lambda: api("POST", "/batches/plan", json={"tool": "probe", "entries": list(api.entries.values())})),
        ("create", lambda: api.start()),
        ("list", lambda: api("GET", "/batches")),
        ("detail", lambda: api("GET", f"/batches/{api('GET', '/batches').json()['items'][0]['id']}")),
        ("cancel", lambda: api("POST", f"/batches/{api('GET', '/batches').json()['items'][0]['id']}/cancel")),
    ):
        with statements(api.context.engine) as said:
            answer = ask()
        asked[name] = len(said)
        assert answer.status_code < 300, answer.text
    assert api.count(Run) == 1000 + 2 and answer.json()["counts"] == {"cancelled": 1000}
    assert max(asked.pop(name) for name in ("plan", "list", "detail")) < 40
    assert asked["create"] < 3000 and asked["cancel"] < 5000, asked
