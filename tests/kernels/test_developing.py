"""A tool of one's own from a notebook and its terminal, against the real service."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import voxelhub
from support.brought import tool_files
from support.live import LiveService, live_service
from support.world import ROOT
from voxelhub import VoxelHubError, developing
from voxelhub_service.tools import package

KERNEL = ROOT / ".envs" / "imaging" / "bin" / "python"


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("service"), envs_dir=ROOT / ".envs") as live:
        yield live


@pytest.fixture(autouse=True)
def alice(service, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("VOXELHUB_API_URL", service.url)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-alice")
    monkeypatch.chdir(tmp_path)


def test_new_check_and_submit():
    assert voxelhub.new_tool("lung-volume", "shell") == Path("lung-volume") and Path("lung-volume/main.sh").exists()
    said = voxelhub.check_tool("lung-volume")
    assert said.ok and repr(said) == "It can be submitted."
    Path("lung-volume/bad.py").write_text("import requests\n")
    assert "look   Line 1 of `bad.py` seems to use the network" in repr(voxelhub.check_tool(Path("lung-volume")))
    row = voxelhub.submit_tool("lung-volume", "Please.")
    assert (row["name"], row["state"], row["note"]) == ("lung-volume", "submitted", "Please.")
    with pytest.raises(VoxelHubError, match="a version never changes"):
        voxelhub.submit_tool("lung-volume")
    with pytest.raises(VoxelHubError, match="already; nothing was written"):
        voxelhub.new_tool("lung-volume")
    with pytest.raises(VoxelHubError) as refused:
        voxelhub.new_tool("../x")
    assert refused.value.code == "invalid_request"


def test_what_is_refused(monkeypatch):
    for folder, part in (("gone", "no such folder"), (".", "no tool.json")):
        with pytest.raises(VoxelHubError, match=part):
            voxelhub.check_tool(folder)
    package.write(tool_files(), Path("rows"))
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-bob")
    with pytest.raises(VoxelHubError, match="Only tool developers submit tools"):
        voxelhub.check_tool("rows")
    Path("rows/link").symlink_to("/etc/passwd")
    with pytest.raises(VoxelHubError, match="link or another special file"):
        voxelhub.submit_tool("rows")


def test_it_packs_to_the_same_bytes_as_the_service():
    package.write(tool_files(add={"a-b/c.txt": "x", "a/d.txt": "x"}), Path("rows"))
    Path("rows/.hidden").write_text("x")
    assert developing.pack(Path("rows")) == package.pack(Path("rows"), 10**6)


@pytest.mark.skipif(not KERNEL.exists(), reason="the environment imaging is not installed")
def test_in_a_terminal_of_the_notebook_server():
    """In the kernel's own environment, which has nothing of the trusted zone."""

    def terminal(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [KERNEL, "-m", "voxelhub", "tool", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))

    assert "a tool that works" in terminal("new", "row-means").stdout
    done = terminal("check", "row-means")
    assert (done.returncode, done.stdout) == (0, "It can be submitted.\n"), done.stderr
    assert "row-means 0.1.0 was submitted" in terminal("submit", "row-means", "--note", "x").stdout
    done = terminal("submit", "row-means")
    assert done.returncode == 1 and "a version never changes" in done.stderr and "Traceback" not in done.stderr
    Path("row-means/tool.json").write_text("{}")
    done = terminal("check", "row-means")
    assert done.returncode == 1 and "wrong  `name` is missing." in done.stdout
    assert "--note" in terminal("submit", "--help").stdout
