"""What people and attackers bring: each is refused with a sentence, and nothing of it is registered."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select
from support.service import bearer, make_service
from support.study import SHARED
from support.uploads import announce, bring_in, held_in, import_run, open_project, publish_import, send
from support.world import run_row
from voxelhub_service.database import reading
from voxelhub_service.datasets import quarantine
from voxelhub_service.datasets.fsck import leftovers
from voxelhub_service.datasets.phantom import write_phantom
from voxelhub_service.errors import Problem
from voxelhub_service.imports import importing
from voxelhub_service.models import Dataset, File, Upload


@pytest.fixture
def service(tmp_path: Path) -> Any:
    client, context = make_service(
        tmp_path, min_free=0, archive_max_bytes=50 * 1024**2, archive_max_files=50, archive_max_ratio=20, door_workers=1,
    )
    open_project(context)
    return client, context


def zipped(*members: tuple[str, bytes], mode: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return out.getvalue()


def tarred(kind: bytes = tarfile.REGTYPE, name: str = "a", link: str = "", mode: str = "w:gz", data: bytes = b"x") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, len(data) if kind == tarfile.REGTYPE else 0
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def encrypted_zip() -> bytes:
    data = bytearray(zipped(("a.txt", b"secret")))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + at] |= 1
    return bytes(data)


def nifti(shape: tuple[int, ...] = (4, 4, 4), data: bytes | None = None, code: int = 4, bits: int = 16) -> bytes:
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(shape), *shape, *([1] * (7 - len(shape))))
    struct.pack_into("<2h", header, 70, code, bits)
    struct.pack_into("<8f", header, 76, 1, *([1.0] * 7))
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    return bytes(header) + (bytes(int(np.prod(shape)) * bits // 8) if data is None else data)


def dicom_slice(tmp: Path) -> bytes:
    write_phantom(tmp)
    return (tmp / "chest-ct" / "slice-001.dcm").read_bytes()


NAMES = {
    "traversal": "../evil",
    "inner traversal": "a/../../evil",
    "absolute": "/etc/passwd",
    "drive": "C:\\evil",
    "dot": "a/./b",
    "empty part": "a//b",
    "NUL": "a\0b",
    "newline": "a\nb",
    "256 bytes": "x" * 256,
    "256 bytes in Greek": "ω" * 128,
    "too deep": "a/" * 1600 + "b",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_names_that_are_refused(service: Any, name: str) -> None:
    client, context = service
    answer = announce(client, {name: b"x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_file_name")
    assert answer.json()["detail"].endswith(".")
    assert name not in answer.text
    assert list(context.settings.uploads_dir.iterdir()) == []


@pytest.mark.parametrize("files", [["a", "a"], ["é", "e\u0301"], ["a", "a/b"]])
def test_names_that_collide(service: Any, files: list[str]) -> None:
    client, _ = service
    body = {"project": "demo", "title": "T", "files": [{"path": path, "size": 1} for path in files]}
    assert client.post("/uploads", json=body, headers=bearer("alice")).json()["code"] == "bad_file_name"


def test_names_in_every_script_and_255_bytes_long(service: Any) -> None:
    client, context = service
    names = [
        "Θώραξ.txt",
        "胸部/扫描.txt",
        "صدر.txt",
        "грудь.txt",
        "छाती.txt",
        "胸 部\u3000.txt",
        "🫁.txt",
        "a\\b.txt",
        "-rf",
        "~",
        "x" * 255,
        "ω" * 127 + "x",
        "CON",
        "a b'c\"d.txt",
        "*?.txt",
    ]
    bring_in(client, context, {name: name.encode() for name in names})
    for name in names:
        assert (context.settings.projects_dir / "demo/data/v1" / name).read_text() == name
    assert client.get("/entries", params={"q": "ΘΏΡΑΞ"}, headers=bearer("alice")).json()["total"] == 1


BAD: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "zip traversal": ("a.zip", lambda tmp: zipped(("../evil", b"x")), "could lead out"),
    "zip absolute": ("a.zip", lambda tmp: zipped(("/tmp/evil", b"x")), "absolute"),
    "zip link": ("a.zip", lambda tmp: zipped(("a", b"/etc/passwd"), mode=0o120777), "link"),
    "zip bomb": ("a.zip", lambda tmp: zipped(("a", bytes(40 * 1024**2))), "times"),
    "zip too large": (
        "a.zip",
        lambda tmp: zipped(*[(f"a{i}", np.random.default_rng(i).bytes(3 * 1024**2)) for i in range(18)]),
        "larger",
    ),
    "zip of many": ("a.zip", lambda tmp: zipped(*[(f"f{i}", b"") for i in range(51)]), "more files"),
    "zip twice": ("a.zip", lambda tmp: zipped(("a", b"1"), ("b", b"2")).replace(b"b", b"a"), "same name"),
    "zip encrypted": ("a.zip", lambda tmp: encrypted_zip(), "encrypted"),
    "zip truncated": ("a.zip", lambda tmp: zipped(("a", b"x" * 1000))[:-30], "not a whole archive"),
    "zip in name only": ("a.zip", lambda tmp: b"hello", "not a whole archive"),
    "tar traversal": ("a.tgz", lambda tmp: tarred(name="../evil"), "could lead out"),
    "tar absolute": ("a.tar", lambda tmp: tarred(name="/evil", mode="w"), "absolute"),
    "tar symlink": ("a.tar.gz", lambda tmp: tarred(tarfile.SYMTYPE, link="/etc/passwd"), "link"),
    "tar hard link": ("a.tar.xz", lambda tmp: tarred(tarfile.LNKTYPE, link="x", mode="w:xz"), "link"),
    "tar device": ("a.tar.bz2", lambda tmp: tarred(tarfile.CHRTYPE, mode="w:bz2"), "special"),
    "tar bomb": ("a.tgz", lambda tmp: tarred(data=bytes(40 * 1024**2)), "times"),
    "tar truncated": ("a.tgz", lambda tmp: tarred(data=np.random.default_rng(1).bytes(9000))[:4000], "not a whole archive"),
    "NIfTI without its data": ("a.nii", lambda tmp: nifti(data=b""), "promises more data"),
    "NIfTI short by a byte": ("a.nii", lambda tmp: nifti()[:-1], "promises more data"),
    "NIfTI of terabytes": ("a.nii", lambda tmp: nifti((32767, 32767, 32767, 32767), b"x"), "promises more data"),
    "NIfTI packed and short": ("a.nii.gz", lambda tmp: gzip.compress(nifti((64, 64, 64), bytes(1000))), "promises more data"),
    "NIfTI cut within gzip": (
        "a.nii.gz",
        lambda tmp: gzip.compress(nifti((64, 64, 64), np.random.default_rng(1).bytes(2 * 64**3)))[:5000],
        "too early",
    ),
    "NIfTI negative": (
        "a.nii",
        lambda tmp: nifti((4, 4, 4)).replace(struct.pack("<4h", 3, 4, 4, 4), struct.pack("<4h", 3, -4, 4, 4)),
        "dimensions",
    ),
    "NIfTI contradicting": ("a.nii", lambda tmp: nifti(code=4, bits=8), "contradicts"),
    "NIfTI in name only": ("a.nii", lambda tmp: b"hello", "NIfTI"),
    "DICOM cut in its pixels": ("a.dcm", lambda tmp: dicom_slice(tmp)[:-10], "ends too early"),
    "DICOM cut in its header": ("a.dcm", lambda tmp: dicom_slice(tmp)[:700], "ends too early"),
    "DICOM cut after the prefix": ("noname", lambda tmp: dicom_slice(tmp)[:200], "ends too early"),
}


@pytest.mark.parametrize(("name", "make", "sentence"), BAD.values(), ids=BAD.keys())
def test_content_that_is_held(service: Any, tmp_path: Path, name: str, make: Callable[[Path], bytes], sentence: str) -> None:
    """It costs only itself: the other file is published, and the reason names no file."""
    client, context = service
    run = send(client, {"fine.txt": b"hello\n", name: make(tmp_path)})
    assert publish_import(context, run["id"]).n_files == 1
    (item,) = held_in(context, run["id"])
    assert sentence in item.reason and item.reason.endswith(".") and item.releasable
    assert name not in item.reason and str(tmp_path) not in item.reason
    with reading(context.engine) as session:
        assert session.scalars(select(File.path)).all() == ["fine.txt"]
    assert quarantine.name_of(context, item) == name
    assert not list(context.settings.state_dir.rglob("evil"))
    assert leftovers(context, True) == []


def test_nothing_but_held_files_makes_no_version(service: Any, tmp_path: Path) -> None:
    client, context = service
    run = send(client, {"a.zip": b"hello"})
    assert import_run(context, run["id"]) is None
    row = run_row(context, run["id"])
    assert (row.state, row.reason) == ("succeeded", "Nothing was released: 1 file waits in quarantine.")
    with reading(context.engine) as session:
        assert session.scalar(select(func.count()).select_from(Dataset)) == 0
        assert session.scalar(select(Upload.state)) == "done"


def test_the_coordinator_writes_the_sentence_and_leaves_nothing(
    service: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, context = service
    run = send(client, {"a.txt": b"hello"})
    next(context.settings.uploads_dir.rglob("*.part")).write_bytes(b"jello")
    monkeypatch.setattr(importing, "load_settings", lambda: context.settings)
    assert importing.main([run["id"]]) == 2
    said = capsys.readouterr().out
    assert "::error File 1 of 1 arrived changed" in said
    assert (context.settings.staging_dir / f"{run['id']}.json").is_file()
    assert not (context.settings.staging_dir / run["id"]).exists()


def test_a_defect_of_ours_puts_no_name_into_the_log(
    service: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, context = service
    run = send(client, {"PLANTED^NAME.txt": b"hello"})
    monkeypatch.setattr(importing, "load_settings", lambda: context.settings)
    monkeypatch.setattr(importing.placing, "place", lambda *_: Path("/PLANTED^NAME.txt").read_bytes())
    assert importing.main([run["id"]]) == 1
    said = capsys.readouterr().out
    assert "FileNotFoundError" in said and "PLANTED" not in said


def test_bytes_that_changed_on_the_way(service: Any) -> None:
    client, context = service
    run = send(client, {"a.txt": b"hello"})
    part = next(context.settings.uploads_dir.rglob("*.part"))
    part.write_bytes(b"jello")
    with pytest.raises(Problem, match="SHA-256"):
        publish_import(context, run["id"])


def test_empty_files_are_fine(service: Any) -> None:
    client, context = service
    version = bring_in(client, context, {"empty": b"", "empty.csv": b"", "empty.zip": b""})
    assert (version.n_files, version.size) == (3, 0)


def test_an_archive_that_outgrows_the_quota(tmp_path: Path) -> None:
    client, context = make_service(tmp_path, min_free=0)
    open_project(context, quota=1024**2)
    run = send(client, {"a.zip": zipped(("a", bytes(2 * 1024**2)))})
    assert import_run(context, run["id"]) is None
    assert "larger than the project" in held_in(context, run["id"])[0].reason


AWKWARD = SHARED / "dicom" / "awkward"


@pytest.mark.skipif(not AWKWARD.is_dir(), reason="the test inputs are not on this machine")
def test_awkward_dicom_files_end_in_a_row_or_a_sentence() -> None:
    from voxelhub_service.datasets.sniff import sniff

    sentences = 0
    for path in sorted(AWKWARD.iterdir()):
        try:
            assert sniff(path, path.name) is not None
        except Problem as problem:
            sentences += 1
            assert path.name in problem.detail
    assert 0 < sentences < 8
