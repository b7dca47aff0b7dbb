"""`voxelhub plan` and its sisters start the planner in its tool's environment, or say how to make that."""

import json
import sys
from pathlib import Path

import pytest
from support.installation import ENVS
from voxelhub_hub import planner_cli
from voxelhub_hub.cli import COMMANDS, main

NAMES = ("plan", "split", "seal", "open", "attack", "calibrate")


def test_without_the_environment_a_sentence_says_how_to_make_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VOXELHUB_ENVS_DIR", str(tmp_path))
    monkeypatch.setattr(planner_cli, "NEEDED", ("numpy", "a_package_of_nobody"))
    for name in NAMES:
        assert COMMANDS[name].help
        assert main([name, "--help"]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"voxelhub {name}: The planner's environment is not installed here.")
        assert "bootstrap.py tool-plan-slides" in said


def test_installed_together_the_same_python_serves(tmp_path):
    assert planner_cli.planner_python(tmp_path) == Path(sys.executable)  # these tests' own has numpy, scipy and the planner


@pytest.mark.skipif(not (ENVS / "tool-plan-slides/bin/python").exists(), reason="the tool's environment is not installed")
def test_a_plan_from_the_command_line(tmp_path, monkeypatch, capfd):
    """In a folder where somebody works on something that is called numpy, too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numpy.py").write_text("raise SystemExit('not this one')")
    work = {"format": "voxelhub-workload/1", "kb_per_patch": 100, "slides": [{"id": "a", "patches": 900}]}
    (tmp_path / "work.json").write_text(json.dumps(work))
    assert main(["plan", "example", "work.json", "--time", "1", "--json", "plans.json"]) == 0
    assert json.loads((tmp_path / "plans.json").read_text())["plans"]
    assert "invented" in capfd.readouterr().out
    assert main(["open", "no manifest", "no key", "out.json", "result"]) == 1
    assert "The key no key is not there" in capfd.readouterr().err
    assert main(["split"]) == 2
