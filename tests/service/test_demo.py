"""The demonstration data and the previews made of it: the voxels and the geometry that we know."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from support.installation import ENVS
from support.service import bearer, make_service
from support.uploads import bring_in, open_project
from voxelhub_service.database import reading
from voxelhub_service.datasets import derived
from voxelhub_service.datasets.demo import ensure_demo
from voxelhub_service.datasets.phantom import make_phantom
from voxelhub_service.models import DatasetVersion, Run
from voxelhub_service.projects.store import project_by_name

READY = (ENVS / derived.ENVIRONMENT / "bin/dcm2niix").is_file() and derived.unavailable() is None
needs_converter = pytest.mark.skipif(not READY, reason="dcm2niix or the sandbox is not here")


@pytest.fixture
def service(tmp_path: Path) -> Any:
    client, context = make_service(tmp_path, min_free=0, envs_dir=ENVS)
    ensure_demo(context)
    return client, context


def series(client: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/entries", params={"data_type": "ct-image"}, headers=bearer("bob")).json()["items"][0]
    return found


def test_it_is_published_once(service: Any) -> None:
    client, context = service
    ensure_demo(context)
    page = client.get("/entries", params={"sort": "name"}, headers=bearer("bob")).json()
    assert [(e["name"], e["data_type"]) for e in page["items"]] == [
        ("CT series 1 (56 slices)", "ct-image"), ("nodule-mask.nii.gz", "segmentation-mask")]
    with reading(context.engine) as session:
        assert len(session.query(DatasetVersion).all()) == len(session.query(Run).all()) == 1
        assert session.query(Run).one().state == "succeeded"
    dataset = page["items"][0]["dataset_id"]
    client.delete(f"/datasets/{dataset}", headers=bearer("bob"))
    ensure_demo(context)
    assert client.get("/entries", headers=bearer("bob")).json()["total"] == 0, "what people delete does not come back"


def test_a_project_that_was_made_clinical_before_stays_so(tmp_path: Path) -> None:
    client, context = make_service(tmp_path, min_free=0)
    open_project(context, "demo", open=False)
    ensure_demo(context)
    assert client.get("/entries", headers=bearer("bob")).json()["total"] == 2
    with reading(context.engine) as session:
        found = project_by_name(session, "demo")
        assert found is not None and not found.open


@needs_converter
def test_the_preview_is_the_phantom(service: Any, tmp_path: Path) -> None:
    client, _ = service
    entry = series(client)
    view = client.get(f"/entries/{entry['id']}/view", headers=bearer("bob")).json()
    assert view["kind"] == "volume"
    answer = client.get(view["content_path"], headers=bearer("bob"))
    (tmp_path / "a.nii.gz").write_bytes(answer.content)
    got = nibabel.as_closest_canonical(nibabel.load(tmp_path / "a.nii.gz"))
    phantom = make_phantom()
    want = nibabel.as_closest_canonical(nibabel.Nifti1Image(phantom.ct, phantom.affine))
    assert np.array_equal(np.asarray(got.dataobj), np.asarray(want.dataobj))
    assert np.allclose(got.affine, want.affine, atol=1e-3)
    assert bytes(got.header["descrip"]).strip(b"\0") == b"" and bytes(got.header["aux_file"]).strip(b"\0") == b""
    part = client.get(view["content_path"], headers={**bearer("bob"), "Range": "bytes=10-19"})
    assert part.content == answer.content[10:20]


@needs_converter
def test_many_who_look_at_once_make_it_once(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, context = service
    entry, calls, real = series(client), [], derived._convert
    monkeypatch.setattr(derived, "_convert", lambda *given: (calls.append(1), real(*given)))
    answers: list[bytes] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(client.get(f"/entries/{entry['id']}/content", headers=bearer("bob")).content)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1 and len(set(answers)) == 1 and answers[0][:2] == b"\x1f\x8b"
    assert [path.suffix for path in context.settings.derived_dir.iterdir()] == [".gz"]
    derived.sweep_derived(context)
    assert len(list(context.settings.derived_dir.iterdir())) == 1


def test_the_interpolated_twin_is_never_chosen(tmp_path: Path) -> None:
    for name, size in (("volume_1.nii", 10), ("volume_1_Eq_1.nii", 99), ("volume_1a.nii", 20)):
        (tmp_path / name).write_bytes(bytes(size))
    chosen = derived._chosen(sorted(tmp_path.iterdir()))
    assert chosen is not None and chosen.name == "volume_1a.nii"


@pytest.mark.parametrize(("name", "data", "kind"), [
    ("a.csv", b"a,b\n1,2\n", "table"), ("a.txt", b"hello", "text"), ("a.json", b"{}", "text"), ("a.bin", b"\0\1", "none"),
    ("a.pdf", b"%PDF-1.4\0", "none"), ("a.tif", b"II*\0\x08\0\0\0\0\0", "none"), ("a.jpg", b"\xff\xd8\xff\xe0\0\x04ab", "image"),
])
def test_how_entries_are_looked_at(tmp_path: Path, name: str, data: bytes, kind: str) -> None:
    client, context = make_service(tmp_path, min_free=0)
    open_project(context)
    bring_in(client, context, {name: data})
    entry = client.get("/entries", headers=bearer("bob")).json()["items"][0]
    view = client.get(f"/entries/{entry['id']}/view", headers=bearer("bob")).json()
    assert view["kind"] == kind
    assert bool(view["reason"]) == (kind == "none")
    content = client.get(f"/entries/{entry['id']}/content", headers=bearer("bob"))
    assert content.status_code == (409 if kind == "none" else 200)
    if kind != "none":
        assert content.content == data
