"""The supervisor on real processes: started again, ended together, nothing left behind by whatever death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from voxelhub_hub import processes

# A supervisor over two sleeping children. "orphan" starts a process in a session of its own, which outlives its parent.
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from voxelhub_hub.supervisor import Child, Supervisor, hold_lock, sweep
state = Path(sys.argv[1])
lock = hold_lock(state)
sweep(state)
sleeper = "import time; time.sleep(600)"
orphan = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleeper!r}], start_new_session=True); {sleeper}"
stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {sleeper}"
kinds = {"plain": sleeper, "orphan": orphan, "stubborn": stubborn, "broken": "raise SystemExit(3)"}
children = [Child(kind, [sys.executable, "-c", kinds[kind]], dict(os.environ), lambda kind=kind: kind != "broken", stop_grace=1.0)
            for kind in sys.argv[2:]]
asyncio.run(Supervisor(state, "http://nowhere", [children]).run(lambda: print("ready", flush=True)))
"""


class Supervised:
    def __init__(self, state: Path, *kinds: str) -> None:
        self.state = state
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(state), *kinds], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def ready(self) -> Supervised:
        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n", self.process.stderr.read()
        return self

    def child(self, name: str) -> dict[str, object]:
        return json.loads((self.state / "run" / "status.json").read_text())["children"][name]

    def ours(self) -> list[int]:
        return [pid for pid in processes.carrying(processes.installation_id(self.state)) if processes.alive(pid)]


def until(condition: Callable[[], object], seconds: float = 120) -> object:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return value


def ignores_term(pid: int) -> bool:
    mask = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigIgn"))
    return bool(int(mask.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    made: list[Supervised] = []

    def make(*kinds: str) -> Supervised:
        made.append(Supervised(tmp_path, *kinds))
        return made[-1]

    yield make
    for supervised in made:
        supervised.process.kill()
        supervised.process.wait()
        processes.end(supervised.ours(), 0)


def test_a_killed_child_is_started_again_at_once(start: Callable[..., Supervised]) -> None:
    supervised = start("plain").ready()
    before = supervised.child("plain")
    os.kill(int(str(before["pid"])), signal.SIGKILL)
    after = until(lambda: (c := supervised.child("plain"))["pid"] not in (None, before["pid"]) and c["state"] == "ready" and c)
    assert after["restarts"] == 1 and after["last_exit"] == -signal.SIGKILL


def test_a_child_that_keeps_dying_is_started_more_and_more_slowly(start: Callable[..., Supervised]) -> None:
    supervised = start("plain").ready()
    started = time.monotonic()
    for number in range(1, 4):
        os.kill(int(str(until(lambda: supervised.child("plain")["pid"]))), signal.SIGKILL)
        until(lambda number=number: supervised.child("plain")["restarts"] == number and supervised.child("plain")["pid"])
    assert time.monotonic() - started > 1.4  # at once, 0.5 s, 1 s


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_every_process_even_one_that_left_its_parent(start: Callable[..., Supervised], number: signal.Signals) -> None:
    supervised = start("plain", "orphan", "stubborn").ready()
    until(lambda: len(supervised.ours()) == 4)
    os.kill(int(str(supervised.child("orphan")["pid"])), signal.SIGKILL)  # its child stays, without a parent
    until(lambda: len(supervised.ours()) == 5)
    supervised.process.send_signal(number)
    assert supervised.process.wait(120) == 0
    assert supervised.ours() == []
    assert supervised.child("plain")["state"] == "stopped"


def test_children_end_when_the_supervisor_is_killed_and_the_next_start_sweeps(start: Callable[..., Supervised]) -> None:
    supervised = start("plain", "stubborn").ready()
    plain, stubborn = (int(str(supervised.child(name)["pid"])) for name in ("plain", "stubborn"))
    until(lambda: ignores_term(stubborn))
    supervised.process.kill()
    until(lambda: not processes.alive(plain))
    assert processes.alive(stubborn)
    start("plain").ready()
    assert not processes.alive(stubborn)


def test_a_second_start_on_the_same_state_is_refused_with_a_sentence(start: Callable[..., Supervised]) -> None:
    start("plain").ready()
    second = start("plain")
    _, errors = second.process.communicate(timeout=120)
    assert second.process.returncode != 0
    assert "This state folder is in use by process" in errors


def test_a_child_that_cannot_start_ends_the_start_and_names_its_log(start: Callable[..., Supervised]) -> None:
    supervised = start("plain", "broken")
    _, errors = supervised.process.communicate(timeout=120)
    assert "broken ended with code 3 while it started" in errors and "broken.log" in errors
    assert supervised.ours() == []
