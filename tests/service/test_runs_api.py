"""Tools and runs over the API, without a worker: what is offered, accepted, refused, and how it is told."""

import pytest
from sqlalchemy import select
from support.probe import write_probe
from support.service import bearer, make_service
from support.world import ROOT, add_project, add_version, audit_is_whole
from voxelhub_service.database import reading, writing
from voxelhub_service.executors.folder import RunFolder
from voxelhub_service.models import AuditEvent, Dataset, Event, Project, Reservation, Run, RunCounter, utcnow
from voxelhub_service.runs.logs import MAX_CHUNK, read_log

UNKNOWN = "0123456789abcdef" * 2


class Api:
    def __init__(self, folder):
        self.client, self.context = make_service(folder, tools_dir=str(write_probe(folder / "tools")), envs_dir=ROOT / ".envs")
        self.demo, self.alpha = add_project(self.context, "demo"), add_project(self.context, "alpha")
        self.entries = add_version(self.context, self.demo, "data", {
            "table.csv": ("table", "table", "csv", {"table.csv": b"a\n"}),
            "notes": ("text", "document", "text", {"notes.txt": b"x"})})
        self.private = add_version(self.context, self.alpha, "own", {
            "secret.csv": ("table", "table", "csv", {"secret.csv": b"s\n"})})

    def __call__(self, method, path, as_="alice", **options):
        headers = bearer(as_) | options.pop("headers", {})
        return self.client.request(method, path, headers=headers, **options)

    def body(self, **changes):
        return {"tool": "probe", "project": "demo", "inputs": {"volume": [self.entries["table.csv"]]}, "arguments": {}} | changes

    def start(self, as_="alice", key=None, **changes):
        return self("POST", "/runs", as_, json=self.body(**changes), headers={"Idempotency-Key": key} if key else {})

    def change(self, run_id, **values):
        with writing(self.context.engine) as session:
            run = session.get_one(Run, run_id)
            for name, value in values.items():
                setattr(run, name, value)


@pytest.fixture
def api(tmp_path):
    return Api(tmp_path)


def test_tools_and_the_selection(api):
    (tool,) = api("GET", "/tools").json()["items"]
    assert tool["name"] == "probe" and not tool["eligible"] and "Select 1 to 5 entries" in tool["reason"]
    assert list(tool["arguments"]["properties"]) == ["sleep", "code", "script"]
    chosen = ",".join(api.entries.values())
    (tool,) = api("GET", "/tools", params={"entries": chosen}).json()["items"]
    assert tool["eligible"] and tool["reason"] == "" and set(tool["assignment"]["volume"]) == set(api.entries.values())
    assert api("GET", "/tools/probe", params={"entries": chosen}).json() == tool
    assert api("GET", "/tools/none").status_code == 404 and api("GET", "/tools/..%2Fprobe").status_code == 404
    assert api("GET", "/tools", params={"entries": "x"}).status_code == 422


def test_anothers_entry_is_as_one_that_does_not_exist(api):
    for ask in (lambda one: api("GET", "/tools", "bob", params={"entries": one}),
                lambda one: api.start("bob", inputs={"volume": [one]})):
        foreign, unknown = ask(api.private["secret.csv"]), ask(UNKNOWN)
        assert foreign.status_code == unknown.status_code == 404 and foreign.content == unknown.content
    with reading(api.context.engine) as session:
        assert session.scalar(select(Run).where(Run.kind == "tool")) is None


def test_a_run_is_made_with_all_that_belongs_to_it(api):
    answer = api.start(arguments={"sleep": 2})
    run = answer.json()
    assert answer.status_code == 201 and run["state"] == "queued" and run["label"] == "run002" and run["cancellable"]
    assert run["arguments"] == {"sleep": 2, "code": 0, "script": ""} and run["title"] == "Probe: table.csv"
    with reading(api.context.engine) as session:
        (reservation,) = session.scalars(select(Reservation))
        assert (reservation.holder, reservation.size) == (f"run:{run['id']}", 4 * 1024**2 + 2)
        (event,) = session.scalars(select(Event).where(Event.subject == run["id"]))
        assert event.project_id == api.demo and event.payload["state"] == "queued"
        (record,) = session.scalars(select(AuditEvent).where(AuditEvent.action == "run.create"))
        assert (record.actor, record.resource) == ("alice", f"run:{run['id']}") and len(record.detail["tool_digest"]) == 64
    assert api("GET", f"/runs/{run['id']}").json() == run
    assert api("GET", f"/runs/{run['id']}", "bob").json() == run
    assert audit_is_whole(api.context)


@pytest.mark.parametrize(("changes", "status", "code", "part"), [
    ({"tool": "none"}, 404, "not_found", ""),
    ({"version": "9.9"}, 404, "not_found", ""),
    ({"project": "nowhere"}, 404, "not_found", ""),
    ({"inputs": {}}, 422, "inputs_do_not_fit", "needs 1 to 5 entries; 0 are given."),
    ({"inputs": {"other": []}}, 422, "inputs_do_not_fit", "no input “other”"),
    ({"arguments": {"sleep": "long"}}, 422, "arguments_do_not_fit", "Sleep must be a number."),
    ({"arguments": {"sleep": -1}}, 422, "arguments_do_not_fit", "Sleep must be at least 0."),
    ({"arguments": {"x": 1}}, 422, "arguments_do_not_fit", "no argument x"),
    ({"output_title": ""}, 422, None, ""),
    ({"extra": 1}, 422, None, ""),
])
def test_what_is_refused(api, changes, status, code, part):
    answer = api.start(**changes)
    assert answer.status_code == status and part in answer.json()["detail"]
    assert code is None or answer.json()["code"] == code
    with reading(api.context.engine) as session:
        assert session.scalar(select(Run).where(Run.kind == "tool")) is None and session.scalar(select(Reservation)) is None
        assert session.get_one(RunCounter, api.demo).next_number == 2, "a refused run takes no number"


def test_results_of_clinical_data_stay_clinical(api):
    with writing(api.context.engine) as session:
        session.get_one(Project, api.alpha).open = False
    clinical = {"inputs": {"volume": [api.private["secret.csv"]]}}
    refused = api.start(**clinical)
    assert (refused.status_code, refused.json()["code"]) == (409, "clinical_inputs") and "alpha" in refused.json()["detail"]
    assert api.start(**clinical, project="alpha").status_code == 201


def test_the_result_must_fit_the_quota(tmp_path):
    api = Api(tmp_path)
    with writing(api.context.engine) as session:
        session.get_one(Project, api.demo).quota_bytes = 5 * 1024**2
    assert api.start().status_code == 201
    refused = api.start()
    assert refused.status_code == 413 and refused.json()["code"] == "quota_exceeded"


def test_trash_and_older_versions(api):
    run = api.start().json()
    with writing(api.context.engine) as session:
        session.scalars(select(Dataset).where(Dataset.name == "data")).one().trashed_at = utcnow()
    assert api.start().status_code == 404
    assert api("POST", f"/runs/{run['id']}/rerun").status_code == 404


def test_the_same_key_starts_once(api):
    first, second = api.start(key="k1"), api.start(key="k1")
    assert first.json() == second.json()
    assert api.start("bob", key="k1").json()["id"] != first.json()["id"], "keys are the user's own"
    other = api.start(key="k1", arguments={"sleep": 5})
    assert other.status_code == 409 and other.json()["code"] == "key_used_before"
    assert api("GET", "/runs", params={"kind": "tool"}).json()["total"] == 2


def test_the_list(api):
    ids = [api.start().json()["id"] for _ in range(3)]
    hidden = api.start(project="alpha", inputs={"volume": [api.private["secret.csv"]]}).json()["id"]
    api.change(ids[0], state="succeeded", reason="")
    page = api("GET", "/runs", params={"kind": "tool", "limit": 2}).json()
    assert page["total"] == 4 and [one["id"] for one in page["items"]] == [hidden, ids[2]]
    assert [one["id"] for one in api("GET", "/runs", params={"kind": "tool", "offset": 2}).json()["items"]] == [ids[1], ids[0]]
    assert [api("GET", "/runs", params={"tool": name}).json()["total"] for name in ("probe", "other")] == [4, 0]
    active = api("GET", "/runs", params={"state": "active", "project": "demo"}).json()
    assert [one["id"] for one in active["items"]] == [ids[2], ids[1]]
    assert hidden not in [one["id"] for one in api("GET", "/runs", "bob").json()["items"]]
    assert api("GET", "/runs", "mallory").json() == {"total": 0, "items": []}
    alpha, nowhere = (api("GET", "/runs", "bob", params={"project": name}) for name in ("alpha", "nowhere"))
    assert alpha.status_code == 404 and alpha.content == nowhere.content


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/runs/{}"), ("POST", "/runs/{}/cancel"), ("POST", "/runs/{}/rerun"), ("GET", "/runs/{}/log")])
def test_a_stranger_sees_nothing(api, method, path):
    run = api.start().json()
    known, unknown = (api(method, path.format(one), "mallory") for one in (run["id"], UNKNOWN))
    assert known.status_code == unknown.status_code == 404 and known.content == unknown.content


def test_cancel(api):
    run = api.start().json()
    assert api("POST", f"/runs/{run['id']}/cancel", "bob").status_code == 403, "another member's run"
    answer = api("POST", f"/runs/{run['id']}/cancel")
    assert answer.status_code == 202 and answer.json()["state"] == "cancelled" and not answer.json()["cancellable"]
    again = api("POST", f"/runs/{run['id']}/cancel")
    assert again.status_code == 409 and "has ended already" in again.json()["detail"]
    going = api.start().json()
    api.change(going["id"], state="running")
    answer = api("POST", f"/runs/{going['id']}/cancel").json()
    assert (answer["state"], answer["reason"], answer["cancellable"]) == ("running", "It is being cancelled.", False)
    assert api("POST", f"/runs/{going['id']}/cancel").status_code == 202
    with reading(api.context.engine) as session:
        actions = list(session.scalars(select(AuditEvent.action).where(AuditEvent.action.in_(("run.cancel", "run.end")))))
        assert actions == ["run.cancel", "run.end", "run.cancel"]


def test_an_owner_cancels_anothers_run(api):
    run = api.start(project="alpha", inputs={"volume": [api.private["secret.csv"]]}).json()
    api.change(run["id"], owner="carol")
    assert api("POST", f"/runs/{run['id']}/cancel").json()["state"] == "cancelled"


def test_rerun(api):
    run = api.start(arguments={"sleep": 1}).json()
    api.change(run["id"], state="failed", reason="It broke.")
    again = api("POST", f"/runs/{run['id']}/rerun", "bob", headers={"Idempotency-Key": "r"})
    assert again.status_code == 201
    body = again.json()
    assert (body["owner"], body["inputs"], body["arguments"], body["number"]) == ("bob", run["inputs"], run["arguments"], 3)
    assert api("POST", f"/runs/{run['id']}/rerun", "bob", headers={"Idempotency-Key": "r"}).json() == body
    with reading(api.context.engine) as session:
        assert session.get_one(Run, body["id"]).rerun_of == run["id"]
    api.change(body["id"], kind="import")
    assert api("POST", f"/runs/{body['id']}/rerun").json()["code"] == "not_a_tool_run"


def test_the_log_by_offset(api):
    run = api.start().json()
    assert api("GET", f"/runs/{run['id']}/log").json() == {"offset": 0, "text": "", "end": False}
    folder = RunFolder(api.context.settings.runs_dir / run["id"])
    folder.path.mkdir()
    folder.log.write_text("gr\u00fc\u00df\n")
    first = api("GET", f"/runs/{run['id']}/log").json()
    assert first == {"offset": 7, "text": "gr\u00fc\u00df\n", "end": False}
    api.change(run["id"], state="succeeded")
    assert api("GET", f"/runs/{run['id']}/log", params={"offset": 7}).json() == {"offset": 7, "text": "", "end": True}
    assert api("GET", f"/runs/{run['id']}/log", params={"offset": 10**6}).json() == {"offset": 7, "text": "", "end": True}


def test_pieces_of_a_log_end_between_characters(tmp_path):
    text = "a" + "\u00fc\u20ac\U0001f9e0" * (MAX_CHUNK // 4)
    (tmp_path / "log").write_text(text)
    pieces, offset, end = [], 0, False
    while not end:
        piece, offset, end = read_log(tmp_path / "log", offset)
        pieces.append(piece)
    assert "".join(pieces) == text and len(pieces) > 2
    (tmp_path / "log").write_bytes(b"\xff\xfe\xe2\x82")
    assert read_log(tmp_path / "log", 0)[2] in (True, False)
