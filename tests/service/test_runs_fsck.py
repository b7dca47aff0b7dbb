"""`voxelhub fsck` of runs: each defect that is planted is found, and nothing else."""

import os
import signal
import time
from datetime import timedelta

import pytest
from support.world import add_project, add_version, make_world
from voxelhub_service.database import writing
from voxelhub_service.executors.base import Job
from voxelhub_service.executors.local import LocalExecutor
from voxelhub_service.models import Batch, DatasetVersion, Lease, Run, RunCounter, utcnow
from voxelhub_service.runs import fsck
from voxelhub_service.runs.store import next_number


class Here:
    def __init__(self, folder):
        self.context = make_world(folder)
        self.project = add_project(self.context)
        add_version(self.context, self.project, "data", {"t.csv": ("table", "table", "csv", {"t.csv": b"1"})})
        self.executor = LocalExecutor(self.context.settings.runs_dir)

    def run(self, state, **values):
        with writing(self.context.engine) as session:
            number = next_number(session, self.project)
            run = Run(number=number, project_id=self.project, owner="alice", kind="tool", title="T", state=state,
                      started_at=utcnow() - timedelta(hours=1), **values)
            session.add(run)
            session.flush()
            return run.id

    def worker(self):
        with writing(self.context.engine) as session:
            session.merge(Lease(name="worker", holder="{}", expires_at=utcnow() + timedelta(minutes=1)))

    def carry(self, run_id):
        """A real supervisor for the run."""
        outputs = self.context.settings.runs_dir / run_id / "outputs"
        outputs.mkdir(parents=True)
        self.executor.prepare(run_id, Job(["sleep", "60"], {"PATH": "/usr/bin:/bin"}, str(outputs), str(outputs), mode="bare"))
        self.executor.submit(run_id)
        deadline = time.monotonic() + 120
        while self.executor.observe(run_id).process != "running":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self.executor.folder(run_id)

    def findings(self):
        return [finding for check in fsck.CHECKS for finding in check.run(self.context, True)]


@pytest.fixture
def here(tmp_path):
    here = Here(tmp_path)
    assert here.findings() == []
    yield here
    here.executor.shutdown()


def only(here, part):
    (finding,) = here.findings()
    assert part in finding.sentence, finding.sentence
    return finding


def test_waiting_is_no_defect(here):
    here.run("queued")
    here.run("running")
    assert here.findings() == [], "without a worker, runs wait for one"


def test_a_run_that_nobody_carries(here):
    here.run("running")
    here.worker()
    only(here, "nobody carries it")


def test_a_supervisor_that_hangs(here):
    folder = here.carry(here.run("running"))
    here.worker()
    assert here.findings() == []
    os.kill(folder.claimant(1)["pid"], signal.SIGSTOP)
    os.utime(folder.status, (time.time() - 120, time.time() - 120))
    only(here, "has said nothing for a minute")
    os.kill(folder.claimant(1)["pid"], signal.SIGCONT)


def test_a_supervisor_of_an_ended_run_is_ended_by_repair(here):
    run_id = here.run("failed", reason="It broke.", ended_at=utcnow())
    folder = here.carry(run_id)
    finding = only(here, "A supervisor still works")
    assert finding.repair() and here.executor.observe(run_id).process == "ended"
    assert folder.cancel.exists() and here.findings() == []


def test_a_folder_without_a_run(here):
    stray = here.context.settings.runs_dir / ("f" * 32)
    stray.mkdir()
    assert only(here, "without a run").repair() and not stray.exists() and here.findings() == []


def test_a_record_that_cannot_be_read(here):
    folder = here.context.settings.runs_dir / here.run("cancelled", reason="Cancelled.", ended_at=utcnow())
    folder.mkdir()
    (folder / "run.json").write_text("{")
    only(here, "cannot be read")


def test_success_without_result_and_result_without_success(here):
    here.run("succeeded", ended_at=utcnow())
    only(here, "has succeeded and yet has no dataset version")


@pytest.mark.parametrize("state", ["failed", "running"])
def test_a_version_of_a_run_that_did_not_succeed(here, state):
    run_id = here.run(state, reason="It broke.", ended_at=utcnow() if state == "failed" else None)
    with writing(here.context.engine) as session:
        version = session.query(DatasetVersion).one()
        before, version.run_id = version.run_id, run_id
        session.get_one(Run, before).output_version_id = None
        session.get_one(Run, before).state = "failed"
        session.get_one(Run, before).reason = "It broke."
    only(here, f"is {state} and yet has a dataset version")


def test_an_end_without_reason(here):
    here.run("failed", ended_at=utcnow())
    only(here, "without saying when or why")


def test_a_number_that_could_be_given_twice(here):
    with writing(here.context.engine) as session:
        session.get_one(RunCounter, here.project).next_number = 1
    only(here, "was given already")


def a_batch(here, *states, joined=0, items=None):
    """Only its runs' states count here; they have made nothing."""
    with writing(here.context.engine) as session:
        batch = Batch(project_id=here.project, owner="alice", title="B", tool="probe", tool_version="1", tool_digest="0" * 64,
                      items=[{"label": str(n), "inputs": {}} for n in range(items or len(states))], joined=joined)
        session.add(batch)
        session.flush()
        batch_id = batch.id
    for number, state in enumerate(states, 1):
        here.run(state, batch_id=batch_id, batch_item=number, reason="Why.", ended_at=utcnow())
    return batch_id


def about_batches(here):
    return fsck.batches(here.context, True)


def test_a_batch_on_its_way_and_one_that_failed_altogether_are_whole(here):
    a_batch(here, "running", "succeeded")
    a_batch(here, "failed", "cancelled")
    assert about_batches(here) == []


def test_a_batch_without_its_runs(here):
    a_batch(here, "running", items=3)
    (finding,) = about_batches(here)
    assert "has 3 items and runs for 1 of them" in finding.sentence


def test_a_table_that_nobody_makes_is_made_by_repair(here):
    batch = a_batch(here, "succeeded", "failed")
    (finding,) = about_batches(here)
    assert "nothing makes their table" in finding.sentence and "makes it" in finding.repair()
    assert about_batches(here) == []
    with writing(here.context.engine) as session:
        assert session.get_one(Batch, batch).joined == 1


def test_a_table_that_is_made_twice(here):
    batch = a_batch(here, "succeeded", joined=1)
    for _ in range(2):
        here.run("running", batch_id=batch)
    with writing(here.context.engine) as session:
        for run in session.query(Run).filter_by(batch_id=batch, batch_item=None):
            run.kind = "join"
    sentences = [finding.sentence for finding in about_batches(here)]
    assert len(sentences) == 2 and "was joined 1 times and has 2 runs for its table" in sentences[0]
    assert "2 tables of the same items" in sentences[1]
