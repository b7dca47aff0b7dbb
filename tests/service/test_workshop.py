"""The workers of the door: what one file does to its worker costs that file, and nothing else; what a worker may see."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.errors import Problem
from voxelhub_service.imports import workshop
from voxelhub_service.imports.workshop import Bench, Worker, Workshop

needs_sandbox = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
PROGRAM = """
import json, os, sys, time
hello = json.loads(sys.stdin.readline())
print("{}", flush=True)
for line in sys.stdin:
    request = json.loads(line)
    match request["op"]:
        case "die": os.kill(os.getpid(), 9)
        case "hang": time.sleep(3600)
        case "babble": print("no JSON at all", flush=True); continue
        case "grow": held = bytearray(1 << 40)
        case "once" if not os.path.exists(request["mark"]): open(request["mark"], "w").close(); os._exit(1)
    print(json.dumps({"op": request["op"], "pid": os.getpid()}), flush=True)
"""


def bench(folder: Path, isolation: bool = False, **more: Any) -> Bench:
    given: dict[str, Any] = {"read_only": (), "read_write": (folder,), "hello": {"key": None}, "memory": 4 * 1024**3,
                             "isolation": isolation, "largest": 1024**2}
    return Bench(**(given | more))


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that do what the request says, in place of the door's program."""
    monkeypatch.setattr(Worker, "_command", lambda self: [sys.executable, "-c", PROGRAM])
    monkeypatch.setattr(workshop, "PATIENCE", 1.0)


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("op", ["die", "hang", "babble", "grow"])
def test_a_worker_that_is_lost_costs_one_file(tmp_path: Path, op: str) -> None:
    requests = [{"op": op if number == 3 else "fine", "size": 0, "number": number} for number in range(8)]
    with Workshop(bench(tmp_path), 2) as shop:
        answers = {request["number"]: answer for request, answer in shop.each(requests)}
    assert {number for number, answer in answers.items() if "held" in answer} == {3}
    assert answers[3]["held"]["code"] == "reader_failed"
    assert len(answers) == 8


@pytest.mark.parametrize("program", [["/bin/false"], ["/nonexistent"], ["/bin/echo"]])
def test_workers_that_do_not_start_are_no_files_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: list[str]
) -> None:
    monkeypatch.setattr(Worker, "_command", lambda self: program)
    with pytest.raises(Problem, match="does not start"), Workshop(bench(tmp_path), 2) as shop:
        list(shop.each({"op": "fine", "size": 0, "number": number} for number in range(3)))


@pytest.mark.usefixtures("odd")
def test_what_only_ended_its_worker_once_is_read_after_all(tmp_path: Path) -> None:
    with Workshop(bench(tmp_path), 1) as shop:
        assert shop.one({"op": "once", "size": 0, "mark": str(tmp_path / "mark")})["op"] == "once"


@pytest.mark.usefixtures("odd")
def test_workers_end_with_the_workshop_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(KeyError), Workshop(bench(tmp_path), 2) as shop:
        pids = {answer["pid"] for _, answer in shop.each({"op": "fine", "size": 0} for _ in range(4))}
        raise KeyError
    assert pids and not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_workers_end_with_a_coordinator_that_is_killed(tmp_path: Path) -> None:
    script = f"""
import sys, time
from pathlib import Path
from voxelhub_service.imports.workshop import Bench, Workshop
shop = Workshop(Bench((), (Path({str(tmp_path)!r}),), {{"key": None}}, 4 << 30, {unavailable() is None}, 1 << 20), 1).__enter__()
Path({str(tmp_path / "a.txt")!r}).write_text("hello")
shop.one({{"op": "look", "file": {str(tmp_path / "a.txt")!r}, "path": "a.txt", "size": 5}})
print("ready", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        below = _below(process.pid)
        assert below
        process.kill()
        process.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))


def _below(pid: int) -> list[int]:
    return [one.pid for one in psutil.Process(pid).children(recursive=True)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@needs_sandbox
def test_what_a_worker_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own folders and programs; no network, no state, nothing to write but its work folder; the key is in no argument."""
    secret, upload, work = tmp_path / "secret", tmp_path / "upload", tmp_path / "work"
    for folder in (secret, upload, work):
        folder.mkdir()
    (upload / "a").write_text("x")
    look = """
import json, os, socket, sys
hello = json.loads(sys.stdin.readline())
print("{}", flush=True)
request = json.loads(sys.stdin.readline())
def works(what):
    try: what()
    except OSError: return False
    return True
print(json.dumps({
    "secret": os.path.exists(request["secret"]), "read": works(lambda: open(request["upload"] + "/a").read()),
    "write": works(lambda: open(request["upload"] + "/b", "w")), "work": works(lambda: open(request["work"] + "/b", "w")),
    "network": works(lambda: socket.create_connection(("127.0.0.1", request["port"]), 2)),
    "key": hello["key"] in open("/proc/self/cmdline").read() + open("/proc/self/environ").read(),
    "hub": os.path.exists(request["hub"]),
}), flush=True)
"""
    real = Worker._command
    monkeypatch.setattr(Worker, "_command", lambda self: [*real(self)[:-2], "-c", look])
    with socket.create_server(("127.0.0.1", 0)) as server:
        worker = Worker(bench(work, True, read_only=(upload,), hello={"key": "5ec2e7"}))
        where = {"secret": str(secret), "upload": str(upload), "work": str(work), "port": server.getsockname()[1],
                 "hub": str(Path(__file__).parents[2] / "hub_config")}
        answer = worker.ask(where, 30)
        worker.end()
    assert answer == {"secret": False, "read": True, "write": False, "work": True, "network": False, "key": False, "hub": False}


@pytest.mark.parametrize("isolation", [False, pytest.param(True, marks=needs_sandbox)])
def test_the_real_worker_within_its_memory(tmp_path: Path, isolation: bool) -> None:
    """A JSON document that unfolds to more than it may have: held, and the next file is read."""
    big, small = tmp_path / "big.json", tmp_path / "small.csv"
    big.write_text("[" + '{"":1},' * 1_190_000 + "1]")
    small.write_text("a,b\n1,2\n")
    with Workshop(bench(tmp_path, isolation, memory=280 * 1024**2), 1) as shop:
        answers = {path.name: shop.one({"op": "look", "file": str(path), "path": path.name, "size": 0}) for path in (big, small)}
    assert answers["big.json"].get("held", {}).get("code") in ("too_large", "reader_failed")
    assert answers["small.csv"]["seen"]["data_type"] == "table"
