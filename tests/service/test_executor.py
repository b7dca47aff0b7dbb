"""The local executor with real supervisors, real bubblewrap and real limits: what it promises in executors/base.py."""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from support.world import until
from voxelhub_sandbox import limits
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.executors.base import Job
from voxelhub_service.executors.folder import alive
from voxelhub_service.executors.local import LocalExecutor
from voxelhub_service.executors.output import Output

MIB = 1024**2
needs_bubblewrap = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))


@pytest.fixture
def executor(tmp_path):
    executor = LocalExecutor(tmp_path / "runs")
    yield executor
    executor.shutdown()


def shell(executor: LocalExecutor, run_id: str, script: str, **options) -> str:
    """Prepare a run of a shell script; `{out}` is its output folder as the script sees it."""
    outputs = executor.runs_dir / run_id / "outputs"
    outputs.mkdir(parents=True)
    mode = options.pop("mode", "sandbox")
    inside = "/outputs" if mode == "sandbox" else str(outputs)
    executor.prepare(run_id, Job(
        command=["/bin/sh", "-c", script.replace("{out}", inside)], environ={"PATH": "/usr/bin:/bin"},
        cwd=inside, outputs=str(outputs), mode=mode, read_write=[(str(outputs), "/outputs")], **options,
    ))
    return run_id


def wait(executor: LocalExecutor, run_id: str, *states: str, seconds: float = 120):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        seen = executor.observe(run_id)
        if seen.process in states:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"{run_id} is still {seen}")


def tree_of(executor: LocalExecutor, run_id: str) -> list[psutil.Process]:
    return psutil.Process(executor.folder(run_id).claimant(1)["pid"]).children(recursive=True)


def begun(executor: LocalExecutor, run_id: str, sleepers: int) -> list[psutil.Process]:
    """The processes below its supervisor, once so many of them sleep for five minutes."""
    def sleeping(process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            return process.cmdline() == ["sleep", "300"]
        return False

    wait(executor, run_id, "running")
    until(lambda: sum(map(sleeping, tree_of(executor, run_id))) == sleepers)
    return tree_of(executor, run_id)


def gone(processes: list[psutil.Process], seconds: float = 60) -> bool:
    _, living = psutil.wait_procs(processes, timeout=seconds)
    return not [p for p in living if p.status() != psutil.STATUS_ZOMBIE]


@needs_bubblewrap
def test_a_run_succeeds_and_its_folder_says_so(executor):
    run_id = shell(executor, "a1", "echo hello; echo '::progress 0.5 half'; echo data > {out}/result.txt", time=60,
                   memory=256 * MIB)
    assert executor.observe(run_id).process == "absent"
    executor.submit(run_id)
    seen = wait(executor, run_id, "ended")
    assert (seen.outcome, seen.exit_code, seen.progress, seen.progress_text) == ("ok", 0, 0.5, "half")
    folder = executor.folder(run_id)
    assert folder.log.read_text() == "hello\n"
    assert (folder.outputs / "result.txt").read_text() == "data\n"
    assert seen.started_at and seen.ended_at and seen.method == limits.method()


@needs_bubblewrap
def test_submitting_many_times_starts_once(executor):
    run_id = shell(executor, "a2", "echo once >> {out}/times; sleep 1")
    others = [LocalExecutor(executor.runs_dir) for _ in range(3)]  # workers that know nothing of each other
    for one in (executor, *others, executor):
        one.submit(run_id)
    wait(executor, run_id, "ended")
    for one in (executor, *others):
        one.submit(run_id)
    time.sleep(1)
    assert (executor.folder(run_id).outputs / "times").read_text() == "once\n"
    assert len(list(executor.folder(run_id).path.glob("claim-*"))) == 1


@needs_bubblewrap
def test_the_sandbox_sees_its_mounts_and_nothing_else(executor, tmp_path):
    secret, given = tmp_path / "secret", tmp_path / "given"
    secret.write_text("key")
    given.write_text("data")
    script = (
        f"cat {secret} 2>/dev/null && echo LEAK; cat /inputs/given; (echo x > /inputs/given) 2>/dev/null && echo LEAK; "
        "cat /proc/net/dev | grep -c eth; env | sort | tr '\\n' ' '; ls / | tr '\\n' ' '; echo x > {out}/ok"
    )
    os.environ["VOXELHUB_SHARED"] = "must not enter"
    run_id = shell(executor, "a3", script, read_only=[(str(given), "/inputs/given")])
    executor.submit(run_id)
    assert wait(executor, run_id, "ended").outcome == "ok"
    log = executor.folder(run_id).log.read_text()
    assert "data" in log and "LEAK" not in log and "must not enter" not in log and "key" not in log
    assert str(tmp_path) not in log


@needs_bubblewrap
def test_cancel_ends_the_whole_tree_after_a_chance_to_tidy_up(executor):
    run_id = shell(executor, "a4", "trap 'echo tidy > {out}/tidy; exit 3' TERM; (trap '' TERM; setsid sleep 300) & "
                   "while :; do sleep 0.1; done")
    executor.submit(run_id)
    tree = begun(executor, run_id, 1)
    executor.cancel(run_id)
    seen = wait(executor, run_id, "ended")
    assert seen.outcome == "cancelled" and "Cancelled" in seen.reason
    assert gone(tree)
    assert (executor.folder(run_id).outputs / "tidy").exists()


@needs_bubblewrap
def test_a_killed_supervisor_takes_its_program_along_and_is_noticed(executor):
    run_id = shell(executor, "a5", "(setsid sleep 300) & sleep 300")
    executor.submit(run_id)
    tree = begun(executor, run_id, 2)
    os.kill(executor.folder(run_id).claimant(1)["pid"], signal.SIGKILL)
    assert wait(executor, run_id, "lost").attempts == 1
    assert gone(tree)
    assert LocalExecutor(executor.runs_dir).observe(run_id).process == "lost"
    executor.submit(run_id)  # an attempt that began is never begun again
    time.sleep(0.5)
    assert executor.observe(run_id).process == "lost"
    executor.retry(run_id)
    assert executor.observe(run_id).process == "absent"
    executor.submit(run_id)
    assert wait(executor, run_id, "running").attempts == 2


@needs_bubblewrap
def test_a_supervisor_outlives_who_submitted_it(executor):
    run_id = shell(executor, "a6", "sleep 2; echo done > {out}/done")
    program = ("import sys, os, signal; from pathlib import Path; from voxelhub_service.executors.local import LocalExecutor\n"
               f"LocalExecutor(Path({str(executor.runs_dir)!r})).submit({run_id!r}); os.kill(os.getpid(), signal.SIGKILL)")
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", program]) == -signal.SIGKILL
    assert wait(executor, run_id, "ended").outcome == "ok"


@needs_bubblewrap
def test_shutdown_says_why(executor):
    run_id = shell(executor, "a7", "sleep 300")
    executor.submit(run_id)
    tree = begun(executor, run_id, 1)
    executor.shutdown()
    seen = executor.observe(run_id)
    assert (seen.process, seen.outcome) == ("ended", "failed") and "stopped" in seen.reason
    assert gone(tree)


def test_an_import_that_is_stopped_can_be_begun_anew(executor):
    run_id = shell(executor, "a8", "sleep 300", mode="trusted", again=True)
    executor.submit(run_id)
    tree = begun(executor, run_id, 1)
    executor.shutdown()
    assert executor.observe(run_id).process == "lost" and gone(tree)


def test_without_sandbox_a_killed_supervisor_leaves_nothing_after_the_sweep(executor):
    run_id = shell(executor, "b3", "setsid sleep 300 & sleep 300", mode="bare")
    executor.submit(run_id)
    tree = begun(executor, run_id, 2)
    os.kill(executor.folder(run_id).claimant(1)["pid"], signal.SIGKILL)
    wait(executor, run_id, "lost")
    executor.sweep(run_id)
    if limits.method() == "watchdog":
        pytest.skip("no cgroup here: without a sandbox, what a tool has detached can outlive a killed supervisor")
    assert gone(tree)
    assert not any(Path(folder).exists() for folder in executor.folder(run_id).read_status()["cgroup"]["folders"].values())


def test_a_supervisor_that_fails_itself_says_so(executor):
    run_id = shell(executor, "b4", "true", mode="bare")
    executor.folder(run_id).spec.write_text("{}")
    executor.submit(run_id)
    seen = wait(executor, run_id, "ended")
    assert seen.outcome == "failed" and "supervisor.log" in seen.reason
    assert "Traceback" in (executor.folder(run_id).path / "supervisor.log").read_text()


def test_a_supervisor_that_never_comes_up_is_given_up(executor, monkeypatch):
    run_id = shell(executor, "b5", "true", mode="bare")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    deadline = time.monotonic() + 240
    while (seen := executor.observe(run_id)).process != "ended" and time.monotonic() < deadline:
        executor.submit(run_id)
        time.sleep(0.05)
    assert (seen.process, seen.outcome) == ("ended", "failed") and "could not be started" in seen.reason


CASES = {
    "time": ("sleep 300", {"time": 1}, "longer than its limit"),
    "output": ("while :; do head -c 1000000 /dev/zero >> {out}/big; done", {"output": 5 * MIB}, "wrote more than"),
    "memory": (f"{os.path.realpath(sys.executable)} -c 'import time; a = bytearray(300 << 20); time.sleep(300)'",
               {"memory": 100 * MIB}, "more memory than"),
    "code": ("exit 7", {}, "ended with code 7"),
    "error line": ("echo '::error There is no image in it.'; exit 1", {}, "There is no image in it."),
    "signal": ("kill -9 $$", {}, "log says more"),
}


@needs_bubblewrap
@pytest.mark.parametrize("name", CASES)
def test_failures_are_sentences(executor, name):
    script, options, sentence = CASES[name]
    run_id = shell(executor, "f" + name.replace(" ", ""), script, **options)
    executor.submit(run_id)
    seen = wait(executor, run_id, "ended")
    assert seen.outcome == "failed" and sentence in seen.reason, seen
    assert seen.reason.endswith(".") and "/" not in seen.reason


def test_without_sandbox_the_tree_still_ends(executor):
    run_id = shell(executor, "b1", "sleep 300 & sleep 300", mode="bare")
    executor.submit(run_id)
    tree = begun(executor, run_id, 2)
    executor.cancel(run_id)
    assert wait(executor, run_id, "ended").outcome == "cancelled"
    assert gone(tree)


def test_a_program_that_is_not_there(executor):
    executor.prepare("b2", Job(command=["/no/such/program"], environ={}, cwd="/", outputs=str(executor.runs_dir), mode="bare"))
    executor.submit("b2")
    seen = wait(executor, "b2", "ended")
    assert seen.outcome == "failed" and "could not be started" in seen.reason and "/no" not in seen.reason


def test_a_zombie_or_a_reused_number_is_not_the_supervisor():
    assert alive({"pid": os.getpid(), "start": 1}) is False
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # it has ended, and is not collected
    start = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[19])
    assert alive({"pid": child, "start": start}) is False
    os.waitpid(child, 0)


def test_a_log_is_cut_in_the_middle_and_says_so(tmp_path):
    output = Output(tmp_path / "log", max_log=100, tail=40)
    for number in range(100):
        output.feed(b"line %02d\n" % number)
    output.feed(b"last words without an end")
    output.close()
    text = (tmp_path / "log").read_text()
    assert text.startswith("line 00\n") and text.endswith("last words without an end\n")
    assert "left" in text and "bytes out" in text and len(text) < 300


@pytest.mark.parametrize(("line", "progress", "text", "error"), [
    (b"::progress 0.25 a quarter\n", 0.25, "a quarter", ""),
    (b"::progress 1\n", 1.0, "", ""),
    (b"::progress 7 too much\n", 0.0, "", ""),
    (b"::progress 0.5 \x1b[31mred\xff\n", 0.5, "[31mred\ufffd", ""),
    (b"::error What went wrong.\n", 0.0, "", "What went wrong."),
])
def test_lines_for_us(tmp_path, line, progress, text, error):
    output = Output(tmp_path / "log")
    output.feed(line[:5])
    output.feed(line[5:])
    assert (output.progress, output.progress_text, output.error) == (progress, text, error)


def test_what_we_say_stands_in_the_log_whatever_the_program_is_printing(tmp_path):
    output = Output(tmp_path / "log")
    output.feed(b"begins\n::progress 0.5 sleep")
    output.note("its budget is spent")
    output.feed(b"ing\nends\n")
    output.close()
    assert (tmp_path / "log").read_text() == "begins\n[VoxelHub: its budget is spent]\nends\n"
    assert output.progress_text == "sleeping"


def test_status_is_never_half_a_file(executor):
    run_id = shell(executor, "c1", "for i in $(seq 300); do echo ::progress 0.$i x; done", mode="bare")
    executor.submit(run_id)
    deadline = time.monotonic() + 240
    while executor.observe(run_id).process != "ended" and time.monotonic() < deadline:
        path = executor.folder(run_id).status
        if path.exists():
            json.loads(path.read_text())
    assert executor.observe(run_id).outcome == "ok"
