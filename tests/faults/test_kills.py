"""SIGKILL to each process of the service at each named commit point and in each state of a run, and at random.

Real processes: uvicorn with the real application (a table of tokens stands in for hub and Keycloak), the worker, supervisors,
bubblewrap, import child and a tool. After each kill the client goes on as a client does; then the run has ended once, with
its reason, its result is there once or not at all, and `voxelhub fsck --deep` has no finding.

`KILLS=50 SEED=1 pytest -m slow tests/faults/test_kills.py` is the long form; it writes docs/measured/kills.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select, update
from support.fleet import Fleet
from support.world import ROOT, add_project, add_version, run_row, until, versions_of
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.checkpoints import NAMES
from voxelhub_service.database import reading, writing
from voxelhub_service.fsck.registry import checks
from voxelhub_service.models import TERMINAL_STATES, AuditEvent, Dataset, File, Project, QuarantineItem, Run, Upload

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (ROOT / ".envs/tool-dicom-to-nifti").exists(), reason="the tool's environment is not installed"),
]
CHUNK = 256 * 1024
NAME = "PLANTED^KILL"
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
KINDS = (*BOTH, *CLINICAL, *URL, *RELEASE)
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
    Kill("worker", "publish.renamed", "staging_out"),
    Kill("worker", "publish.registered", "succeeded", BOTH + CLINICAL + RELEASE),
    Kill("worker", "quarantine.placed", "staging_out", CLINICAL),
    Kill("api", "release.created", "queued", RELEASE),
    Kill("worker", "run.finished", "succeeded"),
    Kill("supervisor", "supervisor.started", "running", BOTH, "failed"),
    Kill("supervisor", "supervisor.tool_started", "running", BOTH, "failed"),
    Kill("supervisor", "supervisor.tool_ended", "running", BOTH, "failed"),
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
            "table.csv": ("table", "table", "csv", {"table.csv": b"a,b\n1,2\n"})})
        until(lambda: not going(fleet), 120)  # the demonstration dataset comes in at the first start
        with writing(fleet.context.engine) as session:
            session.execute(update(Project).where(Project.name == "demo").values(open=False))
        yield fleet


def going(fleet: Fleet) -> list[Run]:
    with reading(fleet.context.engine) as session:
        return list(session.scalars(select(Run).where(Run.state.not_in(TERMINAL_STATES))))


@pytest.fixture(autouse=True)
def logs_for_a_failure(fleet):
    yield
    for path in fleet.logs.iterdir():
        print(f"--- {path.name}\n{path.read_text()[-3000:]}")


@dataclass
class Journey:
    """One upload or tool run, from the client's first request to its end; every request may meet a dead service."""

    fleet: Fleet
    kind: str
    name: str
    sleep: float = 0.0
    run_id: str | None = None

    def walk(self) -> Run:
        self.run_id = {"tool": self._tool, "url": self._url, "release": self._release}.get(self.kind, self._upload)()
        until(lambda: run_row(self.fleet.context, self.run_id).state in TERMINAL_STATES, 240)
        until(lambda: not (self.fleet.settings.runs_dir / self.run_id / "open").exists(), 90)
        return run_row(self.fleet.context, self.run_id)

    @property
    def project(self) -> str:
        return "demo" if self.kind == "clinical" else "alpha"

    @property
    def files(self) -> dict[str, bytes]:
        seed = random.Random(self.name)
        if self.kind == "url":
            return {"numbers.csv": b"x\n" + seed.randbytes(9 * 1024**2).hex().encode()}
        if self.kind == "release":
            return {"numbers.csv": b"x,y\n1,2\n", "broken.nii": f"Of {self.name}".encode()}
        if self.kind == "clinical":
            return {"numbers.csv": b"a,b\n" + b"".join(b"%d,%d\n" % (n, seed.randrange(99)) for n in range(50)),
                    f"{NAME}.txt": f"Of {self.name}.\n".encode()}
        return {"numbers.csv": b"x\n" + b"".join(b"%d\n" % seed.randrange(10**6) for _ in range(60_000)),
                "notes/readme.txt": f"Of {self.name}.\n".encode()}

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.fleet.request(method, path, **options)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def _upload(self) -> str:
        files = self.files
        body = {"project": self.project, "title": self.name, "files": [{"path": p, "size": len(b)} for p, b in files.items()]}
        upload = self._ask("POST", "/uploads", json=body, headers={"Idempotency-Key": self.name}).json()
        for file in upload["files"]:
            self._send(f"/uploads/{upload['id']}/files/{file['id']}", files[file["path"]])
        return str(self._ask("POST", f"/uploads/{upload['id']}/complete").json()["id"])

    def _send(self, path: str, data: bytes) -> None:
        """tus: after a cut connection, ask for the offset and go on from there."""
        headers = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
        deadline = time.monotonic() + 90
        while (offset := int(self._ask("HEAD", path, headers=headers).headers["Upload-Offset"])) < len(data):
            assert time.monotonic() < deadline, f"{path} stays at {offset}"
            answer = self.fleet.request("PATCH", path, content=data[offset:offset + CHUNK],
                                        headers={**headers, "Upload-Offset": str(offset)})
            assert answer.status_code in (204, 409, 423), answer.text
        self._ask("POST", f"{path}/digest", json={"sha256": hashlib.sha256(data).hexdigest()})

    def _url(self) -> str:
        with web_server(self.files["numbers.csv"]) as url:
            body = {"project": "alpha", "title": self.name, "url": f"{url}/numbers.csv"}
            run_id = str(self._ask("POST", "/imports/url", json=body, headers={"Idempotency-Key": self.name}).json()["id"])
            until(lambda: run_row(self.fleet.context, run_id).state in TERMINAL_STATES, 240)
        return run_id

    def _release(self) -> str:
        """Of the one file of an import that was held; that import is over before the kill is armed again."""
        armed = self.fleet.trigger.read_text() if self.fleet.trigger.exists() else ""
        self.fleet.disarm()
        first = self._upload()
        until(lambda: run_row(self.fleet.context, first).state in TERMINAL_STATES, 240)
        until(lambda: not (self.fleet.settings.runs_dir / first / "open").exists(), 90)
        if armed:
            self.fleet.arm(armed)
        (item,) = self._ask("GET", "/quarantine", params={"run": first}).json()["items"]
        said = {"reason": "The kill test lets it in."}
        return str(self._ask("POST", f"/quarantine/{item['id']}/release", json=said).json()["release_run_id"])

    def _tool(self) -> str:
        body = {"tool": "probe", "project": "alpha", "inputs": {"volume": [self.fleet.entries["table.csv"]]},
                "arguments": {"sleep": self.sleep}, "output_title": self.name}
        return str(self._ask("POST", "/runs", json=body, headers={"Idempotency-Key": self.name}).json()["id"])

    def check(self, run: Run, expected: str | None) -> None:
        """It ended as expected, once, and the installation is whole."""
        assert run.state in ("succeeded", "failed") and (run.state == expected or expected is None), f"{run.state}: {run.reason}"
        assert run.state == "succeeded" or run.reason.endswith(".")
        versions = versions_of(self.fleet.context, run.id)
        assert len(versions) == (run.state == "succeeded")
        with reading(self.fleet.context.engine) as session:
            assert len(session.scalars(select(Dataset).where(Dataset.title == self.name)).all()) == len(versions)
            mine = select(Run).where(Run.output_dataset == self.name)
            runs = session.scalars(mine.where(Run.id == run.id) if self.kind == "release" else mine).all()
            ends = session.scalars(select(AuditEvent).where(
                AuditEvent.action == "run.end", AuditEvent.resource == f"run:{run.id}")).all()
            made = session.scalars(select(AuditEvent).where(
                AuditEvent.action == "run.create", AuditEvent.resource == f"run:{run.id}")).all()
            uploads = session.scalars(select(Upload).where(Upload.run_id == run.id)).all()
            items = session.scalars(select(QuarantineItem).where(QuarantineItem.title == self.name)).all()
        assert len(runs) == len(ends) == len(made) == 1, "it happened twice"
        assert [one.state for one in items] == {"clinical": ["held"], "release": ["released"]}.get(self.kind, [])
        if self.kind != "tool":
            assert [one.state for one in uploads] == [{"succeeded": "done", "failed": "failed"}[run.state]]
        else:
            assert len(list((self.fleet.settings.runs_dir / run.id).glob("claim-*"))) == 1, "a tool ran twice"
        if versions and self.kind == "clinical":
            assert versions[0].n_files == 2 and not self._names_left()
        elif versions and self.kind != "tool":
            self._compare(versions[0].id)
        findings = [finding.sentence for check in checks() for finding in check.run(self.fleet.context, True)]
        assert findings == []

    def _names_left(self) -> list[str]:
        """Nothing but the quarantine knows what the held file is called."""
        state, quarantine = self.fleet.settings.state_dir, self.fleet.settings.quarantine_dir
        return [str(path) for path in state.rglob("*") if path.is_file() and quarantine not in path.parents
                and NAME.encode() in path.read_bytes() + os.fsencode(path)]

    def _compare(self, version_id: str) -> None:
        with reading(self.fleet.context.engine) as session:
            stored = {file.path: file.sha256 for file in session.scalars(select(File).where(File.version_id == version_id))}
        assert stored == {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()}


class Page(BaseHTTPRequestHandler):
    """One file, without ranges."""

    data = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.data)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(self.data)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def web_server(data: bytes) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Page", (Page,), {"data": data})) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def expectation(kill: Kill, journey: str) -> str:
    return kill.tool_ends if journey == "tool" else "succeeded"


CASES = [(kill, journey) for kill in POINTS for journey in kill.journeys]


@pytest.mark.parametrize(("kill", "journey"), CASES, ids=[f"{kill.at}-{journey}" for kill, journey in CASES])
def test_at_each_commit_point(fleet, kill, journey):
    one = Journey(fleet, journey, f"{kill.at} {journey}", sleep=1.0)
    fleet.arm(kill.at)
    run = one.walk()
    assert fleet.disarm(), f"{kill.at} was not reached"
    if kill.process in ("api", "worker"):
        until(lambda: fleet.deaths and fleet.deaths.pop() == kill.process, 5)
    one.check(run, expectation(kill, journey))
    outcomes.append((kill, journey, run.state, run.reason))


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


def test_the_table_has_no_empty_cell(capsys):
    if not outcomes:
        pytest.skip("the kills above were not selected")
    assert {kill.at for kill in POINTS} == set(NAMES), "each named commit point has its kill"
    text = table()
    with capsys.disabled():
        print(f"\n{text}")
    if len({(kill, journey) for kill, journey, _, _ in outcomes}) == len(CASES) + len(DIRECT):
        assert "EMPTY" not in text


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
    lines = storm(fleet, int(os.environ.get("KILLS", "6")), int(os.environ.get("SEED", "20261125")))
    with capsys.disabled():
        print("\n" + HEAD + "\n".join(lines))


@pytest.mark.slow
def test_a_storm_of_random_kills(fleet):
    """After the table of the named points, fifty random kills; both are kept in docs/measured/kills.md."""
    for kill, journey in CASES:
        test_at_each_commit_point(fleet, kill, journey)
    for kill in DIRECT:
        test_in_each_state(fleet, kill)
    seed = int(os.environ.get("SEED", "20261125"))
    started = time.monotonic()
    lines = storm(fleet, int(os.environ.get("KILLS", "50")), seed)
    assert "EMPTY" not in table()
    target = ROOT / "docs" / "measured" / "kills.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join([
        f"# Kills\n\n`make soak`, {datetime.now(UTC):%Y-%m-%d}: SIGKILL, then the client goes on. After each, `fsck --deep`",
        "finds nothing, the run has ended once, and its result is there once or not at all.\n",
        f"## At each commit point, in each state\n\n{table()}\n",
        f"## {len(lines)} random kills, seed {seed}, {time.monotonic() - started:.0f} s\n\n{HEAD}" + "\n".join(lines), ""]))
