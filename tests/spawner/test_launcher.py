"""The launcher with real processes: what it starts is confined, told to end, and gone afterwards, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import psutil
import pytest
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_sandbox.limits import Confinement, Limits
from voxelhub_spawner.launcher import LOG_MAX, Order, spare_the_server
from voxelhub_spawner.local import launch

SANDBOXED = pytest.param(True, marks=pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())))
BOTH = pytest.mark.parametrize("sandbox", [SANDBOXED, False])
GIB = 1024**3


def order(folder: Path, script: str, *, sandbox: bool, grace: float = 5.0, memory: int = GIB) -> Order:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    inside = "/home/ada" if sandbox else str(home)
    environ = {"PATH": "/usr/bin:/bin", "TOKEN": "sesame-7"}
    return Order(name=f"test-{os.getpid()}", program=["/bin/bash", "-c", script], environ=environ, cwd=inside,
                 log=str(folder / "log"), cpu=1, memory=memory, sandbox=sandbox, read_only=[],
                 read_write=[(str(home), inside)], devices=[], grace=grace)


def wait(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@BOTH
def test_the_programs_end_is_the_launchers(tmp_path: Path, sandbox: bool) -> None:
    launched = launch(order(tmp_path, "pwd; echo out; echo err >&2; touch here; exit 7", sandbox=sandbox))
    assert launched.wait(120) == 7
    assert (tmp_path / "home/here").exists()
    assert (tmp_path / "log").read_text().splitlines()[1:] == ["out", "err"]


@BOTH
def test_the_launcher_keeps_a_record_of_what_the_server_used(tmp_path: Path, sandbox: bool) -> None:
    """By its own clock, while it runs and at the end: the ledger is made from it."""
    record = tmp_path / "record.json"
    facts = {"user": "ada", "server": "", "profile": "small", "cpu": 1, "gpus": 0}
    script = "x=0; while [ $x -lt 300000 ]; do x=$((x+1)); done; sleep 2.2"
    began = time.monotonic()
    launched = launch(replace(order(tmp_path, script, sandbox=sandbox), record=str(record), facts=facts))
    wait(record.exists)
    first = json.loads(record.read_text())
    assert first["ended_at"] is None and first["process"]["pid"] == launched.pid and {**first, **facts} == first
    wait(lambda: json.loads(record.read_text())["usage"]["seconds"] >= 1)
    assert launched.wait(120) == 0
    took, last = time.monotonic() - began, json.loads(record.read_text())
    assert last["ended_at"] >= first["started_at"] and 2.2 < last["usage"]["seconds"] < took
    assert last["usage"]["used_cpu_seconds"] > 0 and last["usage"]["peak_memory"] > 100_000
    assert [one.name for one in tmp_path.glob("*.json")] == ["record.json"]


@BOTH
def test_asked_to_end_the_program_may_tidy_up(tmp_path: Path, sandbox: bool) -> None:
    script = "trap 'echo bye > bye; exit 3' TERM; touch ready; while :; do sleep 0.1; done"
    launched = launch(order(tmp_path, script, sandbox=sandbox))
    wait((tmp_path / "home/ready").exists)
    launched.terminate()
    assert launched.wait(120) == 3
    assert (tmp_path / "home/bye").exists()


@BOTH
def test_what_does_not_listen_is_killed_with_all_its_children(tmp_path: Path, sandbox: bool) -> None:
    """A kernel lives in a session of its own and ignores SIGTERM; a daemon of it has lost its parent."""
    script = "trap '' TERM; setsid sleep 1001 & (setsid sleep 1002 & ) ; touch ready; while :; do sleep 0.1; done"
    launched = launch(order(tmp_path, script, sandbox=sandbox, grace=1))
    wait((tmp_path / "home/ready").exists)
    wait(lambda: len(tree(launched.pid)) >= 4)
    before = tree(launched.pid)
    launched.terminate()
    launched.wait(120)
    wait(lambda: not alive(before))


@BOTH
def test_daemons_do_not_outlive_the_program(tmp_path: Path, sandbox: bool) -> None:
    launched = launch(order(tmp_path, "(setsid sleep 1003 & echo $! ) ; touch ready; sleep 1", sandbox=sandbox))
    wait((tmp_path / "home/ready").exists)
    before = tree(launched.pid)
    assert launched.wait(120) == 0
    wait(lambda: not alive(before))


@BOTH
def test_a_killed_launcher_leaves_nothing(tmp_path: Path, sandbox: bool) -> None:
    """Without a sandbox it is the program, asked to end, that ends its children, as Jupyter does."""
    script = "trap 'kill $child; exit' TERM; setsid sleep 1004 & child=$!; touch ready; wait"
    launched = launch(order(tmp_path, script, sandbox=sandbox))
    wait((tmp_path / "home/ready").exists)
    before = tree(launched.pid)
    launched.send_signal(signal.SIGKILL)
    launched.wait(120)
    wait(lambda: not alive(before))


@BOTH
def test_no_secret_stands_in_a_command_line(tmp_path: Path, sandbox: bool) -> None:
    script = "echo token is $TOKEN; env | grep -c SECRET_OF_THE_HUB; touch ready; sleep 1006"
    launched = launch(order(tmp_path, script, sandbox=sandbox))
    wait((tmp_path / "home/ready").exists)
    assert "sesame-7" not in json.dumps([p.cmdline() for p in tree(launched.pid)])
    assert (tmp_path / "log").read_text().splitlines() == ["token is sesame-7", "0"]
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    launched.kill() if sandbox else launched.terminate()
    launched.wait(120)


def test_nothing_of_the_hubs_environment_comes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HUB", "x")
    launched = launch(order(tmp_path, "env; touch ready", sandbox=False))
    launched.wait(120)
    assert "SECRET_OF_THE_HUB" not in (tmp_path / "log").read_text()


def test_the_watchdog_ends_the_largest_process_not_the_server() -> None:
    """Where no cgroup can be had."""
    hungry = "/usr/bin/python3 -c 'import time; x = bytearray(200 * 1024**2); time.sleep(60)'"
    script = f"{hungry} & sleep 1008 & wait -n; exec sleep 1009"
    process = subprocess.Popen(["/bin/bash", "-c", script])
    server = mock.Mock(process=process)
    try:
        wait(lambda: sum(c.memory_info().rss for c in psutil.Process(process.pid).children()) > 200 * 1024**2)
        spare_the_server(Confinement(Limits(memory=GIB), "test-watchdog", forced="watchdog"), server)
        assert len(psutil.Process(process.pid).children()) == 2
        spare_the_server(Confinement(Limits(memory=100 * 1024**2), "test-watchdog", forced="watchdog"), server)
        wait(lambda: len(alive(psutil.Process(process.pid).children())) == 1)
        assert process.poll() is None
    finally:
        for child in [*psutil.Process(process.pid).children(), process]:
            child.kill()
        process.wait()


@BOTH
def test_memory_above_the_limit_ends_the_hungry_process_only(tmp_path: Path, sandbox: bool) -> None:
    """The kernel dies, the server lives: whether cgroups or the watchdog see to it."""
    hungry = "/usr/bin/python3 -c 'import time; x = bytearray(400 * 1024**2); time.sleep(30)'"
    script = f"{hungry} ; echo hungry ended with $? > ended; sleep 1007"
    launched = launch(order(tmp_path, script, sandbox=sandbox, memory=GIB // 5))
    wait((tmp_path / "home/ended").exists)
    assert (tmp_path / "home/ended").read_text() == "hungry ended with 137\n"
    assert launched.poll() is None
    launched.terminate()
    launched.wait(120)


def test_a_long_log_gives_way_to_a_new_one(tmp_path: Path) -> None:
    log = Path(order(tmp_path, "true", sandbox=False).log)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        file.truncate(LOG_MAX + 1)
    launched = launch(order(tmp_path, "echo new", sandbox=False))
    assert launched.wait(120) == 0
    assert log.read_text() == "new\n"
    assert log.with_name(f"{log.name}.1").stat().st_size == LOG_MAX + 1
