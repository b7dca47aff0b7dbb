"""The record that a run leaves: accepted by another program, naming bytes by digest, and nobody by name."""

import io
import json
import re
import zipfile

import pytest
from rocrate.rocrate import ROCrate
from sqlalchemy import update
from support.crates import issues_of, make_cache
from support.evidence import CSV, bench, by_type
from support.service import bearer
from support.world import add_version, sha256, until
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading, writing
from voxelhub_service.executors.folder import write_json
from voxelhub_service.models import Entry, Run, utcnow
from voxelhub_service.runs import crate, reconciler
from voxelhub_service.runs.crate_graph import ni, urn_of_digest
from voxelhub_service.runs.fsck import CHECKS

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return make_cache(tmp_path_factory.mktemp("roc"))


@pytest.fixture
def place(tmp_path):
    with bench(tmp_path) as made:
        yield made


def action_of(document):
    (action,) = by_type(document, "CreateAction")
    return action


def test_a_crate_names_inputs_tool_environment_person_and_outputs(place, cache):
    run = place.run("scan", "table.csv", sleep=0.1)
    folder = place.folder(run.id) / "crate"
    assert issues_of(folder, cache) == []
    document = place.crate(run.id)
    by_id = {one["@id"]: one for one in document["@graph"]}
    action = action_of(document)
    assert action["actionStatus"] == "http://schema.org/CompletedActionStatus" and "error" not in action
    for digest, size in ((sha256(b"one"), "3"), (sha256(b"two"), "3"), (sha256(CSV), str(len(CSV)))):
        assert by_id[ni(digest)]["sha256"] == digest and by_id[ni(digest)]["contentSize"] == size
    given = {one["@id"] for one in action["object"]}
    assert ni(sha256(CSV)) in given and any(by_id[one]["@type"] == "Collection" for one in given)
    arguments = {by_id[one]["name"]: by_id[one] for one in given if by_id[one]["@type"] == "PropertyValue"}
    assert arguments["sleep"]["value"] == 0.1 and arguments["script"]["value"] == ""
    assert by_id[arguments["sleep"]["exampleOfWork"]["@id"]]["@type"] == "FormalParameter"
    result = (place.folder(run.id) / "outputs/result.csv").read_bytes()
    assert ni(sha256(result)) in {one["@id"] for one in action["result"]}
    tool = by_id[action["instrument"]["@id"]]
    assert (tool["name"], tool["softwareVersion"], tool["sha256"]) == ("Probe", "1.0", run.tool_digest)
    assert tool["@id"] == urn_of_digest(run.tool_digest)
    environment = by_id[tool["softwareRequirements"]["@id"]]
    assert environment["sha256"] == run.environment_digest and environment["runtimePlatform"].startswith("Python 3.")
    assert ISO.fullmatch(action["startTime"]) and ISO.fullmatch(action["endTime"])
    more = {by_id[one["@id"]]["name"]: by_id[one["@id"]]["value"] for one in action["additionalProperty"]}
    phases = [more[f"phase: {name}"] for name in ("queued", "stage in", "run", "stage out", "end")]
    assert phases == sorted(phases) and more["exit code"] == 0
    person = by_id[action["agent"]["@id"]]
    assert person["@type"] == "Person" and re.fullmatch(r"person-[a-z2-7]{16}", person["name"])


def test_another_program_reads_it_back(place):
    run = place.run("table.csv")
    read = ROCrate(place.folder(run.id) / "crate")
    action = next(one for one in read.get_entities() if one.type == "CreateAction")
    assert action["instrument"]["name"] == "Probe"
    assert action["object"][0]["sha256"] == sha256(CSV)


@pytest.mark.parametrize(("arguments", "state", "said"), [
    ({"code": 3}, "failed", "ended with code 3"),
    ({"sleep": 60}, "cancelled", "Cancelled while it was running."),
])
def test_failed_and_cancelled_runs_have_one_too(place, cache, arguments, state, said):
    run_id = place.submit(**arguments)
    if state == "cancelled":
        until(lambda: place.get(f"/runs/{run_id}")["progress_text"] == "sleeping")
        assert place.client.post(f"/runs/{run_id}/cancel", headers=bearer("alice")).status_code == 202
    run = place.end(run_id)
    assert run.state == state
    assert issues_of(place.folder(run.id) / "crate", cache) == []
    action = action_of(place.crate(run.id))
    assert action["actionStatus"] == "http://schema.org/FailedActionStatus" and said in action["error"]
    assert "result" not in action


def test_one_that_never_began_gets_one_when_somebody_asks(tmp_path, cache):
    with bench(tmp_path, working=False) as place:
        run_id = place.submit()
        assert place.client.get(f"/runs/{run_id}/crate", headers=bearer("alice")).status_code == 409
        place.client.post(f"/runs/{run_id}/cancel", headers=bearer("alice"))
        document = place.get(f"/runs/{run_id}/crate")
        assert not place.folder(run_id).exists()
        folder = tmp_path / "saved"
        folder.mkdir()
        (folder / crate.FILE).write_text(json.dumps(document))
        assert issues_of(folder, cache) == []


def test_an_import_has_one_with_what_the_door_did(place, cache):
    with writing(place.context.engine) as session:
        run = session.query(Run).filter_by(kind="import").one()
    place.folder(run.id).mkdir(parents=True)
    door = {"clinical": True, "profile": "research", "arrived": 3, "released": 2, "held": {"burned_in": 1},
            "actions": {"removed": 7}, "codes": ["113100"]}
    write_json(place.folder(run.id) / "run.json", {"door": door})
    assert crate.write(place.context, run.id)
    assert issues_of(place.folder(run.id) / "crate", cache) == []
    document = place.crate(run.id)
    values = {one["name"]: one["value"] for one in by_type(document, "PropertyValue")}
    assert values["door: arrived"] == 3 and values["door: held: burned_in"] == 1 and values["door: actions: removed"] == 7


def test_nothing_in_it_names_a_person_a_machine_or_a_word_that_somebody_wrote(tmp_path):
    with bench(tmp_path, isolation=False) as place:
        with writing(place.context.engine) as session:
            session.execute(update(Entry).values(name="DOE^JOHN 1950-02-01"))
        home = place.client.get("/me", headers=bearer("alice")).json()["projects"]
        own = next(one["name"] for one in home if one["kind"] == "personal")
        script = "print('::error cannot read ' + inputs[0]); sys.exit(1)"
        failed, made = place.run("scan", script=script), place.run("scan", project=own)
        assert str(place.context.settings.state_dir) in failed.reason, "without isolation a tool knows its place"
        for run in (failed, made):
            text = json.dumps(place.crate(run.id))
            for secret in ("alice", "DOE", "1950", str(tmp_path), str(place.context.settings.envs_dir), own):
                assert secret not in text, secret
        assert "cannot read <run>/inputs/volume/<input>" in action_of(place.crate(failed.id))["error"]
        agents = {action_of(place.crate(run.id))["agent"]["@id"] for run in (failed, made)}
        other = place.run("table.csv", user="bob")
        assert len(agents) == 1 and action_of(place.crate(other.id))["agent"]["@id"] not in agents


def test_what_a_tool_says_about_a_patient_stays_inside(place):
    assert place.client.patch("/projects/demo", json={"open": False}, headers=bearer("admin")).status_code == 200
    run = place.run("scan", script="print('::error the header says ' + 'EOD^NHOJ'[::-1]); sys.exit(4)")
    assert "JOHN^DOE" in run.reason and "DOE" not in json.dumps(place.crate(run.id))
    assert action_of(place.crate(run.id))["error"] == "It failed with exit code 4."


def test_of_another_projects_input_only_the_bytes_are_named(place):
    far = add_version(place.context, place.alpha, "trial-of-a-secret-drug", {
        "list": ("table", "table", "csv", {"arm-b.csv": b"x\n"})})
    run = place.run(far["list"])
    text = json.dumps(place.crate(run.id))
    assert sha256(b"x\n") in text and "secret" not in text and "alpha" not in text and "arm-b" not in text


def test_it_stays_as_it_was_written(place):
    run = place.run("table.csv")
    path = crate.path_of(place.context, run.id)
    before = path.read_bytes()
    place.client.patch(f"/entries/{place.entries['table.csv']}", json={"name": "Other"}, headers=bearer("alice"))
    assert crate.write(place.context, run.id) and path.read_bytes() == before
    assert place.get(f"/runs/{run.id}/crate") == json.loads(before)


def test_what_a_kill_left_out_is_written_by_the_next_worker_or_by_fsck(place, monkeypatch):
    run = place.run("table.csv")
    path, opened = crate.path_of(place.context, run.id), place.folder(run.id) / "open"
    (findings,) = [check for check in CHECKS if check.name == "run-crates"]
    path.write_text("{")  # torn, as no kill of ours leaves it
    (finding,) = findings.run(place.context, False)
    assert "run002" in finding.sentence and finding.repair is not None
    finding.repair()
    assert findings.run(place.context, False) == [] and crate.stored(place.context, run.id)
    path.unlink()
    opened.touch()
    assert findings.run(place.context, False) == [], "one that is not closed yet is the worker's"
    place.worker.reconciler.close_ended()
    assert crate.stored(place.context, run.id) and not opened.exists()
    path.unlink()
    monkeypatch.setattr(reconciler.crate, "made", lambda *_: 1 / 0)
    opened.touch()
    place.worker.reconciler.close_ended()
    assert not opened.exists(), "a defect of the record holds nothing up"


def test_a_run_from_before_this_version_is_no_finding_and_gets_one_on_demand(place):
    with writing(place.context.engine) as session:
        run = Run(number=90, project_id=place.demo, owner="bob", kind="tool", title="Old", state="succeeded", tool="gone",
                  tool_version="0.1", tool_digest="0" * 64, inputs={"volume": [place.entries["scan"]]}, arguments={"x": [1, 2]},
                  started_at=utcnow(), ended_at=utcnow())
        session.add(run)
    place.folder(run.id).mkdir(parents=True)
    write_json(place.folder(run.id) / "run.json", {"state": "succeeded"})
    assert [one for check in CHECKS if check.name == "run-crates" for one in check.run(place.context, False)] == []
    document = place.get(f"/runs/{run.id}/crate")
    assert sha256(b"one") in json.dumps(document) and place.crate(run.id) == document


def test_as_a_zip_with_log_and_outputs_from_an_open_project_alone(place, cache, tmp_path):
    run = place.run("table.csv")
    answer = place.client.get(f"/runs/{run.id}/crate?archive=1", headers=bearer("bob"))
    assert answer.status_code == 200 and "run002-crate.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert (tmp_path / "unpacked/log.txt").read_text() == "begins\nends\n"
    assert (tmp_path / "unpacked/outputs/result.csv").read_bytes() == (place.folder(run.id) / "outputs/result.csv").read_bytes()
    assert issues_of(tmp_path / "unpacked", cache) == []
    files = {one["@id"]: one for one in by_type(json.loads((tmp_path / "unpacked" / crate.FILE).read_text()), "File")}
    for name in ("log.txt", "outputs/result.csv"):
        assert files[name]["sha256"] == sha256((tmp_path / "unpacked" / name).read_bytes())
    assert place.client.patch("/projects/demo", json={"open": False}, headers=bearer("admin")).status_code == 200
    assert place.client.get(f"/runs/{run.id}/crate?archive=1", headers=bearer("bob")).status_code == 403
    assert place.client.get(f"/runs/{run.id}/crate", headers=bearer("bob")).status_code == 200
    for path in ("crate", "crate?archive=1", "lineage", "notebook", "comparison"):
        assert place.client.get(f"/runs/{run.id}/{path}", headers=bearer("mallory")).status_code == 404


def test_a_thousand_files_take_no_time_and_more_are_named_by_their_manifest(place, monkeypatch):
    monkeypatch.setattr("voxelhub_service.runs.crate_parts.MOST", 500)
    many = add_version(place.context, place.demo, "many", {
        "series": ("series", "ct-image", "dicom", {f"s/{n:04d}.dcm": str(n).encode() for n in range(1000)})})
    run = place.run(many["series"])
    document = place.crate(run.id)
    files = by_type(document, "File")
    assert 500 <= len(files) < 510
    with reading(place.context.engine) as session:
        digest = session.get_one(Entry, many["series"]).version_id
    assert any("first 500 are listed" in one.get("description", "") for one in by_type(document, "Collection")) and digest


def test_the_joined_table_of_a_batch_has_one_and_its_history_goes_through_every_item(place, cache):
    items = [{"label": name, "inputs": {"volume": [place.entries[name]]}} for name in ("table.csv", "scan")]
    body = {"tool": "probe", "project": "demo", "title": "Both", "items": items, "arguments": {}}
    answer = place.client.post("/batches", json=body, headers=bearer("alice"))
    assert answer.status_code == 201, answer.text
    until(lambda: place.get(f"/batches/{answer.json()['id']}")["state"] == "succeeded")
    joined = place.end(place.get(f"/batches/{answer.json()['id']}")["table_run_id"])
    assert joined.kind == "join" and issues_of(place.folder(joined.id) / "crate", cache) == []
    action = action_of(place.crate(joined.id))
    runs = [one for one in place.get("/runs", kind="tool")["items"] if one["batch_id"]]
    tables = [sha256((place.folder(one["id"]) / "outputs/result.csv").read_bytes()) for one in runs]
    assert {ni(one) for one in tables} <= {one["@id"] for one in action["object"]}
    (table,) = place.outputs(joined).values()
    keys = {one["key"] for one in place.get(f"/entries/{table}/lineage")["nodes"]}
    assert {f"run:{one['id']}" for one in runs} | {f"entry:{one}" for one in place.entries.values()} <= keys
