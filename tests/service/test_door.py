"""Imports through the door: what comes in, what stays out, and that no name of a clinical upload is anywhere afterwards."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest
from sqlalchemy import select, update
from support import databases
from support.service import bearer, make_service
from support.study import SHARED
from support.uploads import Lease, announce, bring_in, held_in, import_run, open_project, publish_import, send, sha256
from support.world import ROOT, run_row
from voxelhub_service.database import reading, writing
from voxelhub_service.datasets import order, quarantine
from voxelhub_service.datasets.fsck import leftovers
from voxelhub_service.datasets.phantom import write_phantom
from voxelhub_service.errors import Problem
from voxelhub_service.imports import importing
from voxelhub_service.models import DatasetVersion, Entry, File, Project, Upload, UploadFile
from voxelhub_service.runs import publishing

PLANTED = "PLANTED^PATIENT"


@pytest.fixture
def service(tmp_path: Path) -> Any:
    client, context = make_service(tmp_path, min_free=0, door_workers=1, door_text=False, envs_dir=ROOT / ".envs")
    open_project(context)
    open_project(context, "alpha", open=False)
    return client, context


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom(folder)
    found = {}
    for path in sorted((folder / "chest-ct").iterdir())[:4]:
        data = pydicom.dcmread(path)
        data.PatientName = PLANTED
        out = io.BytesIO()
        data.save_as(out)
        found[f"{PLANTED}/{path.name}"] = out.getvalue()
    return found


def files_of(context: Any, version: DatasetVersion) -> dict[str, str]:
    with reading(context.engine) as session:
        return dict(session.execute(select(File.path, File.sha256).where(File.version_id == version.id)).all())


def entries_of(context: Any, version: DatasetVersion) -> dict[str, Entry]:
    with reading(context.engine) as session:
        return {one.name: one for one in session.scalars(select(Entry).where(Entry.version_id == version.id))}


def state_bytes(context: Any) -> bytes:
    return b"".join(path.read_bytes() + os.fsencode(path) for path in context.settings.state_dir.rglob("*") if path.is_file())


def test_a_clinical_study_comes_in_clean(service: Any, study: dict[str, bytes]) -> None:
    client, context = service
    run = send(client, study, project="alpha")
    version = publish_import(context, run["id"])
    files = files_of(context, version)
    report = f"deidentification-{run['label']}.jsonl"
    assert len(files) == len(study) + 1 and report in files
    assert {one.kind for one in entries_of(context, version).values()} == {"series", "text"}
    lines = (context.settings.projects_dir / "alpha/data/v1" / report).read_text().splitlines()
    assert {json.loads(line)["path"] for line in lines} == set(files) - {report}
    assert leftovers(context, True) == []
    everything = state_bytes(context)
    for planted in (PLANTED, PLANTED.partition("^")[0], next(iter(study)).rpartition("/")[2]):
        assert planted.encode() not in everything


def test_names_of_a_clinical_upload_are_its_owners_while_it_is_open(service: Any, study: dict[str, bytes]) -> None:
    client, context = service
    upload = announce(client, study, project="alpha").json()
    assert {file["path"] for file in upload["files"]} == set(study)
    again = client.get(f"/uploads/{upload['id']}", headers=bearer("alice")).json()
    assert {file["path"] for file in again["files"]} == set(study)
    with reading(context.engine) as session:
        assert set(session.scalars(select(UploadFile.path))) == {order.number(n) for n in range(1, len(study) + 1)}
    folder = context.settings.uploads_dir / upload["id"]
    assert folder.stat().st_mode & 0o077 == 0 == (folder / order.FILE).stat().st_mode & 0o077
    assert PLANTED.encode() not in databases.everything(context)
    client.delete(f"/uploads/{upload['id']}", headers=bearer("alice"))
    assert PLANTED.encode() not in state_bytes(context)


def test_what_is_held_keeps_its_name_beside_its_bytes_only(service: Any, study: dict[str, bytes]) -> None:
    client, context = service
    files = {**study, f"{PLANTED}.docx": b"PK\x03\x04 no archive", f"{PLANTED}.zip": b"hello"}
    run = send(client, files, project="alpha")
    publish_import(context, run["id"])
    held = held_in(context, run["id"])
    assert {quarantine.name_of(context, one) for one in held} == {f"{PLANTED}.docx", f"{PLANTED}.zip"}
    assert all(one.reason.endswith(".") and PLANTED not in one.reason for one in held)
    assert run_row(context, run["id"]).reason == "All but what waits is in: 2 files wait in quarantine."
    assert PLANTED.encode() not in databases.everything(context)


def test_nothing_is_linked_into_a_clinical_upload(service: Any) -> None:
    client, context = service
    data = b"a,b\n1,2\n"
    bring_in(client, context, {"a.csv": data}, project="alpha")
    answer = client.post("/uploads", headers=bearer("alice"), json={"project": "alpha", "title": "More", "files": [
        {"path": "a.csv", "size": len(data), "sha256": sha256(data)}]}).json()
    assert [file["present"] for file in answer["files"]] == [False]


def test_the_order_of_files_changes_nothing(service: Any, study: dict[str, bytes]) -> None:
    """The same file twice counts once; two contents at the same place both get the digest into their name."""
    client, context = service
    slices = list(study.values())
    changed = pydicom.dcmread(io.BytesIO(slices[0]))
    changed.PixelData = bytes(len(changed.PixelData))
    out = io.BytesIO()
    changed.save_as(out)
    contents = [slices[0], out.getvalue(), slices[1], slices[1]]
    found = []
    for title, some in (("One", contents), ("Other", contents[::-1])):
        version = bring_in(client, context, {f"{n}.dcm": data for n, data in enumerate(some)}, project="alpha", title=title)
        found.append({path: digest for path, digest in files_of(context, version).items() if not path.endswith(".jsonl")})
    assert found[0] == found[1] and len(found[0]) == 3
    assert sum("-" in Path(path).name for path in found[0]) == 2
    assert run_row(context, version.run_id).reason == "1 file was a copy of others."


def test_adding_to_a_dataset(service: Any, study: dict[str, bytes]) -> None:
    client, context = service
    slices = list(study.items())
    first = bring_in(client, context, {**dict(slices[:3]), "notes.txt": b"old\n", "kept.csv": b"a,b\n1,2\n"})
    entry = entries_of(context, first)["kept.csv"]
    words = {"name": "My table", "data_type": "structured-data"}
    answer = client.patch(f"/entries/{entry.id}", json=words, headers=bearer("alice"))
    assert answer.status_code == 200, answer.text
    second = bring_in(client, context, {**dict(slices[3:]), "notes.txt": b"new\n"}, mode="add")
    files, entries = files_of(context, second), entries_of(context, second)
    assert (second.number, len(files)) == (2, 6)
    assert {path for path in files if files[path] != files_of(context, first).get(path)} == {slices[3][0], "notes.txt"}
    assert (entries["My table"].data_type, entries["My table"].path) == ("structured-data", "kept.csv")
    assert [one.n_files for one in entries.values() if one.kind == "series"] == [4]
    folder = context.settings.projects_dir / "demo/data"
    assert (folder / "v1/kept.csv").samefile(folder / "v2/kept.csv")
    third = bring_in(client, context, {"kept.csv": b"a,b\n1,2\n"})
    assert list(entries_of(context, third)) == ["My table"], "the same bytes keep their corrected name"


def test_what_was_added_to_must_still_be_the_last_version(service: Any) -> None:
    client, context = service
    bring_in(client, context, {"a.txt": b"1\n"})
    late = send(client, {"b.txt": b"2\n"}, mode="add")
    importing.stage(context, late["id"], lambda *_: None)
    bring_in(client, context, {"c.txt": b"3\n"}, mode="add")
    with pytest.raises(Problem, match="Another version"):
        publishing.publish_run(context, Lease(), late["id"])  # type: ignore[arg-type]
    with reading(context.engine) as session:
        assert list(session.scalars(select(DatasetVersion.number).order_by(DatasetVersion.number))) == [1, 2]


def test_a_project_that_becomes_clinical_takes_in_nothing_uncleaned(service: Any) -> None:
    client, context = service
    waiting = announce(client, {"a.txt": b""}).json()
    run = send(client, {"a.txt": b"1\n"})
    importing.stage(context, run["id"], lambda *_: None)
    with writing(context.engine) as session:
        session.execute(update(Project).where(Project.name == "demo").values(open=False))
    with pytest.raises(Problem, match="became clinical"):
        publishing.publish_run(context, Lease(), run["id"])  # type: ignore[arg-type]
    refused = client.post(f"/uploads/{waiting['id']}/complete", headers=bearer("alice"))
    assert (refused.status_code, refused.json()["code"]) == (409, "project_changed")
    with reading(context.engine) as session:
        assert session.scalar(select(Upload.clinical).where(Upload.id == waiting["id"])) is False


def test_an_archive_of_a_study(service: Any, study: dict[str, bytes]) -> None:
    client, context = service
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in study.items():
            archive.writestr(name, data)
        archive.writestr("inner.zip", b"PK\x05\x06" + bytes(18))
    run = send(client, {f"{PLANTED}.zip": out.getvalue()}, project="alpha")
    version = publish_import(context, run["id"])
    assert version.n_files == len(study) + 1
    assert [one.code for one in held_in(context, run["id"])] == ["archive_inside"]


def test_a_worker_that_wrote_a_link_loses_the_file(service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was taken over by its file cannot make the coordinator publish another file of the machine."""
    client, context = service
    run = send(client, {"a.csv": b"a,b\n1,2\n", "b.csv": b"a,b\n3,4\n"}, project="alpha")
    real = importing.pass_files

    def taken_over(*given: Any) -> Any:
        result = real(*given)
        result.passed[0].source.unlink()
        result.passed[0].source.symlink_to(context.settings.secrets_dir / "audit-key")
        return result

    monkeypatch.setattr(importing, "pass_files", taken_over)
    assert publish_import(context, run["id"]).n_files == 2
    assert [one.code for one in held_in(context, run["id"])] == ["reader_failed"]


DICOM = SHARED / "dicom"


@pytest.mark.skipif(not DICOM.is_dir(), reason="the test inputs are not on this machine")
@pytest.mark.parametrize("project", ["demo", "alpha"])
def test_every_awkward_file_is_released_or_held(service: Any, project: str) -> None:
    client, context = service
    files = {str(path.relative_to(DICOM)): path.read_bytes() for path in sorted(DICOM.rglob("*")) if path.is_file()}
    run = send(client, files, project=project, unpack=False)
    version = import_run(context, run["id"])
    assert version is not None
    held = held_in(context, run["id"])
    assert all(one.reason.endswith(".") for one in held)
    released = [path for path in files_of(context, version) if not path.endswith(".jsonl")]
    assert run_row(context, run["id"]).state == "succeeded"
    if project == "demo":
        assert len(released) + len(held) == len(files)
    print({code: sum(one.code == code for one in held) for code in {one.code for one in held}}, len(released), len(files))
