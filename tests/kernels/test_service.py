"""What a notebook does, against the real service and worker: save, find, load, run a tool, be refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import voxelhub
from support.live import LiveService, live_service
from support.world import GIB, ROOT, add_project
from voxelhub import VoxelHubError
from voxelhub_service.context import Context
from voxelhub_service.database import writing
from voxelhub_service.datasets.demo import ensure_demo
from voxelhub_service.models import Project

AFFINE = np.array([[-1.5, 0, 0, 40], [0, -1.5, 0, 50], [0, 0, 3, -60], [0, 0, 0, 1.0]])


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("service"), envs_dir=ROOT / ".envs") as live:
        add_project(live.context)
        add_project(live.context, "alpha")
        with working(live.context):
            yield live


@contextmanager
def working(context: Context) -> Iterator[None]:
    """The worker as the supervisor starts it: a process of its own."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VOXELHUB_")}
    environ |= {"VOXELHUB_STATE_DIR": str(context.settings.state_dir), "VOXELHUB_ENVS_DIR": str(context.settings.envs_dir)}
    with (context.settings.state_dir / "worker.log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-m", "voxelhub_service.runs.worker"], env=environ, stdout=log, stderr=log)
        try:
            yield
        finally:
            worker.terminate()
            worker.wait(120)


@pytest.fixture(autouse=True)
def bob(service, monkeypatch) -> None:
    """Bob is a member of demo; his only other project is his own, which is clinical."""
    monkeypatch.setenv("VOXELHUB_API_URL", service.url)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-bob")
    monkeypatch.setenv("VOXELHUB_PROJECTS_DIR", str(service.context.settings.projects_dir))


def some_volume(value: int = 0) -> voxelhub.Volume:
    array = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4) + value
    return voxelhub.Volume(array, AFFINE)


def test_a_volume_is_saved_found_and_loaded_again():
    saved = voxelhub.save(some_volume(), "Round trip", project="demo")
    assert (saved.title, saved.project, saved.version) == ("Round trip", "demo", 1)
    found = voxelhub.dataset("Round trip")
    assert found == saved
    assert found in voxelhub.datasets(project="demo", q="round")
    assert [path.name for path in found.files()] == ["round-trip.nii.gz"]
    loaded = found.load()
    np.testing.assert_array_equal(loaded.array, some_volume().array)
    np.testing.assert_allclose(loaded.affine, AFFINE, atol=1e-4)
    assert (found.path / found.files()[0]).is_file()


def test_saving_a_title_again_makes_a_version_and_keeps_the_old_one():
    voxelhub.save({"a.txt": "one\n"}, "Versions", project="demo")
    second = voxelhub.save({"a.txt": "two\n"}, "Versions", project="demo")
    assert second.version == 2
    assert second.load() == "two\n"
    assert second.at(1).load() == "one\n"
    assert voxelhub.dataset("Versions", version=1).version == 1
    with pytest.raises(VoxelHubError, match="has no version 3"):
        second.at(3)


def test_a_folder_keeps_its_structure_and_each_entry_has_its_kind(tmp_path, series):
    series(tmp_path / "out/CT")
    voxelhub.write_nifti(some_volume(), tmp_path / "out/mask.nii.gz")
    (tmp_path / "out/table.csv").write_text("name,ml\nnodule,1.7\n")
    (tmp_path / "out/notes.txt").write_text("Good.")
    (tmp_path / "out/raw.xyz").write_bytes(bytes(100))
    saved = voxelhub.save(tmp_path / "out", "Mixed", project="demo")
    kinds = sorted(entry.kind for entry in saved.entries())
    assert kinds == ["file", "series", "table", "text", "volume"]
    by_kind = {entry.kind: entry for entry in saved.entries()}
    assert by_kind["series"].load().shape == (6, 5, 4)
    assert len(by_kind["series"].files()) == 4
    assert by_kind["table"].load()["ml"].tolist() == [1.7]
    assert by_kind["text"].load() == "Good."
    with pytest.raises(VoxelHubError, match="no reader"):
        by_kind["file"].load()
    with pytest.raises(VoxelHubError, match="Name one of them"):
        saved.load()
    assert voxelhub.entry(by_kind["table"].id) == by_kind["table"]
    assert "<table>" in saved._repr_html_()


def test_the_users_choice_of_type_stands(tmp_path):
    saved = voxelhub.save(some_volume(7), "Typed", project="demo", data_type="segmentation-mask")
    assert [entry.data_type for entry in saved.entries()] == ["segmentation-mask"]
    with pytest.raises(VoxelHubError):
        voxelhub.save(some_volume(8), "Typed wrongly", project="demo", data_type="no-such-type")


def test_known_bytes_are_not_sent_again(monkeypatch, tmp_path):
    (tmp_path / "big.bin").write_bytes(np.random.default_rng(1).bytes(300_000))
    voxelhub.save(tmp_path / "big.bin", "First", project="demo")
    sent: list[int] = []
    monkeypatch.setattr("voxelhub.saving.send_file", lambda *_: sent.append(1))
    voxelhub.save(tmp_path / "big.bin", "Second", project="demo")
    assert sent == []


def test_an_interrupted_save_goes_on_where_it_stopped(monkeypatch, tmp_path):
    import voxelhub.uploading as uploading

    monkeypatch.setattr(uploading, "CHUNK", 100_000)
    content = np.random.default_rng(2).bytes(1_000_000)
    (tmp_path / "scan.bin").write_bytes(content)
    real, calls = uploading._patch, []

    def interrupted(url, path, offset, length):
        calls.append(offset)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(url, path, offset, length)

    monkeypatch.setattr(uploading, "_patch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        voxelhub.save(tmp_path / "scan.bin", "Interrupted", project="demo")
    saved = voxelhub.save(tmp_path / "scan.bin", "Interrupted", project="demo")
    assert calls[4] == 300_000
    assert (saved.path / "scan.bin").read_bytes() == content


@pytest.mark.parametrize(("arguments", "words"), [
    ({"project": "alpha"}, "nothing here under this name"),  # not a member: as if it did not exist
    ({"project": "no-such-project"}, "nothing here under this name"),
])
def test_refusals_of_the_service_arrive_in_its_words(arguments, words):
    voxelhub.projects()  # makes the personal project
    with pytest.raises(VoxelHubError, match=words):
        voxelhub.save({"a.txt": "x\n"}, "Refused", **arguments)


def test_into_a_clinical_project_it_passes_the_door():
    voxelhub.projects()  # makes the personal project, which is clinical
    saved = voxelhub.save({"Erika Mustermann.nii.gz": some_volume(), "Erika.txt": "Erika\n"}, "Cleaned", project="home-bob")
    assert [entry.kind for entry in saved.entries() if entry.file_format == "nifti"] == ["volume"]
    assert not any("Erika" in str(path) for path in saved.files())
    with pytest.raises(VoxelHubError, match="Nothing was released: 1 file waits in quarantine") as refused:
        voxelhub.save({"Erika.txt": "Erika\n"}, "Held", project="home-bob")
    assert refused.value.code == "nothing_released"


def test_without_a_project_the_only_open_one_is_taken():
    assert [p.name for p in voxelhub.projects() if p.open] == ["demo"]
    assert voxelhub.save({"a.txt": "y\n"}, "By default").project == "demo"


def test_names_that_fit_several_or_nothing_are_refused_with_what_there_is():
    voxelhub.save({"a.txt": "1\n"}, "Twin one", project="demo")
    voxelhub.save({"a.txt": "2\n"}, "Twin two", project="demo")
    with pytest.raises(VoxelHubError, match=r"“Twin (one|two)”, “Twin (one|two)”"):
        voxelhub.dataset("Twin")
    with pytest.raises(VoxelHubError, match="There is no dataset “nowhere”"):
        voxelhub.dataset("nowhere")
    with pytest.raises(VoxelHubError) as refusal:
        voxelhub.dataset("f" * 32)
    assert refusal.value.code == "not_found"


def test_a_project_that_is_not_mounted_says_to_restart(monkeypatch, tmp_path):
    saved = voxelhub.save({"a.txt": "z\n"}, "Unmounted", project="demo")
    monkeypatch.setenv("VOXELHUB_PROJECTS_DIR", str(tmp_path))
    with pytest.raises(VoxelHubError, match="Restart the server"):
        saved.load()
    assert saved.entries()[0].name  # the catalogue still answers


def test_without_a_valid_token_it_says_so(monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "forged")
    with pytest.raises(VoxelHubError) as refusal:
        voxelhub.datasets()
    assert refusal.value.code == "unauthenticated"
    assert "forged" not in str(refusal.value)


def test_a_tool_runs_on_a_series_and_its_result_is_the_same_volume(tmp_path, series):
    if not (ROOT / ".envs/tool-dicom-to-nifti").exists():
        pytest.skip("the environment tool-dicom-to-nifti is not installed")
    study = voxelhub.save(series(tmp_path / "CT"), "Study for a tool", project="demo")
    [tool] = [tool for tool in voxelhub.tools(study) if tool.name == "dicom-to-nifti"]
    assert tool.eligible, tool.reason
    result = voxelhub.run(tool, study).wait()
    assert result.project == "demo"
    ours, theirs = study.load().to_ras(), result.load().to_ras()
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-3)
    np.testing.assert_allclose(ours.array, theirs.array, atol=1e-3)
    assert "Convert 4 DICOM" in voxelhub.runs("demo")[0].log()
    assert voxelhub.runs("demo")[0].state == "succeeded"


def test_a_tool_that_does_not_fit_says_why():
    text = voxelhub.save({"a.txt": "no image\n"}, "No image", project="demo")
    with pytest.raises(VoxelHubError) as refusal:
        voxelhub.run("dicom-to-nifti", text)
    assert refusal.value.code == "not_eligible"
    with pytest.raises(VoxelHubError, match="There is no tool nothing"):
        voxelhub.run("nothing", text)


def test_quota_is_respected(service):
    with writing(service.context.engine) as session:
        project = session.query(Project).filter_by(name="demo").one()
        project.quota_bytes = project.used_bytes + 10
    try:
        with pytest.raises(VoxelHubError) as refusal:
            voxelhub.save({"a.bin": bytes(1000)}, "Too much", project="demo")
        assert refusal.value.code == "quota_exceeded"
    finally:
        with writing(service.context.engine) as session:
            session.query(Project).filter_by(name="demo").one().quota_bytes = 10 * GIB


def test_the_first_study_runs_from_end_to_end(service, tmp_path, monkeypatch):
    """The notebook a stranger opens first, in the real kernel, on the phantom that every installation holds."""
    from support.notebooks import run_notebook

    ensure_demo(service.context)
    for name, value in {"VOXELHUB_API_URL": service.url, "JUPYTERHUB_API_TOKEN": "token-of-bob"}.items():
        monkeypatch.setenv(name, value)
    notebook = run_notebook("first-study", "imaging", tmp_path)
    printed = [output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("overlap with the mask (Dice) 1.00" in text for text in printed)
    result = voxelhub.dataset("First study: nodule", project="demo")
    assert result.load("measurements")["volume_ml"][0] == pytest.approx(4 / 3 * np.pi * 1.4**3, rel=0.05)
    phantom = voxelhub.dataset("Phantom", project="demo")
    np.testing.assert_allclose(result.load("nodule.nii.gz").affine, phantom.load("nodule-mask").affine, atol=1e-3)
