"""A finished run as a notebook: executed for real, it runs the tool once more and holds the bytes against the recorded ones."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import nbformat
import pytest
import voxelhub
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support.live import LiveService, live_service
from support.probe import write_probe
from support.service import bearer
from support.specs import ENVS, install
from support.workplace import _working
from support.world import ROOT, add_project
from voxelhub import VoxelHubError
from voxelhub_sandbox.bubblewrap import unavailable
from voxelhub_service.datasets.demo import ensure_demo

pytestmark = [
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
    pytest.mark.skipif(not (ENVS / "imaging").exists(), reason="the environment imaging is not installed"),
]
DRIFTS = "rows.append(str(time.time_ns()))"


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[LiveService]:
    folder = tmp_path_factory.mktemp("again")
    tools = write_probe(folder / "tools")
    shutil.copytree(ROOT / "tools/dicom-to-nifti", tools / "dicom-to-nifti")
    with live_service(folder, envs_dir=ROOT / ".envs", tools_dir=str(tools)) as live:
        add_project(live.context)
        with _working(live.context, folder / "worker.log", {"tools_dir": str(tools)}):
            ensure_demo(live.context)
            yield live


@pytest.fixture(autouse=True)
def alice(service, monkeypatch) -> None:
    monkeypatch.setenv("VOXELHUB_API_URL", service.url)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-alice")
    monkeypatch.setenv("VOXELHUB_PROJECTS_DIR", str(service.context.settings.projects_dir))


def fetch(service: LiveService, run: voxelhub.Run) -> nbformat.NotebookNode:
    answer = httpx.get(f"{service.url}/runs/{run.id}/notebook", headers=bearer("alice"), trust_env=False)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/x-ipynb+json", answer.text
    notebook = nbformat.reads(answer.text, as_version=4)
    nbformat.validate(notebook)
    return notebook


def execute(notebook: nbformat.NotebookNode, folder: Path) -> str:
    """What its cells printed and showed."""
    install("imaging", folder)
    specs = KernelSpecManager(kernel_dirs=[str(folder / "kernels")])
    manager = AsyncKernelManager(kernel_name=notebook.metadata.kernelspec.name, kernel_spec_manager=specs)
    NotebookClient(notebook, km=manager, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return "\n".join(
        output.get("text", "") or str(output.get("data", {}).get("text/plain", ""))
        for cell in notebook.cells for output in cell.get("outputs", []))


def without_voxelhub(told: str, study: voxelhub.Entry, folder: Path) -> None:
    """Follows the appendix to the letter: the tool's folder, the inputs where it says, its command, and no VoxelHub."""
    shutil.copytree(ROOT / "tools/dicom-to-nifti", folder / "tool")
    place = told.split("* `", 1)[1].split("`", 1)[0]
    (folder / "tool" / place).mkdir(parents=True)
    for file in study.files():
        shutil.copyfile(file, folder / "tool" / place / file.name)
    script = told.split("```bash\n", 1)[1].split("```", 1)[0]
    environ = {"PATH": f"{ENVS}/tool-dicom-to-nifti/bin:/usr/bin:/bin"}
    subprocess.run(["bash", "-e", "-c", script], cwd=folder / "tool", env=environ, check=True)


def test_a_conversion_done_again_from_its_notebook_gives_the_same_bytes(service, tmp_path):
    study = voxelhub.dataset("Phantom chest CT").entry("CT series")
    first = voxelhub.run("dicom-to-nifti", study, arguments={"compress": True}, project="demo")
    made = first.wait()
    notebook = fetch(service, first)
    said = execute(notebook, tmp_path)
    assert f"The same bytes, {made.n_files} file(s): {made.digest}" in said
    newest = voxelhub.runs(project="demo")[0]
    assert newest.id != first.id and newest.compare(first).identical is True and newest.compare(first).differences == []
    assert "NiiVue" in said, "volumes are looked at"
    text = "\n".join(cell.source for cell in notebook.cells)
    lock = ROOT / "locks/tool-dicom-to-nifti.lock"
    assert voxelhub.uploading.sha256_of(lock) in text, "the lock that made the environment can be found again"
    assert "alice" not in text
    without_voxelhub(notebook.cells[-1].source, study, tmp_path)
    (path,) = made.files()
    assert (tmp_path / "tool/outputs" / path).read_bytes() == (made.path / path).read_bytes(), "as its last cell says"


def test_a_tool_that_gives_other_bytes_each_time_is_found_out(service, tmp_path):
    saved = voxelhub.save({"table.csv": "a,b\n1,2\n"}, "Numbers", project="demo")
    first = voxelhub.run("probe", inputs={"volume": saved}, script=DRIFTS, project="demo", version="1.0")
    first.wait()
    notebook = fetch(service, first)
    with pytest.raises(CellExecutionError, match="not the same bytes"):
        execute(notebook, tmp_path)
    printed = "\n".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "result.csv: other bytes" in printed


def test_a_changed_input_is_said_before_anything_runs(service, tmp_path):
    saved = voxelhub.save({"table.csv": "a,b\n3,4\n"}, "Changed", project="demo")
    first = voxelhub.run("probe", saved, project="demo")
    first.wait()
    notebook = fetch(service, first)
    for cell in notebook.cells:
        cell.source = cell.source.replace(saved.digest, "0" * 64)
    count = len(voxelhub.runs(project="demo"))
    with pytest.raises(CellExecutionError, match="is not what it was"):
        execute(notebook, tmp_path)
    assert len(voxelhub.runs(project="demo")) == count


def test_run_says_what_is_wrong_in_a_sentence():
    saved = voxelhub.save({"table.csv": "a\n1\n"}, f"Some {uuid.uuid4().hex}", project="demo")
    with pytest.raises(VoxelHubError) as refused:
        voxelhub.run("probe", saved, version="9.9", project="demo")
    assert refused.value.code == "not_found"
    with pytest.raises(VoxelHubError, match="Sleep"):
        voxelhub.run("probe", saved, arguments={"sleep": -1}, project="demo")
    with pytest.raises(VoxelHubError, match="works on entries and datasets"):
        voxelhub.run("probe", inputs={"volume": ["table.csv"]}, project="demo")  # type: ignore[list-item]
    again = voxelhub.run("probe", inputs={"volume": saved.entry("table.csv")}, arguments={"sleep": 0}, project="demo")
    assert again.wait().load().columns["sha256"] is not None
    assert voxelhub.Run.of(again.id).state == "succeeded"
    with pytest.raises(VoxelHubError, match="repeats no other run"):
        again.compare()
