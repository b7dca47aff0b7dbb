"""A tool from its developer to its users, over the API: who sees it, who decides, what stays."""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy import select
from support.brought import tool_files, tool_zip
from support.probe import write_probe
from support.service import ACTORS, ADMIN, ALICE, BOB, bearer, make_service
from support.world import ROOT, add_project, add_version, audit_is_whole
from voxelhub_service.database import reading, writing
from voxelhub_service.datasets.storage import remove_tree
from voxelhub_service.fsck.cli import report
from voxelhub_service.identity.actor import Actor
from voxelhub_service.models import AuditEvent, Event, Run, ToolVersion
from voxelhub_service.projects.store import projects_of
from voxelhub_service.tools import fsck, package
from voxelhub_service.tools.manifest import load_manifest

CHIEF = Actor("chief", ADMIN.groups)  # a second administrator
DEV = Actor("dora", ALICE.groups)  # a second developer
UNKNOWN = "0123456789abcdef" * 2
ZIP = {"Content-Type": "application/zip"}


class Api:
    def __init__(self, folder, **settings):
        actors = {**ACTORS, "token-of-chief": CHIEF, "token-of-dora": DEV}
        self.client, self.context = make_service(
            folder, actors, tools_dir=str(write_probe(folder / "tools")), envs_dir=ROOT / ".envs", **settings)
        self.demo = add_project(self.context, "demo")
        add_project(self.context, "alpha")
        self.entries = add_version(self.context, self.demo, "data", {
            "table.csv": ("table", "table", "csv", {"table.csv": b"a\n1\n"})})
        for actor in (ALICE, DEV, BOB):
            projects_of(self.context, actor)

    def __call__(self, method, path, as_="alice", **options):
        return self.client.request(method, path, headers=bearer(as_) | options.pop("headers", {}), **options)

    def check(self, data, as_="alice"):
        return self("POST", "/tools/check", as_, content=data, headers=ZIP)

    def submit(self, as_="alice", key=None, note="", data=None, **changes):
        headers = ZIP | ({"Idempotency-Key": key} if key else {})
        data = tool_zip(**changes) if data is None else data
        return self("POST", "/tools/submissions", as_, content=data, headers=headers, params={"note": note})

    def decide(self, row, decision="approve", as_="admin", reason="Looked at it.", groups=()):
        return self("POST", f"/tools/submissions/{row['id']}/decision", as_,
                    json={"decision": decision, "reason": reason, "groups": list(groups)})

    def approved(self, **changes):
        row = self.submit(**changes).json()
        answer = self.decide(row)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tools(self, as_="bob"):
        return {one["name"]: one for one in self("GET", "/tools", as_).json()["items"]}

    def start(self, as_="bob", project="demo", **more):
        body = {"tool": "rows", "project": project, "inputs": {"table": [self.entries["table.csv"]]}, **more}
        return self("POST", "/runs", as_, json=body)

    def records(self):
        with reading(self.context.engine) as session:
            return [(one.actor, one.action, one.outcome, one.detail) for one in session.scalars(
                select(AuditEvent).where(AuditEvent.action.like("tool.%")).order_by(AuditEvent.seq))]

    def findings(self, deep=True):
        return [finding.sentence for check in fsck.CHECKS for finding in check.run(self.context, deep)]


@pytest.fixture
def api(tmp_path):
    return Api(tmp_path)


def test_the_check_says_everything_and_keeps_nothing(api):
    good = api.check(tool_zip()).json()
    assert good["ok"] and good["findings"] == [] and (good["name"], good["version"], good["title"]) == ("rows", "1.0.0", "Rows")
    assert len(good["digest"]) == 64
    bad = api.check(tool_zip(title=5, colour="red", command=["python", "gone.py"])).json()
    assert not bad["ok"] and bad["digest"] == ""
    assert {one["where"] for one in bad["findings"] if one["level"] == "error"} == {"title", "colour", "command[1]"}
    assert all(one["sentence"].endswith(".") and one["fix"] for one in bad["findings"])
    assert [path.name for path in api.context.settings.submitted_dir.iterdir() if path.is_dir()] == []
    with reading(api.context.engine) as session:
        assert session.scalar(select(ToolVersion)) is None


def test_the_check_knows_this_installation(api):
    said = api.check(tool_zip(environment="tool-nowhere")).json()
    assert said["ok"] and "tool-nowhere is not installed here" in said["findings"][0]["sentence"]
    assert "`name`: probe is a tool that ships" in api.check(tool_zip(name="probe")).json()["findings"][0]["sentence"]
    assert not api.check(tool_zip(name="submissions")).json()["ok"]


@pytest.mark.parametrize(("data", "headers", "status", "code"), [
    (b"no zip", ZIP, 422, "package_broken"),
    (b"", ZIP, 422, "package_broken"),
    (tool_zip(), {"Content-Type": "application/octet-stream"}, 415, "unsupported_media_type"),
    (bytes(2_000_000) + bytes(package.AROUND), ZIP, 413, "package_too_large"),
    (tool_zip(title=5), ZIP, 422, "tool_not_conformant"),
    (tool_zip(name="probe"), ZIP, 409, "name_built_in"),
    (tool_zip(name="check"), ZIP, 409, "name_built_in"),
])
def test_what_cannot_be_submitted(tmp_path, data, headers, status, code):
    api = Api(tmp_path, tool_max_bytes=1_000_000)
    answer = api("POST", "/tools/submissions", content=data, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert api.findings() == [] and api.records() == []


def test_only_developers_submit_and_only_administrators_decide(api):
    for path in ("/tools/check", "/tools/submissions"):
        refused = api("POST", path, "bob", content=tool_zip(), headers=ZIP)
        assert refused.status_code == 403 and "Only tool developers" in refused.json()["detail"]
    row = api.submit().json()
    refused = api.decide(row, as_="alice")
    assert refused.status_code == 403 and "Only administrators review" in refused.json()["detail"]
    assert ("alice", "tool.review", "denied", {"code": "forbidden"}) in api.records()


def test_a_submission_as_its_developer_and_its_reviewers_see_it(api):
    network = {"network": True, "security": {"reaches": ["example.org"], "sends": "Nothing."}, "account": "Unit 7"}
    answer = api.submit(note="Please.", **network)
    row = answer.json()
    assert answer.status_code == 201 and row["state"] == "submitted" and row["note"] == "Please." and row["ready"]
    assert row["may_withdraw"] and not row["may_decide"] and any("Network" in one for one in row["rights"])
    assert api("GET", "/tools/submissions").json()["items"] == [row]
    (seen,) = api("GET", "/tools/submissions", "admin", params={"state": "submitted"}).json()["items"]
    assert seen["may_decide"] and not seen["may_withdraw"]
    assert api("GET", "/tools/submissions", "admin", params={"state": "approved"}).json()["items"] == []
    detail = api("GET", f"/tools/submissions/{row['id']}", "admin").json()
    assert detail["before"] is None and detail["manifest"]["name"] == "rows"
    assert {one["path"]: one["change"] for one in detail["files"]} == dict.fromkeys(tool_files(), "added")
    assert "+def summarise(inputs, arguments, output):" in detail["diff"]
    data = api("GET", f"/tools/submissions/{row['id']}/archive", "admin")
    assert data.headers["content-type"] == "application/zip"
    assert sorted(package.read(data.content, 10**6)) == sorted(tool_files())
    with reading(api.context.engine) as session:
        told = [(one.user, one.project_id) for one in session.scalars(select(Event).where(Event.topic == "tool"))]
    assert told == [("alice", None), (None, None)]


@pytest.mark.parametrize("who", ["bob", "dora"])
def test_to_all_others_it_does_not_exist(api, who):
    row = api.submit().json()
    assert "rows" in api.tools("alice") and "rows" not in api.tools(who)
    for method, path, body in (("GET", "/tools/submissions/{}", None), ("GET", "/tools/submissions/{}/archive", None),
                               ("POST", "/tools/submissions/{}/withdraw", None),
                               ("POST", "/tools/submissions/{}/decision", {"decision": "approve", "reason": "x"})):
        real, unknown = (api(method, path.format(one), who, json=body) for one in (row["id"], UNKNOWN))
        assert (real.status_code, real.content) == (unknown.status_code, unknown.content) and real.status_code == 404
    real, unknown = (api("GET", f"/tools/{name}", who) for name in ("rows", "nothing"))
    assert (real.status_code, real.content) == (unknown.status_code, unknown.content) == (404, unknown.content)
    real, unknown = (api("POST", "/runs", who, json={
        "tool": name, "project": "demo", "inputs": {"table": [api.entries["table.csv"]]}}) for name in ("rows", "nothing"))
    assert (real.status_code, real.content) == (unknown.status_code, unknown.content) and real.status_code == 404
    assert api("GET", "/tools/submissions", who).json() == {"items": []}


def test_from_draft_to_retired(api):
    """E-022: submitted it is invisible to others; approved it appears; retired it hides, and what used it still opens."""
    row = api.submit().json()
    assert "rows" not in api.tools()
    answer = api.decide(row, reason="Read it, ran it.")
    assert answer.json()["state"] == "approved" and answer.json()["decided_by"] == "admin"
    shown = api.tools()["rows"]
    assert (shown["state"], shown["version"], shown["versions"]) == ("approved", "1.0.0", ["1.0.0"])
    run = api.start().json()
    assert api.decide(row, "retire").json()["state"] == "retired"
    assert "rows" not in api.tools() and api("GET", "/tools/rows", "bob").status_code == 404
    old = api("GET", "/tools/rows", "bob", params={"version": "1.0.0"}).json()
    assert old["state"] == "retired" and not old["eligible"] and "retired" in old["reason"]
    assert api("GET", f"/runs/{run['id']}", "bob").json()["tool_version"] == "1.0.0"
    refused = api.start()
    assert refused.status_code == 409 and refused.json()["code"] == "tool_retired"
    again = api("POST", f"/runs/{run['id']}/rerun", "bob")
    assert again.status_code == 201 and again.json()["tool_version"] == "1.0.0"
    assert api.decide(row, "restore").json()["state"] == "approved" and "rows" in api.tools()
    digest = row["digest"]
    assert [(who, what, detail["digest"], detail.get("reason")) for who, what, _, detail in api.records()] == [
        ("alice", "tool.submit", digest, None), ("admin", "tool.approve", digest, "Read it, ran it."),
        ("admin", "tool.retire", digest, "Looked at it."), ("admin", "tool.restore", digest, "Looked at it.")]
    assert audit_is_whole(api.context) and api.findings() == []


def test_versions_side_by_side(api):
    """E-117: new runs take the newest, a run that is begun again the one it had."""
    api.approved(version="1.9.0")
    old = api.start().json()
    api.approved(version="1.10.0", description="Now better.")
    shown = api.tools()["rows"]
    assert (shown["version"], shown["versions"]) == ("1.10.0", ["1.10.0", "1.9.0"])
    assert api.start().json()["tool_version"] == "1.10.0"
    assert api.start(version="1.9.0").json()["tool_version"] == "1.9.0"
    assert api("GET", "/tools/rows", "bob", params={"version": "1.9.0"}).json()["description"] != "Now better."
    again = api("POST", f"/runs/{old['id']}/rerun", "bob").json()
    with reading(api.context.engine) as session:
        assert session.get_one(Run, again["id"]).tool_digest == session.get_one(Run, old["id"]).tool_digest
    assert api.start(version="3.0").status_code == 404


def test_a_version_under_review_does_not_become_its_developers_default(api):
    api.approved(version="1.0.0")
    api.submit(version="2.0.0")
    assert api.tools("alice")["rows"]["version"] == "1.0.0" and api.tools("alice")["rows"]["versions"] == ["2.0.0", "1.0.0"]
    assert api.start("alice").json()["tool_version"] == "1.0.0"
    assert api.tools("bob")["rows"]["versions"] == ["1.0.0"]


def test_a_trial_run_writes_only_into_ones_own_project(api):
    api.submit()
    refused = api.start("alice")
    assert refused.status_code == 409 and refused.json()["code"] == "not_reviewed" and "home-alice" in refused.json()["fix"]
    run = api.start("alice", project="home-alice")
    assert run.status_code == 201, run.text


def test_anothers_trial_is_not_begun_again(api):
    """A member who sees the run cannot make unreviewed code run; nor can its developer, once it was rejected."""
    row = api.submit().json()
    run = api.start("alice", project="home-alice").json()
    with writing(api.context.engine) as session:
        moved = session.get_one(Run, run["id"])
        moved.project_id, moved.number = api.demo, 99
    refused = api("POST", f"/runs/{run['id']}/rerun", "bob")
    assert refused.status_code == 403 and "nobody has reviewed" in refused.json()["detail"]
    api.decide(row, "reject")
    refused = api("POST", f"/runs/{run['id']}/rerun", "alice")
    assert refused.status_code == 409 and "no longer installed here" in refused.json()["detail"]


def test_groups_restrict(api):
    row = api.submit().json()
    assert api.decide(row, groups=["projects/alpha"]).json()["code"] == "bad_group"
    assert api.decide(row, groups=["/projects/gpu"]).json()["groups"] == ["/projects/gpu"]
    assert "rows" not in api.tools("bob") and api.start("bob").status_code == 404
    assert "rows" in api.tools("alice"), "its developer keeps it"
    api.decide(row, groups=["/projects/demo", "/projects/gpu"], reason="Demo too.")
    assert "rows" in api.tools("bob") and "rows" not in api.tools("mallory")
    run = api.start("bob").json()
    api.decide(row, groups=["/projects/gpu"], reason="Not demo.")
    refused = api("POST", f"/runs/{run['id']}/rerun", "bob")
    assert refused.status_code == 403 and "other groups" in refused.json()["detail"]


def test_nobody_approves_their_own(api):
    row = api.submit("admin").json()
    refused = api.decide(row, as_="admin")
    assert refused.status_code == 403 and "nobody approves their own tool" in refused.json()["detail"]
    assert not api("GET", f"/tools/submissions/{row['id']}", "admin").json()["may_decide"]
    assert ("admin", "tool.review", "denied", {"code": "forbidden"}) in api.records()
    assert api.decide(row, as_="chief").json()["state"] == "approved"
    assert api.decide(row, "retire", as_="admin").json()["state"] == "retired", "taking it away needs one pair of eyes"
    assert api.decide(row, "restore", as_="admin").status_code == 403


def test_a_name_belongs_to_its_first_submitter(api):
    first = api.submit("alice").json()
    refused = api.submit("dora", version="2.0.0")
    assert refused.status_code == 409 and refused.json()["code"] == "name_taken" and "alice" not in refused.text
    assert api.submit("admin", version="2.0.0").status_code == 201, "an administrator may, for them"
    assert api.submit("alice", version="2.1.0").status_code == 201
    api("POST", f"/tools/submissions/{first['id']}/withdraw")
    for row in api("GET", "/tools/submissions", "admin", params={"state": "submitted"}).json()["items"]:
        api.decide(row, "reject", as_="chief")
    assert api.submit("dora").status_code == 201, "what came to nothing holds no name"


@pytest.mark.parametrize("end", ["reject", "withdraw", "approve", "retire", None])
def test_the_same_version_twice(api, end):
    first = api.submit().json()
    if end == "withdraw":
        api("POST", f"/tools/submissions/{first['id']}/withdraw")
    elif end:
        api.decide(first, "approve" if end == "retire" else end)
    if end == "retire":
        api.decide(first, "retire")
    second = api.submit(description="Another one.")
    if end in ("reject", "withdraw"):
        assert second.status_code == 201 and second.json()["attempt"] == 2 and second.json()["id"] != first["id"]
    else:
        assert second.status_code == 409 and second.json()["code"] == "version_taken"
    assert api.findings() == []


def test_withdraw(api):
    row = api.submit().json()
    assert api("POST", f"/tools/submissions/{row['id']}/withdraw", "admin").status_code == 403
    for _ in range(2):
        assert api("POST", f"/tools/submissions/{row['id']}/withdraw").json()["state"] == "withdrawn"
    assert [what for _, what, outcome, _ in api.records() if outcome == "success"] == ["tool.submit", "tool.withdraw"]
    assert api.decide(row).json()["code"] == "wrong_state" and "rows" not in api.tools("alice")
    row = api.approved(version="2.0.0")
    assert api("POST", f"/tools/submissions/{row['id']}/withdraw").json()["code"] == "decided"


@pytest.mark.parametrize(("before", "decision"), [
    ((), "retire"), ((), "restore"), (("approve",), "reject"), (("approve",), "restore"), (("reject",), "approve"),
    (("approve", "retire"), "reject"), (("approve", "retire"), "approve"), (("reject",), "restore")])
def test_what_cannot_be_decided(api, before, decision):
    row = api.submit().json()
    for one in before:
        assert api.decide(row, one).status_code == 200
    refused = api.decide(row, decision, reason="Another reason.")
    assert refused.status_code == 409 and refused.json()["code"] == "wrong_state"


def test_a_decision_needs_a_reason_and_happens_once(api):
    row = api.submit().json()
    assert api.decide(row, reason="").status_code == 422
    first, second = api.decide(row), api.decide(row)
    assert first.json() == second.json()
    assert [what for _, what, _, _ in api.records()] == ["tool.submit", "tool.approve"]


def test_the_same_key_submits_once(api):
    first, second = api.submit(key="k"), api.submit(key="k")
    assert first.json() == second.json() and second.status_code == 201
    other = api.submit(key="k", version="2.0.0")
    assert other.status_code == 409 and other.json()["code"] == "key_used_before"
    assert api.submit("dora", key="k", name="columns").json()["id"] != first.json()["id"]
    assert api.findings() == []


def test_many_at_once_are_there_once(api):
    answers = []
    threads = [threading.Thread(target=lambda i=i: answers.append(api.submit(key=f"k{i % 2}"))) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [one.json()["id"] for one in answers if one.status_code == 201]
    assert len(set(made)) == 1 and {one.json()["code"] for one in answers if one.status_code != 201} <= {"version_taken"}
    assert api.findings() == []


def test_what_changed_since_the_approved_version(api):
    api.approved(version="1.0.0", add={"old.txt": "gone\n", "data.bin": bytes(10)})
    api.approved(version="3.0.0")
    row = api.submit(version="2.0.0", add={"new.txt": "here\n", "data.bin": bytes(11)}).json()
    detail = api("GET", f"/tools/submissions/{row['id']}", "admin").json()
    assert detail["before"] == "1.0.0"
    assert {one["path"]: one["change"] for one in detail["files"] if one["change"] != "unchanged"} == {
        "old.txt": "removed", "new.txt": "added", "data.bin": "changed", "tool.json": "changed"}
    assert "-gone\n" in detail["diff"] and "+here\n" in detail["diff"]
    assert "Binary files a/data.bin and b/data.bin differ" in detail["diff"] and "def summarise" not in detail["diff"]


def test_a_long_difference_is_cut(api):
    api.approved(version="1.0.0")
    row = api.submit(version="2.0.0", add={f"{i}.txt": "a line of text\n" * 2000 for i in range(20)}).json()
    diff = api("GET", f"/tools/submissions/{row['id']}").json()["diff"]
    assert 190_000 < len(diff) < 200_100 and diff.endswith("cut here; the archive holds the rest.\n")


def test_an_environment_that_is_missing_is_said(api):
    row = api.approved(environment="tool-nowhere")
    assert not row["ready"]
    shown = api.tools()["rows"]
    assert not shown["eligible"] and "tool-nowhere is not installed" in shown["reason"]
    lock = "numpy==2.0.0 --hash=sha256:" + "a" * 64 + "\n"
    api.approved(version="2.0.0", lock="l.txt", add={"l.txt": lock})
    assert "voxelhub tool install rows 2.0.0" in api.tools()["rows"]["reason"]


def test_without_isolation_only_what_ships_is_run(tmp_path):
    api = Api(tmp_path, isolation=False)
    assert "runs without isolation" in api.check(tool_zip()).json()["findings"][-1]["sentence"]
    api.approved()
    assert set(api.tools("alice")) == {"probe"}
    refused = api.start()
    assert refused.status_code == 409 and refused.json()["code"] == "no_isolation"


def test_files_that_were_changed_are_not_run(api):
    row = api.submit().json()
    main = api.context.settings.submitted_dir / row["id"] / "main.py"
    main.chmod(0o644)
    main.write_text("import os\n")
    refused = api.decide(row)
    assert refused.status_code == 409 and refused.json()["code"] == "tool_changed"
    (sentence,) = api.findings()
    assert "other files than were submitted" in sentence and api.findings(deep=False) == []


def test_fsck_mends_what_a_kill_left(api):
    row = api.submit().json()
    folder = api.context.settings.submitted_dir
    package.write(tool_files(), folder / UNKNOWN)
    package.write(tool_files(), folder / f".{UNKNOWN}.part")
    package.seal(folder / UNKNOWN)
    assert len(api.findings()) == 2
    for check in fsck.CHECKS:
        assert all(one["repaired"] for one in report(api.context, check, deep=True, repair=True)["findings"])
    assert api.findings() == [] and load_manifest(folder / row["id"], any_name=True).digest == row["digest"]
    remove_tree(folder / row["id"])
    assert "has lost its folder" in api.findings()[0]
    for check in fsck.CHECKS:
        report(api.context, check, deep=True, repair=True)
    assert api.findings() == [] and api("GET", "/tools/submissions").json()["items"][0]["state"] == "withdrawn"
    assert api.submit().json()["attempt"] == 2 and audit_is_whole(api.context)


def test_a_lost_approved_version_is_not_mended_away(api):
    row = api.approved()
    remove_tree(api.context.settings.submitted_dir / row["id"])
    for check in fsck.CHECKS:
        report(api.context, check, deep=False, repair=True)
    assert "Restore a backup" in api.findings()[0]
    assert api("GET", f"/tools/submissions/{row['id']}", "admin").json()["code"] == "tool_files_gone"


def test_the_template(api):
    answer = api("GET", "/tools/template", "bob", params={"kind": "shell", "name": "my-tool"})
    files = package.read(answer.content, 10**6)
    assert json.loads(files["tool.json"])["name"] == "my-tool" and "main.sh" in files
    assert api("GET", "/tools/template", params={"name": "../x"}).status_code == 422
    assert api("GET", "/tools/template", params={"name": "x", "kind": "cobol"}).status_code == 422


def test_events_reach_the_developer_and_reviewers_only(api):
    from voxelhub_service.api.feed import _visible

    api.submit()
    with reading(api.context.engine) as session:
        events = list(session.scalars(select(Event).where(Event.topic == "tool")))
    seen = {actor.name: sum(_visible(actor, event, None) for event in events) for actor in (ALICE, BOB, DEV, ADMIN, CHIEF)}
    assert seen == {"alice": 1, "bob": 0, "dora": 0, "admin": 1, "chief": 1}
