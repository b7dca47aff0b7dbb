"""Batches with the real worker, sandboxes and publisher: forty items of which one breaks, its retry, a cancel, a worker's end."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys

import pytest
from sqlalchemy import select
from support.place import Place
from support.probe import write_probe
from support.service import ALICE
from support.world import ROOT, add_project, add_version, audit_is_whole, make_world, until
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.batches import reading as batches
from voxelhub_service.batches import store, table
from voxelhub_service.database import reading, writing
from voxelhub_service.models import TERMINAL_STATES, Batch, Dataset, DatasetVersion, Entry, File, Run
from voxelhub_service.wire_runs import BatchIn

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (ROOT / ".envs/tool-dicom-to-nifti").exists(), reason="the tool's environment is not installed"),
]
# Writes one row with the input's numbers; what is not a number breaks it, unless a file outside allows it: see `mend`.
SCRIPT = """
a = open(inputs[0]).read().split()[1]
if a == "broken":
    print("::error The volume is empty.")
    sys.exit(1)
open(output + "/values.csv", "w").write(f"value,double\\n{a},{2 * int(a)}\\n")
"""


class Many(Place):
    """A place whose probe needs little, so that several items go on at a time."""

    def __init__(self, folder, count, broken=(), **settings):
        small = {"cpu": 0.25, "memory": 128 * 1024**2, "time": 120, "output": {"base": 1024**2, "per_input_byte": 1}}
        self.context = make_world(folder, tools_dir=str(write_probe(folder / "tools", resources=small)), run_cpus=2, **settings)
        self.project = add_project(self.context)
        self.entries = add_version(self.context, self.project, "data", {
            f"case {n}": ("table", "table", "csv", {f"case-{n}.csv": f"a\n{'broken' if n in broken else n}\n".encode()})
            for n in range(1, count + 1)})
        self.threads = []

    def begin(self, **arguments):
        items = [{"label": name, "inputs": {"volume": [one]}} for name, one in self.entries.items()]
        body = BatchIn(tool="probe", project="demo", title="Values", items=items, arguments={"script": SCRIPT} | arguments)
        with writing(self.context.engine) as session:
            return store.create_batch(self.context, session, ALICE, body, None).id

    def told(self, batch_id):
        with reading(self.context.engine) as session:
            return batches.batches_out(session, [session.get_one(Batch, batch_id)])[0]

    def over(self, batch_id, seconds=300):
        until(lambda: self.told(batch_id).state in TERMINAL_STATES, seconds, step=0.2)
        until(lambda: not list(self.context.settings.runs_dir.glob("*/open")))
        return self.told(batch_id)

    def joined(self, batch_id):
        """The published table as a notebook reads it."""
        with reading(self.context.engine) as session:
            found = table.source(self.context, session, session.get_one(Batch, batch_id))
        assert not isinstance(found, list), "it was not published"
        with found.open(newline="") as file:
            return list(csv.DictReader(file))

    def runs(self, batch_id, kind="tool"):
        with reading(self.context.engine) as session:
            return list(session.scalars(select(Run).where(Run.batch_id == batch_id, Run.kind == kind).order_by(Run.number)))

    def act(self, what, batch_id):
        with writing(self.context.engine) as session:
            return what(self.context, session, ALICE, *store.batch_for(session, ALICE, batch_id))


@pytest.fixture
def many(tmp_path):
    made = []

    def make(count, broken=(), **settings):
        made.append(Many(tmp_path, count, broken, **settings))
        return made[-1]
    yield make
    for place in made:
        place.stop()


def test_forty_items_of_which_one_breaks_then_the_retry_of_that_one_alone(many):
    place = many(40, broken={17})
    batch_id = place.begin()
    place.start()
    batch = place.over(batch_id)
    assert (batch.state, batch.counts) == ("failed", {"failed": 1, "succeeded": 39})
    assert (batch.retryable, batch.table_state) == (1, "succeeded")
    rows = place.joined(batch_id)
    assert [row["item"] for row in rows] == [str(n) for n in range(1, 41)], "a row for each item, in their order"
    assert [row["value"] for row in rows] == ["" if n == 17 else str(n) for n in range(1, 41)]
    assert (rows[16]["state"], rows[16]["reason"], rows[16]["label"]) == ("failed", "The volume is empty.", "case 17")
    assert list(rows[0]) == ["item", "label", "run", "state", "reason", "path", "sha256", "value", "double"]
    with reading(place.context.engine) as session:
        titles = list(session.scalars(select(Dataset.title).where(Dataset.title.startswith("Values"))))
    assert len(titles) == 40 and "Values · case 3" in titles and "Values · joined table" in titles
    place.act(lambda *a: store.retry_batch(*a, None), batch_id)
    again = place.over(batch_id)
    assert (again.state, len(place.runs(batch_id)), len(place.runs(batch_id, "join"))) == ("failed", 41, 2)
    assert place.joined(batch_id)[16]["run"] != rows[16]["run"], "the newest run of the item"
    with reading(place.context.engine) as session:
        numbers = session.scalars(select(DatasetVersion.number).where(DatasetVersion.dataset_id == again.table_dataset_id)).all()
        visible = session.scalars(select(Entry).where(Entry.dataset_id == again.table_dataset_id, Entry.visible.is_(True))).all()
    assert sorted(numbers) == [1, 2] and [one.id for one in visible] == [again.table_entry_id]
    assert (visible[0].kind, visible[0].name) == ("table", "Values.csv")
    assert place.findings() == [] and audit_is_whole(place.context)


def test_the_join_says_what_it_was_made_of(many):
    place = many(3, broken={2})
    batch_id = place.begin()
    place.start()
    place.over(batch_id)
    (join,) = place.runs(batch_id, "join")
    record = json.loads((place.folder(join.id) / "run.json").read_text())
    items = place.runs(batch_id)
    assert [(one["item"], one["run"], one["state"]) for one in record["batch"]["items"]] == [
        (run.batch_item, run.id, run.state) for run in items]
    with reading(place.context.engine) as session:
        made = {one.id: one for one in session.scalars(select(Entry).where(Entry.id.in_(join.inputs["tables"])))}
        digests = {one.entry_id: one.sha256 for one in session.scalars(select(File).where(File.entry_id.in_(made)))}
    assert [one["entry"] for one in record["inputs"]["tables"]] == join.inputs["tables"] and len(made) == 4
    assert {one["entry"]: one["files"][0]["sha256"] for one in record["inputs"]["tables"]} == digests
    assert record["state"] == "succeeded" and record["isolation"] is True and not (place.folder(join.id) / "inputs").exists()
    assert str(place.context.settings.state_dir) not in json.dumps(record)


def test_cancel_in_the_middle_leaves_what_is_done_and_a_table_of_it(many):
    place = many(12, run_slots=2)
    batch_id = place.begin(sleep=0.4)
    place.start()
    until(lambda: place.told(batch_id).counts.get("succeeded", 0) >= 2)
    place.act(store.cancel_batch, batch_id)
    batch = place.over(batch_id)
    done = batch.counts["succeeded"]
    assert batch.state == "cancelled" and batch.counts == {"succeeded": done, "cancelled": 12 - done} and 2 <= done < 12
    rows = place.joined(batch_id)
    assert len(rows) == 12 and sum(row["value"] != "" for row in rows) == done
    place.act(lambda *a: store.retry_batch(*a, None), batch_id)
    assert place.over(batch_id).counts == {"succeeded": 12} and all(row["value"] for row in place.joined(batch_id))
    assert place.findings() == []


def test_a_batch_survives_its_worker(many):
    place = many(10)
    settings = place.context.settings
    environ = {**os.environ, "VOXELHUB_STATE_DIR": str(settings.state_dir), "VOXELHUB_ENVS_DIR": str(settings.envs_dir),
               "VOXELHUB_TOOLS_DIR": settings.tools_dir, "VOXELHUB_RUN_CPUS": "2"}
    process = subprocess.Popen([sys.executable, "-m", "voxelhub_service.runs.worker"], env=environ)
    batch_id = place.begin(sleep=0.3)
    until(lambda: place.told(batch_id).counts.get("succeeded", 0) >= 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    place.start()
    assert place.over(batch_id).counts == {"succeeded": 10} and len(place.runs(batch_id, "join")) == 1
    assert [row["double"] for row in place.joined(batch_id)] == [str(2 * n) for n in range(1, 11)]
    assert all(len(list(place.folder(run.id).glob("claim-*"))) == 1 for run in place.runs(batch_id)), "no item ran twice"
    assert place.findings() == []


def test_a_waiting_run_says_why_and_a_single_one_is_not_kept_waiting_by_a_batch(many):
    place = many(6, run_slots=1)
    batch_id = place.begin(sleep=0.5)
    place.start()
    until(lambda: place.told(batch_id).counts.get("running"))
    with writing(place.context.engine) as session:
        for run in session.scalars(select(Run).where(Run.batch_id == batch_id)):
            run.owner = "bob"
    single = place.submit("case 1", sleep=0)
    until(lambda: any("before it." in run.reason for run in place.runs(batch_id)))
    place.end(single)
    ended = [run for run in place.runs(batch_id) if run.state == "succeeded"]
    assert len(ended) <= 3, "it began as soon as there was a place"
    place.over(batch_id)


def test_without_isolation_tables_are_joined_too(many):
    place = many(2, isolation=False)
    batch_id = place.begin()
    place.start()
    assert place.over(batch_id).state == "succeeded" and [row["value"] for row in place.joined(batch_id)] == ["1", "2"]
