"""Limits bind a real process tree, by cgroups and by rlimits with a watchdog alike."""

import os
import subprocess
import sys
import time

import psutil
import pytest
from support.world import until
from voxelhub_sandbox import cgroups, limits
from voxelhub_sandbox.bubblewrap import Sandbox, bwrap_command, unavailable
from voxelhub_sandbox.limits import Confinement, Limits

MIB = 1024**2
HERE = limits.method()
METHODS = [
    pytest.param(one, marks=pytest.mark.skipif(one not in (HERE, "watchdog"), reason=f"no {one} here: this machine has {HERE}"))
    for one in ("cgroup2", "cgroup1", "watchdog")
]
pytestmark = pytest.mark.parametrize("how", METHODS)
EAT = "import time\nkept = [bytearray(8 << 20) for _ in range({})]\nprint('full', flush=True)\ntime.sleep(60)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run(command: list[str], chosen: Limits, how, tmp_path, seconds: float = 120) -> tuple[str | None, Confinement, int]:
    """The first breach or None, the confinement, and the exit code; the tree is gone afterwards."""
    confinement = Confinement(chosen, f"test-{os.getpid()}-{time.monotonic_ns()}", output=tmp_path, forced=how)
    with confinement:
        process = subprocess.Popen(command, preexec_fn=confinement.join, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   cwd=tmp_path)
        confinement.watch(process.pid)
        deadline, reason = time.monotonic() + seconds, None
        while process.poll() is None and reason is None and time.monotonic() < deadline:
            reason = confinement.breach()
            time.sleep(0.05)
        reason = reason or confinement.breach()
        confinement.kill()
        process.wait(60)
        usage = confinement.measure()
        assert usage is confinement.usage
    return reason, confinement, process.returncode


def test_a_modest_process_is_left_alone_and_measured(how, tmp_path):
    code = ("import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
            "open('out', 'wb').write(bytes(1000))")
    reason, done, code = run(python(code), Limits(cpu=1, memory=512 * MIB, pids=50, time=20, output=MIB), how, tmp_path)
    assert (reason, code) == (None, 0)
    assert done.usage.output == 1000 and done.usage.cpu_seconds > 0.2 and MIB < done.usage.peak_memory < 512 * MIB


def test_memory(how, tmp_path):
    reason, _, code = run(python(EAT.format(40)), Limits(memory=100 * MIB), how, tmp_path)
    assert reason and "more memory than its limit of 100 MiB" in reason and code != 0


def test_memory_of_the_tree_together(how, tmp_path):
    children = ("import subprocess, sys\nfor p in [subprocess.Popen([sys.executable, '-c', CODE]) for _ in range(3)]: p.wait()"
                .replace("CODE", repr(EAT.format(8))))
    reason, _, _ = run(python(children), Limits(memory=120 * MIB), how, tmp_path)
    assert reason and "more memory" in reason


def test_time(how, tmp_path):
    reason, _, _ = run(["sleep", "60"], Limits(time=0.5), how, tmp_path)
    assert reason == "It ran longer than its limit of 0.5 s and was ended."


def test_output_of_many_files(how, tmp_path):
    code = "import time\nfor i in range(40):\n open(f'f{i}', 'wb').write(bytes(1 << 18)); time.sleep(0.02)\ntime.sleep(60)"
    reason, _, _ = run(python(code), Limits(output=4 * MIB), how, tmp_path)
    assert reason and "wrote more than its limit of 4 MiB" in reason


def test_output_of_one_file(how, tmp_path):
    code = "import time\nopen('big', 'wb').write(bytes(40 << 20))\ntime.sleep(60)"
    reason, _, _ = run(python(code), Limits(output=4 * MIB), how, tmp_path)
    assert reason and "wrote more than its limit of 4 MiB" in reason


def test_what_is_written_last_counts(how, tmp_path):
    """A look at a big folder puts off the next one; the program's end does not wait for it."""
    with Confinement(Limits(output=4 * MIB), f"test-{os.getpid()}-{time.monotonic_ns()}", output=tmp_path, forced=how) as made:
        process = subprocess.Popen(["cat"], preexec_fn=made.join, stdin=subprocess.PIPE)
        made.watch(process.pid)
        assert made.breach() is None
        made._next_walk = time.monotonic() + 3600
        (tmp_path / "big").write_bytes(bytes(5 * MIB))
        assert made.breach() is None, "not yet: it is not looked at all the time"
        process.communicate()
        assert "wrote more than its limit of 4 MiB" in (made.breach() or "")


def test_processes(how, tmp_path):
    bomb = "import os, time\nfor _ in range(200):\n    if not os.fork(): time.sleep(60); os._exit(0)\ntime.sleep(60)"
    before = living()
    reason, _, code = run(python(bomb), Limits(pids=20), how, tmp_path)
    # The kernel refuses the fork (and the program ends of it), the watchdog ends the tree.
    assert code != 0 and (how != "watchdog" or "more than 20 processes" in reason)
    assert living() < before + 50


BOMB = """
import os, time
while os.path.getsize('/tmp/count') < 3000:
    try:
        with open('/tmp/count', 'a') as count:
            count.write('x')
        os.fork()
    except OSError:
        pass
    time.sleep(0.001)
time.sleep(300)
"""


@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
def test_a_bomb_in_a_sandbox_is_gone_at_once(how, tmp_path):
    """Each of them starts another every millisecond: they are ended together, by the end of their process space."""
    sandbox = Sandbox([], [], {"PATH": "/usr/bin:/bin"}, "/")
    started = f"touch /tmp/count; exec {os.path.realpath(sys.executable)} -c \"{BOMB}\""
    before = living()
    reason, _, code = run(bwrap_command(sandbox, ["sh", "-c", started]), Limits(pids=64, time=5), how, tmp_path)
    assert reason == ("It started more than 64 processes and was ended." if how == "watchdog" else
                      "It ran longer than its limit of 5 s and was ended.")
    assert code != 0
    until(lambda: living() < before + 50, 60)


def living() -> int:
    return sum(one.info["status"] != psutil.STATUS_ZOMBIE for one in psutil.process_iter(["status"]))


def test_cpu(how, tmp_path):
    code = ("import os, time\nfor _ in range(3):\n    if not os.fork(): break\nend = time.monotonic() + 2\n"
            "while time.monotonic() < end: pass")
    _, done, _ = run(python(code), Limits(cpu=1), how, tmp_path)
    assert done.usage.cpu_seconds < 3.0  # four busy processes for two seconds on one core


def test_the_whole_tree_ends_with_it(how, tmp_path):
    name = f"test-{os.getpid()}-{time.monotonic_ns()}"
    with Confinement(Limits(memory=256 * MIB), name, forced=how) as confinement:
        process = subprocess.Popen(["sh", "-c", "setsid sleep 60 & sleep 60"], preexec_fn=confinement.join)
        confinement.watch(process.pid)
        until(lambda: [one.name() for one in psutil.Process(process.pid).children(recursive=True)] == ["sleep"] * 2)
        tree = psutil.Process(process.pid).children(recursive=True)
        confinement.kill()
        process.wait(60)
        _, living = psutil.wait_procs(tree, 60)
        assert not [one for one in living if one.status() != psutil.STATUS_ZOMBIE]
    if confinement.group:
        assert not any(folder.exists() for folder in confinement.group.folders.values())


def test_a_running_process_can_be_confined(how, tmp_path):
    process = subprocess.Popen(python("import time; time.sleep(0.5)\n" + EAT.format(40)), stdout=subprocess.DEVNULL)
    with Confinement(Limits(memory=100 * MIB), f"test-{os.getpid()}-{time.monotonic_ns()}", forced=how) as confinement:
        confinement.apply_to(process.pid)
        deadline = time.monotonic() + 120
        while (reason := confinement.breach()) is None and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        reason = reason or confinement.breach()
        confinement.kill()
        process.wait(60)
    assert reason and "more memory" in reason


def test_the_doctor_can_say_which(how, tmp_path):
    assert limits.describe() == limits.SENTENCES[HERE] and limits.method(how) == how


@pytest.mark.skipif(HERE == "cgroup2", reason="here the real one is tested")
def test_v2_asks_for_a_delegated_ancestor(how, tmp_path):
    """The search alone, on a copy of the files; a v2 machine runs the tests above with it."""
    user = tmp_path / "user.service"
    own = user / "app.slice"
    own.mkdir(parents=True)
    for folder, control in ((tmp_path, "memory pids cpu"), (user, "memory pids"), (own, "")):
        (folder / "cgroup.procs").write_text("")
        (folder / "cgroup.controllers").write_text("cpu memory pids")
        (folder / "cgroup.subtree_control").write_text(control)
    (own / "cgroup.controllers").write_text("memory pids")
    found = cgroups.v2_parents(tmp_path, "/user.service/app.slice")
    assert set(found.values()) == {user} and set(found) == {"memory", "pids", "cpu"}
    assert (user / "cgroup.subtree_control").read_text() == "+cpu"
    group = cgroups.Group("x", 2, found)
    group.create(cpu=1.5, memory=64 * MIB, pids=10)
    made = user / "voxelhub-x"
    assert (made / "cpu.max").read_text() == "150000 100000" and (made / "memory.max").read_text() == str(64 * MIB)
    assert (made / "pids.max").read_text() == "10"
    assert cgroups.v2_parents(tmp_path / "none", "/") == {}
