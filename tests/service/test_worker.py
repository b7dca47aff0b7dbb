"""The worker with its real executor, real sandboxes and the real publisher: what happens to a run, and what is left of it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import select
from support import databases
from support.place import CSV, Place
from support.world import ROOT, audit_is_whole, run_row, sha256, until, versions_of
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading, writing
from voxelhub_service.models import TERMINAL_STATES, AuditEvent, Dataset, Entry, Event, Lease, Reservation, Run, utcnow
from voxelhub_service.runs import publishing, reconciler
from voxelhub_service.runs.worker import Worker

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (ROOT / ".envs/tool-dicom-to-nifti").exists(), reason="the tool's environment is not installed"),
]


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.stop()


def test_from_a_selection_to_a_dataset(place):
    place.start()
    run = place.end(place.submit("scan", "table.csv"))
    assert (run.state, run.reason, run.exit_code, run.progress) == ("succeeded", "", 0, 1.0)
    (version,) = versions_of(place.context, run.id)
    assert version.id == run.output_version_id
    with reading(place.context.engine) as session:
        (entry,) = session.scalars(select(Entry).where(Entry.version_id == version.id))
        dataset = session.get_one(Dataset, version.dataset_id)
        assert session.scalar(select(Reservation).where(Reservation.holder == f"run:{run.id}")) is None
    assert (entry.data_type, entry.file_format, entry.execution) == ("table", "csv", "run002")
    assert dataset.title == "Probe run002" and dataset.created_by == "alice"
    made = (place.context.settings.projects_dir / "demo" / dataset.name / "v1" / "result.csv").read_text()
    assert made.splitlines()[1:] == [
        f"volume/1-scan/1.dcm,{sha256(b'one')}", f"volume/1-scan/2.dcm,{sha256(b'two')}", f"volume/2-table.csv,{sha256(CSV)}"]
    assert audit_is_whole(place.context) and place.findings() == []


def test_what_arrived_makes_room_for_the_end_of_a_run_on_a_full_disk(place, monkeypatch):
    """The disk stays full until the run's inputs are gone; it is closed all the same, by the worker that runs."""
    real = reconciler.write_json

    def full(path, record):
        if record.get("state") in TERMINAL_STATES and (path.parent / "inputs").exists():
            raise OSError(28, "No space left on device")
        real(path, record)

    monkeypatch.setattr(reconciler, "write_json", full)
    place.start()
    run = place.end(place.submit("scan", "table.csv"))
    until(lambda: json.loads((place.folder(run.id) / "run.json").read_text()).get("state") == "succeeded")
    until(lambda: place.findings() == [])


def test_the_run_folder_says_what_happened(place):
    place.start()
    run = place.end(place.submit("table.csv", code=0))
    folder = place.folder(run.id)
    record = json.loads((folder / "run.json").read_text())
    (given,) = record["inputs"]["volume"]
    assert given["files"] == [{"path": "table.csv", "size": len(CSV), "sha256": sha256(CSV)}] and given["version_digest"]
    assert record["tool"] == {"name": "probe", "version": "1.0", "digest": run.tool_digest, "title": "Probe"}
    assert record["arguments"] == {"sleep": 0, "code": 0, "script": ""} and record["resources"]["cpu"] == 1
    assert (record["state"], record["exit_code"], record["attempts"]) == ("succeeded", 0, 1)
    assert record["started_at"] <= record["ended_at"] and record["limits_by"] and record["result"]["version"] == 1
    assert (folder / "log.txt").read_text() == "begins\nends\n" and (folder / "outputs/result.csv").exists()
    assert not (folder / "inputs").exists()
    assert str(place.context.settings.state_dir) not in json.dumps(record)


@pytest.mark.parametrize(("arguments", "state", "part"), [
    ({"code": 3}, "failed", "ended with code 3"),
    ({"script": "print('::error The volume is empty.'); sys.exit(1)"}, "failed", "The volume is empty."),
    ({"script": "sys.exit(0)"}, "failed", "ended without writing “Table”"),
    ({"script": "open(output + '/big.csv', 'wb').write(bytes(40 << 20)); time.sleep(60)"}, "failed", "wrote more than"),
    ({"script": "x = bytearray(400 << 20); time.sleep(60)"}, "failed", "more memory than"),
    ({"script": "open(os.fsencode(output) + b'/\\xff.csv', 'w')"}, "failed", "no catalogue can keep"),
    ({"script": "os.symlink('/etc/passwd', output + '/x.csv'); sys.exit(0)"}, "failed", "ended without writing “Table”"),
    ({"script": "open(inputs[0], 'a')"}, "failed", "ended with code 1"),
    ({"script": "import socket; socket.create_connection(('127.0.0.1', 1), 1)"}, "failed", "ended with code 1"),
])
def test_how_a_tool_can_fail(place, arguments, state, part):
    place.start()
    run = place.end(place.submit(**arguments))
    assert run.state == state and part in run.reason, run.reason
    assert versions_of(place.context, run.id) == [] and place.findings() == []
    with reading(place.context.engine) as session:
        assert session.scalar(select(Reservation).where(Reservation.holder == f"run:{run.id}")) is None
        last = session.scalars(select(AuditEvent).where(
            AuditEvent.resource == f"run:{run.id}").order_by(AuditEvent.seq.desc())).first()
    assert (last.action, last.outcome, last.resource) == ("run.end", "failure", f"run:{run.id}")


def test_a_published_input_stays_as_it_was(place):
    place.start()
    path = place.context.settings.projects_dir / "demo/data/v1/table.csv"
    place.end(place.submit(script="os.chmod(inputs[0], 0o777)"))
    assert path.read_bytes() == CSV


@pytest.mark.parametrize("when", ["queued", "staging_in", "running", "staging_out"])
def test_cancel_in_each_state(place, when, monkeypatch):
    hold = threading.Event()
    if when == "staging_in":
        real = reconciler.staging.stage_in
        monkeypatch.setattr(reconciler.staging, "stage_in", lambda *a: (hold.wait(300), real(*a)))
    if when == "staging_out":
        real_publish = publishing.publish
        monkeypatch.setattr(publishing, "publish", lambda *a, **k: (hold.wait(300), real_publish(*a, **k)))
    if when != "queued":
        place.start()
    run_id = place.submit(sleep=60 if when == "running" else 0)
    until(lambda: place.state(run_id) == when)
    if when == "running":
        until(lambda: run_row(place.context, run_id).progress_text == "sleeping")
    place.cancel(run_id)
    hold.set()
    if when == "queued":
        place.start()
    run = place.end(run_id)
    assert run.state == "cancelled" and run.reason.startswith("Cancelled")
    assert versions_of(place.context, run_id) == [] and place.findings() == []
    assert not list((place.context.settings.projects_dir / "demo").glob("probe*"))


def test_slots_bound_what_runs_at_once(tmp_path):
    place = Place(tmp_path, run_slots=2)
    try:
        runs = [place.submit(sleep=1) for _ in range(5)]
        place.start()
        most = 0
        while not all(place.state(one) in TERMINAL_STATES for one in runs):
            most = max(most, sum(place.state(one) in ("staging_in", "running") for one in runs))
            time.sleep(0.05)
        assert most == 2 and {place.state(one) for one in runs} == {"succeeded"}
        rows = [run_row(place.context, one) for one in runs]
        assert sorted(rows, key=lambda row: row.started_at) == sorted(rows, key=lambda row: row.number)
    finally:
        place.stop()


def test_a_second_worker_waits_and_takes_over(place):
    first = place.start()
    until(lambda: first.reconciler is not None and _holder(place) == first.lease.holder)
    second = Worker(place.context)
    second.lease.holder = json.dumps({"host": "elsewhere", "pid": 1, "start": 1})
    thread = threading.Thread(target=second.run)
    place.threads.append((second, thread))
    thread.start()
    run_id = place.submit(sleep=2)
    until(lambda: place.state(run_id) == "running")
    assert _holder(place) == first.lease.holder
    first.stop()
    until(lambda: _holder(place) == second.lease.holder)
    assert place.end(run_id).state == "succeeded" and len(versions_of(place.context, run_id)) == 1


def test_who_lost_the_lease_writes_nothing_more(place):
    worker = place.start()
    run_id = place.submit(sleep=100)
    until(lambda: place.state(run_id) == "running")
    with writing(place.context.engine) as session:
        session.get_one(Lease, "worker").holder = json.dumps({"host": "elsewhere", "pid": 1, "start": 1})
    until(lambda: not place.threads[0][1].is_alive())
    assert worker.lost.is_set() and place.state(run_id) == "running"


def _holder(place) -> str | None:
    with reading(place.context.engine) as session:
        lease = session.get(Lease, "worker")
        return lease.holder if lease else None


def test_progress_and_log_are_told_while_it_runs(place):
    place.start()
    run_id = place.submit(sleep=2, script="print('half way', flush=True)")
    place.end(run_id)
    with reading(place.context.engine) as session:
        told = [event.payload for event in session.scalars(select(Event).where(Event.subject == run_id).order_by(Event.id))]
    states = list(dict.fromkeys(one["state"] for one in told))
    assert states == ["queued", "staging_in", "running", "staging_out", "succeeded"]
    assert any(0 < one["progress"] < 1 and one["progress_text"] == "sleeping" for one in told)
    assert any(one.get("log", 0) > 0 for one in told if one["state"] == "running")


def test_each_version_that_is_handed_over_is_audited(place):
    place.start()
    run_id = place.submit("scan", "other")
    place.end(run_id)
    with reading(place.context.engine) as session:
        records = session.scalars(select(AuditEvent).where(AuditEvent.detail["to"].as_string() == f"run:{run_id}")).all()
        actions = list(session.scalars(select(AuditEvent.action).where(AuditEvent.resource == f"run:{run_id}")))
    assert [one.action for one in records] == ["version.grant"]  # two entries, one version
    assert records[0].actor == "alice" and records[0].detail["dataset"] == "demo/data"
    assert actions == ["run.create", "run.end"]


def test_a_deleted_input_or_a_changed_tool_is_said(place):
    first, second = place.submit("table.csv"), place.submit("scan")
    (place.context.settings.projects_dir / "demo/data/v1/table.csv").unlink()
    place.start()
    assert "missing from the storage" in place.end(first).reason
    assert place.end(second).state == "succeeded"
    third = place.submit("scan", sleep=0)
    with writing(place.context.engine) as session:
        session.get_one(Run, third).tool_digest = "0" * 64
    assert "changed or removed" in place.end(third).reason


def test_a_run_survives_its_worker(place):
    settings = place.context.settings
    environ = {**os.environ, **databases.environ(settings), "VOXELHUB_ENVS_DIR": str(settings.envs_dir),
               "VOXELHUB_TOOLS_DIR": settings.tools_dir}
    process = subprocess.Popen([sys.executable, "-m", "voxelhub_service.runs.worker"], env=environ)
    run_id = place.submit(sleep=3)
    until(lambda: place.state(run_id) == "running")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with writing(place.context.engine) as session:  # a dead holder on this machine need not expire
        session.get_one(Lease, "worker").expires_at = utcnow() + timedelta(hours=1)
    place.start()
    assert place.end(run_id).state == "succeeded"
    assert len(list(place.folder(run_id).glob("claim-*"))) == 1 and len(versions_of(place.context, run_id)) == 1
    assert place.findings() == []


def test_without_isolation_it_works_too(tmp_path):
    place = Place(tmp_path, isolation=False)
    try:
        place.start()
        run = place.end(place.submit("scan"))
        assert run.state == "succeeded", run.reason
        assert json.loads((place.folder(run.id) / "run.json").read_text())["isolation"] is False
    finally:
        place.stop()
