"""SIGKILL to each process of the service at each named commit point and in each state of a run, and at random.

Real processes: uvicorn with the real application (a table of tokens stands in for hub and Keycloak), the worker, supervisors,
bubblewrap, import child and a tool. After each kill the client goes on as a client does; then the run has ended once, with
its reason, its result is there once or not at all, and `voxelhub fsck --deep` has no finding.

`KILLS=50 SEED=1 pytest -m slow tests/faults/test_kills.py` is the long form; it writes docs/measured/kills.md.
"""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update
from support.batching import ENTRIES, ITEMS, BatchJourney, journey_of
from support.fleet import Fleet
from support.journeys import Journey, going
from support.registering import Registration
from support.world import ROOT, add_project, add_version, run_row, until
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.checkpoints import NAMES
from voxelhub_service.database import reading, writing
from voxelhub_service.models import Project, Run

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (ROOT / ".envs/tool-dicom-to-nifti").exists(), reason="the tool's environment is not installed"),
]
FAILS = "ended unexpectedly"


@dataclass(frozen=True)
class Kill:
    """`at`: a named commit point, or the state of the run in which `process` is killed directly."""

    process: str
    at: str
    state: str
    journeys: tuple[str, ...] = ("upload", "tool")
    tool_ends: str = "succeeded"


BOTH, UPLOAD, TOOL = ("upload", "tool"), ("upload",), ("tool",)
CLINICAL, URL, RELEASE = ("clinical",), ("url",), ("release",)
REGISTRATION, BATCH = ("registration",), ("batch",)
KINDS = (*BOTH, *CLINICAL, *URL, *RELEASE, *REGISTRATION, *BATCH)
POINTS = [
    Kill("api", "upload.created", "open", UPLOAD),
    Kill("api", "upload.bytes_written", "open", UPLOAD),
    Kill("api", "upload.bytes_synced", "open", UPLOAD),
    Kill("api", "upload.offset_committed", "open", UPLOAD),
    Kill("api", "upload.completed", "queued", UPLOAD),
    Kill("api", "run.created", "queued", TOOL),
    Kill("import", "fetch.bytes_written", "running", URL),
    Kill("import", "fetch.complete", "running", URL),
    Kill("import", "import.unpacked", "running", UPLOAD + CLINICAL),
    Kill("import", "import.cleaned", "running", UPLOAD + CLINICAL),
    Kill("import", "import.staged", "running", UPLOAD + CLINICAL + RELEASE),
    Kill("worker", "run.staged_in", "staging_in"),
    Kill("worker", "run.submitted", "staging_in"),
    Kill("worker", "run.running", "running"),
    Kill("worker", "run.ended", "running"),
    Kill("worker", "run.staging_out", "staging_out"),
    Kill("worker", "publish.hashed", "staging_out"),
    Kill("worker", "publish.renamed", "staging_out", BOTH + BATCH),
    Kill("worker", "publish.registered", "succeeded", BOTH + CLINICAL + RELEASE),
    Kill("worker", "quarantine.placed", "staging_out", CLINICAL),
    Kill("api", "release.created", "queued", RELEASE),
    Kill("worker", "run.finished", "succeeded", BOTH + BATCH),
    Kill("supervisor", "supervisor.started", "running", BOTH + BATCH, "failed"),
    Kill("supervisor", "supervisor.tool_started", "running", BOTH + BATCH, "failed"),
    Kill("supervisor", "supervisor.tool_ended", "running", BOTH + BATCH, "failed"),
    Kill("api", "batch.created", "queued", BATCH),
    Kill("api", "batch.retried", "queued", BATCH),
    Kill("worker", "join.staged_in", "staging_in", BATCH),
    Kill("worker", "join.publishing", "staging_out", BATCH),
    Kill("worker", "join.renamed", "staging_out", BATCH),
    Kill("worker", "join.published", "succeeded", BATCH),
    Kill("api", "tool.placed", "no run", REGISTRATION),
    Kill("api", "tool.submitted", "no run", REGISTRATION),
    Kill("api", "tool.decided", "no run", REGISTRATION),
]
DIRECT = [
    Kill("api", "queued", "queued", TOOL),
    Kill("worker", "queued", "queued", TOOL),
    Kill("api", "running", "running", TOOL),
    Kill("worker", "running", "running", TOOL),
    Kill("supervisor", "running", "running", TOOL, "failed"),
    Kill("tool", "running", "running", TOOL, "failed"),
]
STATES = ("open", "queued", "staging_in", "running", "staging_out", "succeeded")
PROCESSES = ("api", "worker", "supervisor", "import", "tool")
# Where a process takes no part in a state, or does not exist in it. Every other cell must hold an outcome.
NOT_THERE = {
    ("worker", "open"): "takes no part", **{("supervisor", s): "no such process" for s in STATES if s != "running"},
    **{("import", s): "no such process" for s in STATES if s != "running"},
    **{("tool", s): "no such process" for s in STATES if s != "running"},
    **{("api", s): "takes no part" for s in ("staging_in", "staging_out", "succeeded")},
}
outcomes: list[tuple[Kill, str, str, str]] = []  # kill, journey, end state, reason


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("fleet")) as fleet:
        fleet.project = add_project(fleet.context, "alpha")
        fleet.entries = add_version(fleet.context, fleet.project, "data", {
            "table.csv": ("table", "table", "csv", {"table.csv": b"a,b\n1,2\n"}), **ENTRIES})
        until(lambda: not going(fleet), 120)  # the demonstration dataset comes in at the first start
        with writing(fleet.context.engine) as session:
            session.execute(update(Project).where(Project.name == "demo").values(open=False))
        yield fleet


@pytest.fixture(autouse=True)
def logs_for_a_failure(fleet):
    yield
    for path in fleet.logs.iterdir():
        print(f"--- {path.name}\n{path.read_text()[-3000:]}")


def expectation(kill: Kill, journey: str) -> str:
    return kill.tool_ends if journey == "tool" else "succeeded"


CASES = [(kill, journey) for kill in POINTS for journey in kill.journeys]
RUNS = [case for case in CASES if case[1] != "registration"]
SEED = int(os.environ.get("SEED", "20261125"))
# Of each point one journey, which the seed chooses; the storm takes all of them.
CHOSEN = [(kill, random.Random(f"{SEED} {kill.at}").choice(kill.journeys)) for kill in POINTS]
CHOSEN = [case for case in CHOSEN if case in RUNS]


@pytest.mark.parametrize(("kill", "journey"), CHOSEN, ids=[f"{kill.at}-{journey}" for kill, journey in CHOSEN])
def test_at_each_commit_point(fleet, kill, journey):
    one = journey_of(fleet, journey, f"{kill.at} {journey}", 1.0)
    fleet.arm(kill.at)
    run = one.walk()
    assert fleet.disarm(), f"{kill.at} was not reached"
    if kill.process in ("api", "worker"):
        until(lambda: fleet.deaths and fleet.deaths.pop() == kill.process)
    one.check(run, expectation(kill, journey))
    outcomes.append((kill, journey, run.state, run.reason))


REGISTERING = [kill for kill in POINTS if kill.journeys == REGISTRATION]


@pytest.mark.parametrize("kill", REGISTERING, ids=[f"{kill.at}-registration" for kill in REGISTERING])
def test_a_tool_is_registered_once(fleet, kill):
    one = Registration(fleet, kill.at.replace(".", "-"))
    fleet.arm(kill.at)
    state = one.walk()
    assert fleet.disarm(), f"{kill.at} was not reached"
    until(lambda: fleet.deaths and fleet.deaths.pop() == kill.process)
    one.check()
    outcomes.append((kill, "registration", state, ""))


@pytest.mark.parametrize("kill", DIRECT, ids=[f"{kill.process}-{kill.state}" for kill in DIRECT])
def test_in_each_state(fleet, kill):
    others = []
    if kill.state == "queued":  # both slots are taken, so that it stays queued
        others = [Journey(fleet, "tool", f"busy {i} {kill.process}", sleep=8.0) for i in range(2)]
        for other in others:
            other.run_id = other._tool()
        until(lambda: all(run_row(fleet.context, other.run_id).state == "running" for other in others))
    one = Journey(fleet, "tool", f"{kill.process} {kill.state}", sleep=2.0)
    one.run_id = one._tool()
    until(lambda: run_row(fleet.context, one.run_id).state == kill.state)
    if kill.state == "running":
        until(lambda: run_row(fleet.context, one.run_id).progress_text == "sleeping")
    assert fleet.kill(kill.process, one.run_id)
    run = one.walk()
    for other in others:
        other.check(other.walk(), "succeeded")
    one.check(run, kill.tool_ends)
    assert run.state == "succeeded" or FAILS in run.reason or "ended" in run.reason
    outcomes.append((kill, "tool", run.state, run.reason))


def test_a_batch_whose_tool_is_killed(fleet):
    """That item fails, and is tried again with the one that always does."""
    one, over = BatchJourney(fleet, "batch", "a killed tool", 2.0), threading.Event()

    def strike() -> None:
        mine = select(Run.id).where(Run.output_dataset == f"{one.name} · {ITEMS[0]}", Run.progress_text == "sleeping")
        while not over.wait(0.1):
            with reading(fleet.context.engine) as session:
                run_id = session.scalar(mine)
            if run_id and fleet.kill("tool", run_id):
                return

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        run = one.walk()
    finally:
        over.set()
        thread.join()
    one.check(run, "succeeded")
    assert [item.batch_item for item in one.runs("tool")] == [1, 2, 3, 1, 2]


def test_each_named_point_has_its_kill(capsys):
    if not outcomes:
        pytest.skip("the kills above were not selected")
    theirs = {name for name in NAMES if name.startswith("cluster.")}  # tests/faults/test_clusters.py
    assert {kill.at for kill in POINTS} == set(NAMES) - theirs, "each named commit point has its kill"
    text = table()
    with capsys.disabled():
        print(f"\n{text.replace('EMPTY', 'in make soak')}")


def table() -> str:
    """kill × state, in Markdown: what became of the run."""
    lines = ["| killed | " + " | ".join(STATES) + " |", "|---" * (len(STATES) + 1) + "|"]
    for process in PROCESSES:
        cells = []
        for state in STATES:
            ends = [f"{journey}: {end}" for kill, journey, end, _ in outcomes if (kill.process, kill.state) == (process, state)]
            counted = [f"{ends.count(one)} × {one}" for one in sorted(set(ends))]
            cells.append(", ".join(counted) or NOT_THERE.get((process, state), "EMPTY"))
        lines.append(f"| {process} | " + " | ".join(cells) + " |")
    lines += ["", "| commit point | killed | run's state | " + " | ".join(f"{kind} ends" for kind in KINDS) + " |",
              "|---" * (3 + len(KINDS)) + "|"]
    for kill in POINTS:
        ends = {journey: f"{end}{f' ({reason})' if reason else ''}" for one, journey, end, reason in outcomes if one == kill}
        cells = [ends.get(journey, "EMPTY" if journey in kill.journeys else "not tried") for journey in KINDS]
        lines.append(f"| {kill.at} | {kill.process} | {kill.state} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def storm(fleet: Fleet, count: int, seed: int) -> list[str]:
    """Journeys with one kill each, at a random time of a random process; a line for each."""
    dice, lines = random.Random(seed), []
    for number in range(count):
        kind, process = BOTH[number % 2], dice.choice(("api", "worker", "supervisor", "tool"))
        one = Journey(fleet, kind, f"storm {seed} {number}", sleep=dice.uniform(0.2, 2.0))
        delay, found = dice.uniform(0.0, 3.0), []
        over = threading.Event()

        def strike(one=one, process=process, delay=delay, found=found, over=over) -> None:
            deadline = time.monotonic() + delay
            while not over.wait(0.01):
                run_id = one.run_id or newest_run(fleet, one.name)
                ready = process in fleet.processes or run_id is not None
                if time.monotonic() >= deadline and ready and fleet.kill(process, run_id):
                    found.append(run_row(fleet.context, run_id).state if run_id else "open")
                    return

        thread = threading.Thread(target=strike)
        thread.start()
        try:
            run = one.walk()
        finally:
            over.set()
            thread.join()
        tool_died = kind == "tool" and process in ("supervisor", "tool") and found
        one.check(run, None if tool_died or process == "tool" else "succeeded")
        was = found[0] if found else "too late"
        lines.append(f"| {number} | {kind} | {process} | {delay:.2f} s | {was} | {run.state} | {run.reason} |")
    return lines


def newest_run(fleet: Fleet, name: str) -> str | None:
    with reading(fleet.context.engine) as session:
        return session.scalar(select(Run.id).where(Run.output_dataset == name))


HEAD = "| # | journey | killed | after | run was | ends | reason |\n|---|---|---|---|---|---|---|\n"


def test_seeded_random_kills(fleet, capsys):
    lines = storm(fleet, int(os.environ.get("KILLS", "6")), SEED)
    with capsys.disabled():
        print("\n" + HEAD + "\n".join(lines))


@pytest.mark.slow
def test_a_storm_of_random_kills(fleet):
    """After the table of the named points, fifty random kills; both are kept in docs/measured/kills.md."""
    for kill, journey in RUNS:
        test_at_each_commit_point(fleet, kill, journey)
    for kill in REGISTERING:
        test_a_tool_is_registered_once(fleet, kill)
    for kill in DIRECT:
        test_in_each_state(fleet, kill)
    started = time.monotonic()
    lines = storm(fleet, int(os.environ.get("KILLS", "50")), SEED)
    assert "EMPTY" not in table()
    target = ROOT / "docs" / "measured" / "kills.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join([
        f"# Kills\n\n`make soak`, {datetime.now(UTC):%Y-%m-%d}: SIGKILL, then the client goes on. After each, `fsck --deep`",
        "finds nothing, the run has ended once, and its result is there once or not at all.\n",
        f"## At each commit point, in each state\n\n{table()}\n",
        f"## {len(lines)} random kills, seed {SEED}, {time.monotonic() - started:.0f} s\n\n{HEAD}" + "\n".join(lines), ""]))
