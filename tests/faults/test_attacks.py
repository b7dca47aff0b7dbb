"""Isolation, played by a tool that attacks, through the real worker, supervisor and bubblewrap.

Each attack is contained, the run says why it ended, the service lives, the next run succeeds, and nothing is left.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.attacker import write_attacker
from support.fleet import Fleet
from support.journeys import Journey, going
from support.world import ROOT, add_project, add_version, run_row, until, versions_of
from voxelhub_sandbox import limits
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.database import reading
from voxelhub_service.fsck.registry import checks
from voxelhub_service.models import TERMINAL_STATES, Dataset, Run

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (ROOT / ".envs/tool-dicom-to-nifti").exists(), reason="the tool's environment is not installed"),
]
SECRET = "what-no-tool-may-read"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("attacks")
    write_attacker(folder / "tools")
    with Fleet(folder) as started:
        it: Any = started
        it.project = add_project(it.context, "alpha")
        it.entries = add_version(it.context, it.project, "data", {
            "table.csv": ("table", "table", "csv", {"table.csv": b"a,b\n1,2\n"})})
        add_version(it.context, it.project, "other", {"other.csv": ("table", "table", "csv", {"other.csv": SECRET.encode()})})
        until(lambda: not going(it), 120)  # the demonstration dataset comes in at the first start
        it.other_run = Journey(it, "tool", "of somebody else").walk()
        yield it


@pytest.fixture(autouse=True)
def contained(fleet: Any) -> Iterator[None]:
    """After each attack: what was there is as it was, the service lives, a tool of good will runs, and nothing goes on."""
    before, ours = _digests(fleet), {name: process.pid for name, process in fleet.processes.items()}
    yield
    assert _digests(fleet) == before, "something outside its folder was changed"
    assert {name: process.pid for name, process in fleet.processes.items()} == ours and fleet.deaths == []
    assert fleet.request("GET", "/health").json()["worker"] is True
    good = Journey(fleet, "tool", f"after {os.urandom(4).hex()}", sleep=0)
    good.check(good.walk(), "succeeded")  # with every check of fsck
    assert not [process for process in psutil.process_iter(["cmdline"]) if "attack.py" in " ".join(process.info["cmdline"] or [])]
    assert not list(fleet.settings.staging_dir.glob("*-*")) and not list(fleet.settings.runs_dir.glob("*/inputs"))


def _digests(fleet: Any) -> dict[str, str]:
    """Of what the tool could reach for: datasets, tools, secrets, its environment's Python."""
    folders = [fleet.settings.projects_dir / "alpha" / name for name in ("data", "other")]
    folders += [Path(fleet.settings.tools_dir), fleet.settings.secrets_dir]
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    paths += sorted((ROOT / ".envs/tool-dicom-to-nifti/bin").iterdir())
    return {str(path): f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths
            if path.is_file() and path.stat().st_size < 5_000_000}


def begin(fleet: Any, attack: str, *targets: object, tool: str = "attacker") -> str:
    answer = fleet.request("POST", "/runs", json={
        "tool": tool, "project": "alpha", "inputs": {"table": [fleet.entries["table.csv"]]},
        "arguments": {"attack": attack, "targets": [str(one) for one in targets]}, "output_title": f"loot of {attack}"})
    assert answer.status_code < 300, answer.text
    return str(answer.json()["id"])


def end(fleet: Any, run_id: str) -> tuple[Run, str]:
    until(lambda: run_row(fleet.context, run_id).state in TERMINAL_STATES, 240)
    until(lambda: not (fleet.settings.runs_dir / run_id / "open").exists())
    log = (fleet.settings.runs_dir / run_id / "log.txt").read_text(errors="replace")
    run = run_row(fleet.context, run_id)
    assert "begins" in log, f"the attack never began: {run.state} {run.reason}\n{log}"
    assert "BREACH" not in log, log
    return run, log


def attacked(fleet: Any, attack: str, *targets: object, tool: str = "attacker") -> tuple[Run, str]:
    return end(fleet, begin(fleet, attack, *targets, tool=tool))


def _succeeded(fleet: Any, run: Run, log: str, at_least: int) -> None:
    """It came to its own end: every one of its attempts was refused."""
    assert run.state == "succeeded", f"{run.reason}\n{log}"
    tried = re.search(r"tried (\d+)", log)
    assert tried and int(tried[1]) >= at_least, log
    assert _published(fleet, run) == {"result.csv"}


def _published(fleet: Any, run: Run) -> set[str]:
    (version,) = versions_of(fleet.context, run.id)
    with reading(fleet.context.engine) as session:
        name = session.get_one(Dataset, version.dataset_id).name
    found = fleet.settings.projects_dir / "alpha" / name / f"v{version.number}"
    for path in found.rglob("*"):
        assert path.is_dir() or (path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o7777 == 0o444), path
    return {str(path.relative_to(found)) for path in found.rglob("*") if not path.is_dir()}


def test_files_that_it_was_not_given(fleet: Any, tmp_path: Path) -> None:
    settings = fleet.settings
    (tmp_path / "canary").write_text(SECRET)
    other_run = settings.runs_dir / fleet.other_run.id
    assert (other_run / "run.json").exists() and (other_run / "log.txt").exists()
    targets = [
        settings.projects_dir / "alpha/other/v1/other.csv", settings.projects_dir / "alpha", settings.projects_dir,
        settings.secrets_dir, settings.secrets_dir / "audit-key", settings.secrets_dir / "deid-key", settings.database_file,
        settings.state_dir, settings.uploads_dir, settings.quarantine_dir, settings.homes_dir, settings.runs_dir, other_run,
        other_run / "run.json", other_run / "log.txt", "/etc/shadow", "/etc/hostname", tmp_path / "canary",
        Path.home() / ".profile", "/home", "/var/log",
        Path(settings.tools_dir) / "probe", ROOT / "service", "/sys/kernel",
    ]
    run, log = attacked(fleet, "files", *targets)
    _succeeded(fleet, run, log, 5 * len(targets))
    assert SECRET not in log


@contextmanager
def _listening() -> Iterator[tuple[list[str], list[object]]]:
    """On every address of this machine and on an abstract socket; who came."""
    came: list[object] = []
    sockets = [socket.socket(), socket.socket(socket.AF_UNIX)]
    sockets[0].bind(("0.0.0.0", 0))
    sockets[1].bind(f"\0voxelhub-attacked-{os.getpid()}")

    def accept(one: socket.socket) -> None:
        while True:
            try:
                came.append(one.accept())
            except OSError:
                return

    for one in sockets:
        one.listen()
        threading.Thread(target=accept, args=(one,), daemon=True).start()
    hosts = {"127.0.0.1", *(a.address for many in psutil.net_if_addrs().values() for a in many if a.family == socket.AF_INET)}
    try:
        port = sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            until(lambda: len(came) == 1)  # it does listen
        yield [*(f"{host}:{port}" for host in hosts), f"@voxelhub-attacked-{os.getpid()}"], came
    finally:
        for one in sockets:
            one.shutdown(socket.SHUT_RDWR)
            one.close()


def test_the_network(fleet: Any) -> None:
    settings = fleet.settings
    with _listening() as (here, came):
        outside = ["198.51.100.7:443", "192.0.2.1:53"]  # RFC 5737: nobody's
        services = [f"127.0.0.1:{port}" for port in (settings.service_port, settings.hub_port, settings.port)]
        run, log = attacked(fleet, "network", *here, *services, *outside)
        assert len(came) == 1
    _succeeded(fleet, run, log, len(here) + 9)


def test_other_processes(fleet: Any) -> None:
    canary = subprocess.Popen(["sleep", "300"])
    try:
        pids = [canary.pid, os.getpid(), *(process.pid for process in fleet.processes.values())]
        run, log = attacked(fleet, "processes", *pids)
        assert canary.poll() is None
    finally:
        canary.kill()
        canary.wait()
    _succeeded(fleet, run, log, 3 * len(pids) + 6)


def test_writing_outside_its_folder(fleet: Any) -> None:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    run, log = attacked(fleet, "write")
    assert Path("/proc/sys/kernel/core_pattern").read_text() == pattern
    assert not [place for place in ("/tmp", "/var/tmp", "/etc", "/") if Path(place, "planted").exists()]  # its own are private
    _succeeded(fleet, run, log, 25)


def test_a_fork_bomb(fleet: Any) -> None:
    run, _ = attacked(fleet, "fork_bomb", tool="attacker-short")
    wanted = "It ran longer than its limit of 20 s and was ended."
    assert (run.state, run.reason) == (
        "failed", "It started more than 64 processes and was ended." if limits.method() == "watchdog" else wanted)
    assert versions_of(fleet.context, run.id) == []


@pytest.mark.parametrize(("attack", "reason"), [
    ("memory", "It needed more memory than its limit of 256.0 MiB and was ended."),
    ("disk", "It wrote more than its limit of 16.0 MiB and was ended."),
])
def test_filling_what_it_shares_with_others(fleet: Any, attack: str, reason: str) -> None:
    run, log = attacked(fleet, attack)
    assert run.state == "failed" and versions_of(fleet.context, run.id) == []
    assert run.reason.replace(".0 MiB", " MiB") == reason.replace(".0 MiB", " MiB")
    assert "nobody ended it" not in log


def test_filling_its_private_tmp(fleet: Any) -> None:
    """It is memory of its own: full, it is full for this run alone."""
    before = psutil.disk_usage(str(fleet.settings.state_dir)).free
    run, log = attacked(fleet, "private_tmp")
    assert (run.state == "succeeded" and re.search("full: (ENOSPC|EFBIG)", log)) or "more memory than its limit" in run.reason
    assert psutil.disk_usage(str(fleet.settings.state_dir)).free > before - 1024**3


def test_links_and_devices_are_not_published(fleet: Any) -> None:
    settings = fleet.settings
    targets = [settings.secrets_dir / "audit-key", settings.projects_dir / "alpha/other/v1/other.csv", "/etc/shadow", "/inputs"]
    run, log = attacked(fleet, "links", *targets)
    assert run.state == "succeeded", run.reason
    for name in ("hard.csv", "hardsystem.csv", "device.csv", "block.csv"):
        assert f"{name} was refused" in log
    for name in ("symlink0.csv", "fifo.csv", "socket.csv", "setuid.csv", "folder", "up"):
        assert f"{name} was made" in log
    assert _published(fleet, run) == {"result.csv", "setuid.csv"}  # that one without its bits: see _published


@pytest.mark.parametrize("how", ["cancelled", "out of time"])
def test_deaf_to_sigterm(fleet: Any, how: str) -> None:
    run_id = begin(fleet, "stubborn", tool="attacker" if how == "cancelled" else "attacker-short")
    until(lambda: run_row(fleet.context, run_id).progress_text == "deaf")
    if how == "cancelled":
        assert fleet.request("POST", f"/runs/{run_id}/cancel").status_code < 300
    run, _ = end(fleet, run_id)
    assert (run.state, run.reason) == (
        ("cancelled", "Cancelled while it was running.") if how == "cancelled"
        else ("failed", "It ran longer than its limit of 20 s and was ended."))
    assert versions_of(fleet.context, run_id) == []


def test_nothing_of_the_attacks_is_in_the_projects(fleet: Any) -> None:
    findings = [finding.sentence for check in checks() for finding in check.run(fleet.context, True)]
    assert findings == []
    files = [path for path in fleet.settings.projects_dir.rglob("*") if not path.is_dir()]
    assert all(path.is_file() and not path.is_symlink() for path in files)
