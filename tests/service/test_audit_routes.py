"""The log as people read it over HTTP: their own trail, everybody's for auditors, in plain words, as a table, with proofs."""

from __future__ import annotations

import csv
import io
import re

import pytest
from sqlalchemy import text
from support.audit_log import checkpoint, findings, verifier
from support.populated import Populated, populate
from support.service import bearer
from voxelhub_service.database import writing


@pytest.fixture(scope="module")
def populated(tmp_path_factory: pytest.TempPathFactory) -> Populated:
    """Shared by all, which only read and are written down."""
    return populate(tmp_path_factory.mktemp("populated"))


def _get(populated: Populated, path: str, user: str, **query: object):
    return populated.client.get(path, params=query, headers=bearer(user))


def test_everybody_reads_their_own_trail_and_nobody_elses(populated):
    mine = _get(populated, "/audit/mine", "alice").json()
    assert mine["total"] > 5 and {item["actor"] for item in mine["items"]} == {"alice"}
    assert _get(populated, "/audit/mine", "mallory").json() == {"total": 0, "items": []}
    assert _get(populated, "/audit/mine", "alice", actor="bob").json()["total"] == mine["total"], "there is no such filter"
    assert _get(populated, "/audit/events", "alice").status_code == 403
    assert _get(populated, "/audit/mine", "outsider").status_code == 403
    refused = _get(populated, "/audit/mine", "alice", outcome="denied").json()["items"]
    assert {item["sentence"] for item in refused} == {"tried to read the audit log"}


def test_the_trail_is_in_plain_words(populated):
    told = [item["sentence"] for item in _get(populated, "/audit/mine", "alice", limit=1000).json()["items"]]
    assert any(re.fullmatch(r"started Probe: .+ as run003 in demo", sentence) for sentence in told), told
    for wanted in ("published version 1 of “Study” in demo", "moved “Old” to the trash in demo",
                   "began to bring in “Upload upload_id” in demo", "began the import run001 in demo"):
        assert wanted in told, told


def test_names_are_shown_only_to_who_may_read_the_project(populated):
    """An officer reads the whole log, and is in no project."""
    told = {item["sentence"] for item in _get(populated, "/audit/events", "olga", limit=1000).json()["items"]}
    assert "published version 1 of a dataset in demo" in told
    assert not any("Study" in sentence or "Upload upload_id" in sentence for sentence in told)


def test_groups_of_actions(populated):
    runs = _get(populated, "/audit/mine", "alice", action="run.").json()["items"]
    assert {item["action"] for item in runs} == {"run.create", "run.end"} or {item["action"] for item in runs} == {"run.create"}
    assert _get(populated, "/audit/mine", "alice", action="run").json()["total"] == 0
    assert _get(populated, "/audit/mine", "alice", action="r_n.").json()["total"] == 0


def test_every_record_of_another_area_has_words(populated):
    """No sentence falls back to the action's own name for what this installation wrote."""
    told = _get(populated, "/audit/events", "admin", limit=1000).json()["items"]
    assert [item["sentence"] for item in told if item["action"] in item["sentence"]] == []


def test_the_table_is_all_that_fits_and_runs_no_formula(populated):
    with writing(populated.context.engine) as session:
        populated.context.audit.append(session, "=cmd()", "test.done", "thing:1", detail={"n": "ü"})
    answer = _get(populated, "/audit/csv", "admin", actor="=cmd()")
    assert re.fullmatch("attachment; filename.*audit-log.csv\"?", answer.headers["content-disposition"])
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["seq", "at", "actor", "action", "resource", "outcome", "detail"]
    assert [row[2:] for row in rows[1:]] == [["'=cmd()", "test.done", "thing:1", "success", '{"n": "ü"}']]
    everything = list(csv.reader(io.StringIO(_get(populated, "/audit/csv", "olga").text)))
    assert [int(row[0]) for row in everything[1:]] == list(range(1, len(everything)))
    last = _get(populated, "/audit/events", "admin", limit=1).json()["items"][0]
    assert (last["action"], last["actor"]) == ("audit.export", "olga")
    assert _get(populated, "/audit/csv", "alice").status_code == 403


def test_the_state_and_the_proofs_are_for_auditors(populated, tmp_path):
    checkpoint(populated.context) if findings(populated.context) else None
    state = _get(populated, "/audit/state", "olga").json()
    assert (state["late"], state["second_size"]) == (False, None)
    assert 0 < state["size"] <= state["records"] and len(state["root"]) == 64
    proof = _get(populated, "/audit/proof/3", "admin")
    assert proof.status_code == 200
    path = tmp_path / "proof.json"
    path.write_bytes(proof.content)
    newest, _, sentence = verifier().check_proof(path)
    assert newest["root"] == state["root"] and sentence.startswith("Record 3 is in the log")
    assert _get(populated, "/audit/proof/3", "admin", earlier=state["size"]).json()["consistency"] == []
    for seq, earlier in ((0, None), (10**9, None), (3, 1)):
        answer = _get(populated, f"/audit/proof/{seq}", "admin", **({"earlier": earlier} if earlier else {}))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_covered")
    for path in ("/audit/state", "/audit/proof/3"):
        assert _get(populated, path, "alice").status_code == 403


def test_a_log_that_is_not_whole_proves_nothing(populated):
    """The last one: it does not set it back."""
    with populated.context.engine.begin() as connection:
        connection.execute(text("UPDATE audit_event SET actor = 'mallory' WHERE seq = 3"))
    answer = _get(populated, "/audit/proof/3", "admin")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_whole")
