"""The page for tool developers: its first tool is built and run exactly as printed, its reference is that of the schema."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.world import ROOT
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.tools import checking, reference

PAGE = (ROOT / "docs/tool-developer.md").read_text("utf-8")
FIRST = PAGE.partition("## Your first tool\n")[2].partition("\n## ")[0]
COMMANDS = re.findall(r"```sh\n(.*?)```", FIRST, re.DOTALL)[0].splitlines()
PROGRAM = re.findall(r"```python\n(.*?)```", FIRST, re.DOTALL)[0]


def test_the_reference_is_that_of_the_schema():
    assert reference.written(PAGE) == PAGE, "python -m voxelhub_service.tools.reference docs/tool-developer.md"
    assert all(f"| `{name}` |" in PAGE for name in checking.schema()["properties"] if name != "$schema")


def test_what_a_first_tool_needs_is_short():
    assert len(COMMANDS) + len(PROGRAM.splitlines()) < 30
    assert [shlex.split(line)[:2] for line in COMMANDS] == [["./voxelhub", "tool"]] * 4
    assert [shlex.split(line)[2] for line in COMMANDS] == ["new", "check", "run", "submit"]


@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
@pytest.mark.skipif(not (ROOT / ".envs/tool-base").exists(), reason="the environment tool-base is not installed")
def test_the_first_tool_is_built_as_printed(tmp_path):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VOXELHUB_")}
    environ |= {"VOXELHUB_STATE_DIR": str(tmp_path / "state"), "VOXELHUB_ENVS_DIR": str(ROOT / ".envs")}
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n")
    for line in COMMANDS[:-1]:
        arguments = shlex.split(line)[1:]
        done = subprocess.run([sys.executable, "-m", "voxelhub_hub.cli", *arguments], cwd=tmp_path, env=environ, text=True,
                              capture_output=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        if arguments[1] == "new":
            (tmp_path / "my-tool/main.py").write_text(PROGRAM)
    (made,) = tmp_path.rglob("summary.csv")
    assert made.read_text() == "lines\n3\n" and Path(made).is_file()
