""".ci/run: the tests on Kubernetes after the others, and never longer than the hour."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.installation import ROOT

HOUR, LAST = 3420, 180
# In place of make: notes what it was asked for, with the stage's environment, and ends as the test says.
MAKE = """#!/bin/bash
echo "$1|${VOXELHUB_KUBERNETES_SKIP:-}|${VOXELHUB_KUBERNETES_UNTIL:-}|${*: -1}" >>"$NOTES"
sleep "${SLEEP:-0}"
code=CODE_${1//-/_}
exit "${!code:-0}"
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in {"make": MAKE, "go": "#!/bin/sh\n", "df": "#!/bin/sh\necho Avail\necho ${FREE:-50000000}\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    for name in ("bash", "dirname", "date", "timeout", "sleep", "tail"):
        (folder / name).symlink_to(next(path for one in ("/bin", "/usr/bin") if (path := Path(one, name)).exists()))
    return folder


def run(programs: Path, after: int = 1800, **environ: str) -> tuple[int, list[list[str]]]:
    """The script as if it had begun `after` seconds ago: its exit code, and the calls of make."""
    notes = programs / "notes"
    done = subprocess.run([ROOT / ".ci" / "run"], check=False, timeout=60, env={
        "PATH": str(programs), "NOTES": str(notes), "SECONDS": str(after), **environ})
    return done.returncode, [line.split("|") for line in notes.read_text().splitlines()]


def test_kubernetes_is_built_and_tested_after_the_rest(programs: Path) -> None:
    began = time.time()
    code, calls = run(programs)
    assert code == 0 and [call[0] for call in calls] == ["test", "kubernetes-images", "test-kubernetes"]
    skip, until, options = calls[-1][1:]
    assert not skip and -2 <= float(until) + LAST - (began + HOUR - 1800) <= 60
    assert "--timeout 1" in options  # 1800 s less what the calls took


@pytest.mark.parametrize("failing", ["test", "kubernetes_images", "test_kubernetes"])
def test_what_fails_fails_the_run_and_nothing_comes_after_it(programs: Path, failing: str) -> None:
    code, calls = run(programs, **{f"CODE_{failing}": "2"})
    assert code == 2 and calls[-1][0] == failing.replace("_", "-")


def test_where_the_hour_is_nearly_over_the_tests_are_skipped_with_the_reason(programs: Path) -> None:
    code, calls = run(programs, 2700)
    assert code == 0 and [call[0] for call in calls] == ["test", "test-kubernetes"]
    assert calls[-1][1] == "the other tests took 45 minutes, which leaves no time to build Kubernetes"


def test_after_the_hour_too(programs: Path) -> None:
    code, calls = run(programs, 4000)
    assert code == 0 and calls[-1][0] == "test-kubernetes" and "66 minutes" in calls[-1][1]
    assert f"--timeout {LAST}" in calls[-1][3]


def test_a_build_that_takes_too_long_is_ended_and_said(programs: Path) -> None:
    timeout = programs / "timeout"
    real = timeout.resolve()
    timeout.unlink()
    timeout.write_text(f'#!/bin/sh\nSLEEP=30 exec {real} "$1" 1 "$3" "$4"\n')  # 1 second in place of ten minutes
    timeout.chmod(0o755)
    code, calls = run(programs)
    assert code == 0 and [call[0] for call in calls] == ["test", "kubernetes-images", "test-kubernetes"]
    assert re.fullmatch(r"Kubernetes and the images were not built within 1(1\d\d|200) s", calls[-1][1])


def test_without_room_on_the_disk_they_are_skipped_with_the_reason(programs: Path) -> None:
    code, calls = run(programs, FREE="20000000")
    assert code == 0 and [call[0] for call in calls] == ["test", "test-kubernetes"] and "less than 30 GB" in calls[-1][1]


def test_without_go_they_are_skipped_with_the_reason(programs: Path) -> None:
    (programs / "go").unlink()
    code, calls = run(programs)
    assert code == 0 and [call[0] for call in calls] == ["test", "test-kubernetes"] and "Go" in calls[-1][1]


@pytest.mark.parametrize(("setting", "reason"), [("SKIP", "no time today"), ("UNTIL", "1")])
def test_the_tests_are_skipped_with_the_reason(tmp_path: Path, setting: str, reason: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in {"KUBECONFIG", "PYTEST_XDIST_WORKER"}}
    command = [sys.executable, "-m", "pytest", "-m", "kubernetes", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'inner'}",
               "tests/kubernetes/test_cluster.py"]
    done = subprocess.run(command, cwd=ROOT, env={**environ, f"VOXELHUB_KUBERNETES_{setting}": reason}, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0 and " passed" not in done.stdout and " skipped" in done.stdout.splitlines()[-1], done.stdout
    assert {"SKIP": "No cluster: no time today", "UNTIL": "was over before this one"}[setting] in done.stdout


def test_what_it_asks_of_make_is_there() -> None:
    for target in ("test", "kubernetes-images", "test-kubernetes"):
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False).returncode == 0, target
