"""What a run says its environment was made from."""

import hashlib
import json

import pytest
from voxelhub_service.runs.origins import recorded


@pytest.fixture
def places(tmp_path):
    """A tool's folder and the folder of environments."""
    tool, envs = tmp_path / "tool", tmp_path / "envs"
    tool.mkdir()
    (envs / "stamps").mkdir(parents=True)
    return tool, envs


def environment(envs, name, python="3.11.7"):
    folder = envs / name
    folder.mkdir()
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nimplementation = CPython\nversion_info = {python}\n")
    return folder


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_lock_that_the_set_up_left_there_comes_first(places):
    tool, envs = places
    (tool / "tool.json").write_text(json.dumps({"name": "t"}))
    folder = environment(envs, "tool-t")
    (envs / "stamps" / "tool-t").write_text("stamp")
    assert recorded(tool, folder)["environment"] == {"name": "tool-t", "digest": sha256("stamp"), "python": "3.11.7"}
    (folder / "voxelhub.lock").write_text("numpy==2.4\n")
    found = recorded(tool, folder)
    assert found["environment"]["digest"] == sha256("numpy==2.4\n"), "as `sha256sum locks/tool-t.lock` gives it"
    assert found["manifest"] == {"name": "t"}


def test_the_environment_of_a_tool_that_brought_its_own_lock(places):
    tool, envs = places
    (tool / "tool.json").write_text(json.dumps({"name": "t", "lock": "requirements.lock"}))
    (tool / "requirements.lock").write_text("scipy==1.17\n")
    own = sha256("scipy==1.17\n")
    assert recorded(tool, environment(envs, f"tool-t-{own[:12]}"))["environment"]["digest"] == own
    assert recorded(tool, environment(envs, "shared"))["environment"]["digest"] is None, "it made another"


def test_what_nobody_knows_is_not_guessed(places):
    tool, envs = places
    (tool / "tool.json").write_text("{}")
    folder = envs / "bare"
    folder.mkdir()
    assert recorded(tool, folder)["environment"] == {"name": "bare", "digest": None, "python": ""}
