"""Where things come from and what came of them, as far as each may see it; and what differs between two runs."""

import json

import pytest
from sqlalchemy import delete, event
from support.effort import statements
from support.evidence import CSV, bench
from support.probe import write_probe
from support.service import bearer
from support.world import add_version, sha256
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import writing
from voxelhub_service.executors.folder import write_json
from voxelhub_service.models import Dataset, DatasetVersion, Entry, File, Run, Upload, new_id, utcnow
from voxelhub_service.runs.store import next_number

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))


@pytest.fixture
def place(tmp_path):
    with bench(tmp_path) as made:
        yield made


@pytest.fixture
def still(tmp_path):
    """Without a worker."""
    with bench(tmp_path, working=False) as made:
        yield made


def seen(lineage):
    """{key: node}, {(source, target, role)}"""
    return {one["key"]: one for one in lineage["nodes"]}, {(e["source"], e["target"], e["role"]) for e in lineage["edges"]}


def compared(place, run, original):
    return place.get(f"/runs/{run.id}/comparison", **{"with": original.id})


def done(place, inputs, *, project="demo", kind="tool", outputs=("out.csv",), **more):
    """A run that has ended, with its version: as the worker leaves it, without the time that takes."""
    with writing(place.context.engine) as session:
        project_id = {"demo": place.demo, "alpha": place.alpha}[project]
        run = Run(number=next_number(session, project_id), project_id=project_id, owner="alice", kind=kind, title="T",
                  state="succeeded", tool="probe" if kind == "tool" else None, tool_version="1.0", tool_digest="1" * 64,
                  inputs={"volume": list(inputs)} if inputs else {}, ended_at=utcnow(), **more)
        dataset = Dataset(project_id=project_id, name=new_id(), title="made", created_by="alice")
        session.add_all([run, dataset])
        session.flush()
        version = DatasetVersion(dataset_id=dataset.id, number=1, digest=sha256(run.id.encode()), n_files=1, size=1,
                                 created_by="alice", run_id=run.id)
        session.add(version)
        session.flush()
        run.output_version_id = version.id
        entries = [Entry(version_id=version.id, dataset_id=dataset.id, project_id=project_id, name=name, path=name, kind="table",
                         data_type="table", file_format="csv", n_files=1, size=1) for name in outputs]
        session.add_all(entries)
        session.flush()
        session.add_all(File(version_id=version.id, entry_id=one.id, path=one.path, size=1, sha256=sha256(one.id.encode()))
                        for one in entries)
    return run, [one.id for one in entries]


def test_from_a_result_back_to_the_import_and_its_report(place):
    with writing(place.context.engine) as session:
        brought = session.query(Run).filter_by(kind="import").one()
    place.folder(brought.id).mkdir(parents=True)
    write_json(place.folder(brought.id) / "run.json", {"door": {
        "clinical": True, "profile": "research", "scanned": True, "arrived": 3, "released": 2, "held": {"burned_in": 1},
        "kinds": {"DICOM CT Image Storage": 2}, "pixels": {"masked": 1}, "actions": {"removed": 1200, "replaced": 8},
        "codes": ["113100", "113101"]}})
    first = place.run("scan")
    (made,) = place.outputs(first).values()
    second = place.run(made)
    (last,) = place.outputs(second).values()
    nodes, edges = seen(place.get(f"/entries/{last}/lineage"))
    chain = [f"run:{brought.id}", f"entry:{place.entries['scan']}", f"run:{first.id}", f"entry:{made}", f"run:{second.id}",
             f"entry:{last}"]
    assert set(nodes) == set(chain)
    roles = ["", "volume", "table", "volume", "table"]
    assert edges == {(a, b, role) for a, b, role in zip(chain, chain[1:], roles, strict=False)}
    report = " ".join(nodes[chain[0]]["report"])
    for part in ("3 files arrived, 2 were released", "profile research: 2 × DICOM CT Image Storage", "1,200 values were removed",
                 "clean pixel data (113101)", "covered", "1 × burned in", "virus scanner"):
        assert part in report, report
    assert nodes[chain[2]]["detail"] == "probe 1.0" and nodes[chain[2]]["digest"] == first.tool_digest
    assert nodes[chain[3]]["detail"].startswith("Table, CSV") and nodes[chain[3]]["by"] == "alice"
    # Downstream of the first, from the other end, is the same graph.
    again, same = seen(place.get(f"/entries/{place.entries['scan']}/lineage"))
    assert set(again) == set(chain) and same == edges
    of_run, _ = seen(place.get(f"/runs/{first.id}/lineage"))
    assert set(of_run) == set(chain)


def test_a_batch_joins_many_into_one(still):
    runs = [done(still, [still.entries["scan"]]) for _ in range(3)]
    made = [entries[0] for _, entries in runs]
    joined, (table,) = done(still, made, kind="join")
    nodes, edges = seen(still.get(f"/entries/{table}/lineage"))
    assert {f"run:{run.id}" for run, _ in runs} < set(nodes) and nodes[f"run:{joined.id}"]["detail"] == "Joined table of a batch"
    assert sum(target == f"run:{joined.id}" for _, target, _ in edges) == 3
    below, _ = seen(still.get(f"/entries/{still.entries['scan']}/lineage"))
    assert f"entry:{table}" in below


def test_what_one_may_not_see_is_hidden_and_not_counted(still):
    far = add_version(still.context, still.alpha, "far", {"a": ("table", "table", "csv", {"a.csv": b"1"}),
                                                          "b": ("table", "table", "csv", {"b.csv": b"2"})})
    run, (made,) = done(still, [*far.values(), still.entries["table.csv"]])
    for _ in range(3):
        done(still, [made], project="alpha")
    text = still.client.get(f"/entries/{made}/lineage", headers=bearer("bob")).text
    nodes, edges = seen(json.loads(text))
    hidden = [one for one in nodes.values() if one["kind"] == "hidden"]
    assert len(hidden) == 2 and all(one["id"] is None and one["project"] == "" for one in hidden), hidden
    assert "alpha" not in text and not any(one in text for one in far.values())
    assert {one["key"] for one in hidden} == {f"hidden:above:run:{run.id}", f"hidden:below:entry:{made}"}
    everything, _ = seen(still.get(f"/entries/{made}/lineage"))
    assert sum(one["kind"] == "run" for one in everything.values()) == 6 and "hidden" not in {
        one["kind"] for one in everything.values()}
    assert still.client.get(f"/entries/{made}/lineage", headers=bearer("mallory")).status_code == 404
    assert edges


def test_trash_and_deleted_for_good_leave_their_digests(place):
    first = place.run("table.csv", project="alpha")
    (made,) = place.outputs(first).values()
    second = place.run(made, project="alpha")
    dataset = place.get(f"/runs/{first.id}")["output_dataset_id"]
    digest = place.get(f"/datasets/{dataset}")["versions"][0]["digest"]
    assert place.client.delete(f"/datasets/{dataset}", headers=bearer("alice")).status_code == 204
    nodes, _ = seen(place.get(f"/runs/{second.id}/lineage"))
    assert nodes[f"entry:{made}"]["kind"] == "gone" and "In the trash" in nodes[f"entry:{made}"]["detail"]
    assert f"run:{first.id}" in nodes, "what lies in the trash still has a history"
    with writing(place.context.engine) as session:
        title = session.get_one(Dataset, dataset).title
    answer = place.client.delete(f"/datasets/{dataset}", params={"purge": True, "confirm": title}, headers=bearer("alice"))
    assert answer.status_code == 204, answer.text
    nodes, edges = seen(place.get(f"/runs/{second.id}/lineage"))
    gone = nodes[f"entry:{made}"]
    assert (gone["kind"], gone["id"], gone["digest"]) == ("gone", None, digest) and "Deleted for good" in gone["detail"]
    assert (f"run:{first.id}", gone["key"], "") in edges, "the audit log knows what had made it"
    below, _ = seen(place.get(f"/runs/{first.id}/lineage"))
    assert below[f"gone:{first.id}"]["digest"] == digest
    assert compared(place, first, second)["identical"] is False, "the crate still knows the bytes"


def test_an_entry_that_an_import_kept_goes_back_to_the_version_before(still):
    with writing(still.context.engine) as session:
        old = session.get_one(Entry, still.entries["table.csv"])
        upload = Upload(project_id=still.demo, owner="alice", dataset_name="data", title="data", mode="add", state="done",
                        expires_at=utcnow())
        session.add(upload)
        session.flush()
        run = Run(number=next_number(session, still.demo), project_id=still.demo, owner="alice", kind="import", title="more",
                  state="succeeded", ended_at=utcnow(), upload_id=upload.id)
        session.add(run)
        session.flush()
        version = DatasetVersion(dataset_id=old.dataset_id, number=2, digest="2" * 64, n_files=1, size=old.size,
                                 created_by="alice", run_id=run.id)
        session.add(version)
        session.flush()
        new = Entry(version_id=version.id, dataset_id=old.dataset_id, project_id=still.demo, name="table.csv", path="table.csv",
                    kind="table", data_type="table", file_format="csv", n_files=1, size=old.size)
        session.add(new)
        session.flush()
        session.add(File(version_id=version.id, entry_id=new.id, path="table.csv", size=old.size, sha256=sha256(CSV)))
    nodes, edges = seen(still.get(f"/entries/{new.id}/lineage"))
    assert (f"entry:{old.id}", f"run:{run.id}", "kept") in edges and len(nodes) == 4
    below, _ = seen(still.get(f"/entries/{old.id}/lineage"))
    assert f"entry:{new.id}" in below


def test_depth_and_number_of_nodes_are_bounded_and_said(still):
    entry = still.entries["table.csv"]
    for _ in range(5):
        _, (entry,) = done(still, [entry])
    whole = still.get(f"/entries/{entry}/lineage")
    assert len(whole["nodes"]) == 12 and not whole["cut"]
    near = still.get(f"/entries/{entry}/lineage", depth=3)
    assert len(near["nodes"]) == 4 and near["cut"]
    few = still.get(f"/entries/{entry}/lineage", limit=5)
    assert len(few["nodes"]) == 5 and few["cut"]
    for some in (near, few):
        known = {one["key"] for one in some["nodes"]}
        assert all(one["source"] in known and one["target"] in known for one in some["edges"])
    exact = still.get(f"/entries/{entry}/lineage", depth=11)
    assert len(exact["nodes"]) == 12 and not exact["cut"]


def test_the_same_again_is_the_same_bytes(place):
    run = place.run("scan", "table.csv")
    found = place.get(f"/runs/{place.again(run.id).id}/comparison")
    assert found["identical"] is True and found["compared"] == 1 and found["differences"] == []
    assert found["original_id"] == run.id
    answer = place.client.get(f"/runs/{run.id}/comparison", headers=bearer("alice"))
    assert answer.status_code == 409 and "repeats no other run" in answer.json()["detail"]


def test_what_differs_is_said(place):
    run = place.run("table.csv")
    changed = {"table.csv": b"a,b\n9,9\n"}
    newer = add_version(place.context, place.demo, "data-b", {"table.csv": ("table", "table", "csv", changed)})
    other = place.run(newer["table.csv"], script="print(1)", code=0)
    found = compared(place, other, run)
    told = {one["what"]: one["sentence"] for one in found["differences"]}
    assert found["identical"] is False and set(told) == {"input", "argument", "output"}
    assert "“table.csv” of demo/data-b, version 1 instead of “table.csv” of demo/data, version 1" in told["input"]
    assert told["argument"] == 'Argument “Python to run”: "print(1)" instead of "".' and "other bytes" in told["output"]
    write_probe(place.tools, version="1.1")
    failed = place.run("table.csv", code=5)
    found = compared(place, failed, run)
    told = {one["what"]: one["sentence"] for one in found["differences"]}
    assert found["identical"] is None and told["tool"] == "The tool is probe 1.1; it was probe 1.0."
    assert told["exit"] == "It failed with exit code 5; the original succeeded."


def test_the_same_bytes_elsewhere_are_no_difference_and_another_environment_is(place):
    copy = add_version(place.context, place.demo, "copy", {"table.csv": ("table", "table", "csv", {"table.csv": CSV})})
    run, other = place.run("table.csv"), place.run(copy["table.csv"])
    path = place.folder(other.id) / "run.json"
    record = json.loads(path.read_text())
    record["environment"] |= {"digest": "0" * 64, "python": "3.99.0"}
    write_json(path, record)
    found = compared(place, other, run)
    assert found["identical"] is True and [one["what"] for one in found["differences"]] == ["environment", "environment"]
    assert run.environment_digest and run.environment_digest == other.environment_digest


def test_a_comparison_names_nothing_of_a_project_that_one_is_not_in(place):
    far = add_version(place.context, place.alpha, "secret", {"x": ("table", "table", "csv", {"x.csv": b"1"})})
    run, other = place.run("table.csv"), place.run(far["x"])
    text = place.client.get(f"/runs/{other.id}/comparison?with={run.id}", headers=bearer("bob")).text
    assert "secret" not in text and "“an entry” of a dataset of another project" in text
    assert "alpha/secret" in place.client.get(f"/runs/{other.id}/comparison?with={run.id}", headers=bearer("alice")).text
    assert place.client.get(f"/runs/{other.id}/notebook", headers=bearer("bob")).status_code == 403


def test_many_runs_are_looked_through_by_the_database(still):
    """Five thousand runs that have nothing to do with it: no further question, and none of them is read."""
    loaded = []
    _, (made,) = done(still, [still.entries["table.csv"]])
    with statements(still.context.engine) as before:
        seen(still.get(f"/entries/{still.entries['table.csv']}/lineage"))
    with writing(still.context.engine) as session:
        session.execute(delete(File).where(File.sha256 == "none"))
        session.add_all(Run(number=1000 + n, project_id=still.demo, owner="a", kind="tool", title="t", state="failed", reason="x",
                            tool="probe", inputs={"volume": [new_id(), new_id()]}, ended_at=utcnow()) for n in range(5_000))
    event.listen(Run, "load", note := lambda run, _: loaded.append(run.id))
    try:
        with statements(still.context.engine) as asked:
            nodes, _ = seen(still.get(f"/entries/{still.entries['table.csv']}/lineage"))
    finally:
        event.remove(Run, "load", note)
    assert f"entry:{made}" in nodes and len(asked) == len(before) and len(loaded) < 10
