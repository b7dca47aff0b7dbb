"""tus 1.0.0 as we speak it, over the real application: nothing is lost, nothing is sent twice, nobody touches another's bytes."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from support.service import bearer, make_service
from support.uploads import TUS, announce, bring_in, open_project, patch, project_row, publish_import, send, sha256
from voxelhub_service.database import reading, writing
from voxelhub_service.datasets import tus, uploads
from voxelhub_service.imports import importing
from voxelhub_service.models import AuditEvent, Reservation, Upload, UploadFile, utcnow
from voxelhub_service.projects.store import reserved_bytes

DATA = bytes(range(256)) * 8192  # 2 MiB


@pytest.fixture
def service(tmp_path: Path) -> Any:
    client, context = make_service(tmp_path, min_free=0)
    open_project(context)
    return client, context


def begin(client: Any, data: bytes = DATA, **more: Any) -> tuple[str, str]:
    answer = announce(client, {"a.bin": data}, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["files"][0]["id"]


def head(client: Any, upload: str, file: str, user: str = "alice") -> Any:
    return client.head(f"/uploads/{upload}/files/{file}", headers={**bearer(user), "Tus-Resumable": "1.0.0"})


def test_bytes_arrive_in_pieces(service: Any) -> None:
    client, context = service
    upload, file = begin(client)
    assert head(client, upload, file).headers["Upload-Offset"] == "0"
    first = patch(client, upload, file, 0, DATA[:1_500_000])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "1500000")
    answer = head(client, upload, file)
    assert (answer.headers["Upload-Offset"], answer.headers["Upload-Length"]) == ("1500000", str(len(DATA)))
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert patch(client, upload, file, 1_500_000, DATA[1_500_000:]).headers["Upload-Offset"] == str(len(DATA))
    assert (tus.upload_folder(context, upload) / f"{file}.part").read_bytes() == DATA


@pytest.mark.parametrize(
    ("offset", "data", "headers", "status"),
    [
        (5, b"x", {}, 409),
        (0, DATA + b"x", {}, 413),
        (0, b"x", {"Tus-Resumable": "0.2"}, 412),
        (0, b"x", {"Content-Type": "text/plain"}, 415),
        (0, b"x", {"Upload-Offset": "-1"}, 400),
        (0, b"x", {"Upload-Offset": "٣"}, 400),
        (0, b"x", {"Upload-Offset": "1" * 30}, 400),
    ],
)
def test_what_a_patch_may_not_do(service: Any, offset: int, data: bytes, headers: dict[str, str], status: int) -> None:
    client, _ = service
    upload, file = begin(client)
    sent = {**bearer("alice"), **TUS, "Upload-Offset": str(offset), **headers}
    raw = {name.encode(): value.encode() for name, value in sent.items()}
    answer = client.patch(f"/uploads/{upload}/files/{file}", content=data, headers=raw)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert head(client, upload, file).headers["Upload-Offset"] == "0"


def test_more_bytes_than_announced_without_a_length(service: Any) -> None:
    client, _ = service
    upload, file = begin(client, b"12345")
    chunks = (bytes([65]) for _ in range(10))
    answer = client.patch(
        f"/uploads/{upload}/files/{file}", content=chunks, headers={**bearer("alice"), **TUS, "Upload-Offset": "0"}
    )
    assert answer.status_code == 413
    assert int(head(client, upload, file).headers["Upload-Offset"]) <= 5


def test_two_senders_at_once(service: Any) -> None:
    client, context = service
    upload, file = begin(client)
    with (tus.upload_folder(context, upload) / f"{file}.part").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert patch(client, upload, file, 0, b"x").status_code == 423
    assert patch(client, upload, file, 0, b"x").status_code == 204


@pytest.mark.parametrize("user", ["bob", "mallory"])
def test_an_upload_is_its_owners(service: Any, user: str) -> None:
    client, _ = service
    upload, file = begin(client)
    unknown = client.get(f"/uploads/{'0' * 32}", headers=bearer(user))
    answers = [
        client.get(f"/uploads/{upload}", headers=bearer(user)),
        patch(client, upload, file, 0, b"x", user),
        client.post(f"/uploads/{upload}/files/{file}/digest", json={"sha256": "0" * 64}, headers=bearer(user)),
        client.post(f"/uploads/{upload}/complete", headers=bearer(user)),
        client.delete(f"/uploads/{upload}", headers=bearer(user)),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert {answer.content for answer in answers} == {unknown.content}
    assert head(client, upload, file, user).status_code == 404
    assert client.get("/uploads", headers=bearer(user)).json()["items"] == []
    assert head(client, upload, file).headers["Upload-Offset"] == "0"


def test_a_refused_body_is_not_stored(service: Any) -> None:
    client, context = service
    upload, file = begin(client)
    answer = client.patch(f"/uploads/{upload}/files/{file}", content=b"x", headers={**TUS, "Upload-Offset": "0"})
    assert answer.status_code == 401
    assert not (tus.upload_folder(context, upload) / f"{file}.part").exists()


def test_bytes_after_a_power_failure(service: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client, context = service
    upload, file = begin(client)
    patch(client, upload, file, 0, DATA[:1000])
    part = tus.upload_folder(context, upload) / f"{file}.part"
    with part.open("ab") as stream:  # written, but a kill came before the fsync
        stream.write(b"y" * 500)
    assert head(client, upload, file).headers["Upload-Offset"] == "1500", "a mere kill loses nothing"
    boot = tmp_path / "boot"
    boot.write_text("another")
    monkeypatch.setattr(tus, "BOOT_ID", boot)
    assert head(client, upload, file).headers["Upload-Offset"] == "1000", "what no fsync covered may be a hole"
    assert patch(client, upload, file, 1000, DATA[1000:]).status_code == 204
    assert part.read_bytes() == DATA


def test_completion_makes_one_run(service: Any) -> None:
    client, context = service
    upload, file = begin(client)
    complete = f"/uploads/{upload}/complete"
    assert client.post(complete, headers=bearer("alice")).json()["code"] == "bytes_missing"
    patch(client, upload, file, 0, DATA)
    assert client.post(complete, headers=bearer("alice")).json()["code"] == "digest_missing"
    digest = f"/uploads/{upload}/files/{file}/digest"
    assert client.post(digest, json={"sha256": sha256(DATA)}, headers=bearer("alice")).status_code == 204
    assert client.post(digest, json={"sha256": "0" * 64}, headers=bearer("alice")).json()["code"] == "digest_differs"
    runs = [client.post(complete, headers=bearer("alice")).json() for _ in range(3)]
    assert len({run["id"] for run in runs}) == 1
    assert (runs[0]["kind"], runs[0]["state"], runs[0]["number"]) == ("import", "queued", 1)
    assert patch(client, upload, file, len(DATA), b"").status_code == 409
    assert client.delete(f"/uploads/{upload}", headers=bearer("alice")).status_code == 409
    with reading(context.engine) as session:
        actions = list(session.scalars(select(AuditEvent.action)))
    assert actions.count("upload.create") == actions.count("run.create") == 1


def test_the_same_key_gives_the_same_upload(service: Any) -> None:
    client, _ = service
    body = {"project": "demo", "title": "T", "files": [{"path": "a", "size": 1}]}
    ids = [
        client.post("/uploads", json=body, headers={**bearer(u), "Idempotency-Key": "k"}).json()["id"]
        for u in ("alice", "alice", "bob")
    ]
    assert ids[0] == ids[1] != ids[2]


def test_nothing_is_sent_twice(service: Any) -> None:
    client, context = service
    bring_in(client, context, {"a.bin": DATA})
    answer = client.post("/uploads", headers=bearer("alice"), json={"project": "demo", "title": "More", "files": [
        {"path": "copy.bin", "size": len(DATA), "sha256": sha256(DATA)}, {"path": "lie.bin", "size": 5, "sha256": sha256(DATA)},
        {"path": "empty", "size": 0}]}).json()
    present = {file["path"]: file["present"] for file in answer["files"]}
    assert present == {"copy.bin": True, "lie.bin": False, "empty": True}
    used = project_row(context).used_bytes
    version = bring_in(client, context, {"copy.bin": DATA}, title="More")
    assert version.size == len(DATA)
    assert project_row(context).used_bytes == used, "equal bytes count once"
    folders = context.settings.projects_dir / "demo"
    assert (folders / "data/v1/a.bin").samefile(folders / "more/v1/copy.bin")


def test_present_bytes_are_never_written_to(service: Any) -> None:
    client, context = service
    bring_in(client, context, {"a.bin": DATA})
    answer = client.post("/uploads", headers=bearer("alice"), json={"project": "demo", "title": "More", "files": [
        {"path": "copy.bin", "size": len(DATA), "sha256": sha256(DATA)}]}).json()
    upload, file = answer["id"], answer["files"][0]["id"]
    assert patch(client, upload, file, 0, b"x").status_code == 409
    assert (context.settings.projects_dir / "demo/data/v1/a.bin").read_bytes() == DATA


def test_quota_is_set_aside_and_given_back(service: Any) -> None:
    client, context = service
    with writing(context.engine) as session:
        session.execute(update(type(project_row(context))).values(quota_bytes=3 * 1024**2))
    upload, _ = begin(client)
    refused = announce(client, {"b": DATA})
    assert (refused.status_code, refused.json()["code"]) == (413, "quota_exceeded")
    assert "0.00" not in refused.json()["detail"]
    assert client.delete(f"/uploads/{upload}", headers=bearer("alice")).status_code == 204
    assert announce(client, {"b": DATA}).status_code == 201
    with reading(context.engine) as session:
        assert len(session.scalars(select(Reservation)).all()) == 1


def test_what_is_announced_must_be_legal(service: Any) -> None:
    client, _ = service
    assert announce(client, {"a": b"x"}, project="nosuch").status_code == 404
    assert announce(client, {"a": b"x"}, user="mallory").status_code == 404
    assert announce(client, {"a": b"x"}, data_type="horoscope").json()["code"] == "unknown_data_type"
    assert announce(client, {"a": b"x"}, file_format="papyrus").json()["code"] == "unknown_file_format"


def test_an_unfinished_upload_expires(service: Any) -> None:
    client, context = service
    upload, file = begin(client)
    patch(client, upload, file, 0, b"x")
    assert uploads.expire_uploads(context) == 0
    with writing(context.engine) as session:
        session.execute(update(Upload).values(expires_at=utcnow()))
    assert uploads.expire_uploads(context) == 1
    assert client.get(f"/uploads/{upload}", headers=bearer("alice")).json()["state"] == "expired"
    assert patch(client, upload, file, 1, b"x").status_code == 409
    with reading(context.engine) as session:
        assert reserved_bytes(session, project_row(context)) == 0


def test_a_byte_puts_expiry_off(service: Any) -> None:
    client, context = service
    upload, file = begin(client)
    with writing(context.engine) as session:
        session.execute(update(Upload).values(expires_at=utcnow()))
    patch(client, upload, file, 0, b"x")
    assert uploads.expire_uploads(context) == 0


def test_disk_full_keeps_what_came(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = service
    upload, file = begin(client)
    real, written = tus.os.pwrite, []

    def pwrite(descriptor: int, data: Any, offset: int) -> int:
        if written:
            raise OSError(28, "No space left on device")
        written.append(real(descriptor, data[:1000], offset))
        return written[0]

    monkeypatch.setattr(tus.os, "pwrite", pwrite)
    answer = patch(client, upload, file, 0, DATA)
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    monkeypatch.undo()
    assert head(client, upload, file).headers["Upload-Offset"] == "1000"
    assert patch(client, upload, file, 1000, DATA[1000:]).status_code == 204


def test_a_nearly_full_disk_refuses_early(tmp_path: Path) -> None:
    client, context = make_service(tmp_path, min_free=2**62)
    open_project(context)
    answer = announce(client, {"a": b"x"})
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")


def test_offsets_are_committed(service: Any) -> None:
    client, context = service
    run = send(client, {"a.bin": DATA})
    assert run["state"] == "queued"
    with reading(context.engine) as session:
        assert session.scalars(select(UploadFile.committed)).one() == len(DATA)


def test_a_disk_that_is_really_full(service: Any) -> None:
    """A file system of 1 MiB under the uploads: what fits is kept, and the rest follows when there is room."""
    client, context = service
    folder = str(context.settings.uploads_dir)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"only root mounts a small file system: {mounted.stderr.strip()}")
    try:
        upload, file = begin(client)
        answer = patch(client, upload, file, 0, DATA)
        assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
        kept = int(head(client, upload, file).headers["Upload-Offset"])
        assert 0 < kept < len(DATA)
        subprocess.run(["mount", "-o", "remount,size=8m", folder], check=True)
        assert patch(client, upload, file, kept, DATA[kept:]).status_code == 204
        sent = client.post(f"/uploads/{upload}/files/{file}/digest", json={"sha256": sha256(DATA)}, headers=bearer("alice"))
        assert sent.status_code == 204
        run = client.post(f"/uploads/{upload}/complete", headers=bearer("alice")).json()
        assert publish_import(context, run["id"]).size == len(DATA), "copied, because links do not cross file systems"
    finally:
        subprocess.run(["umount", folder], check=True)


def test_an_import_on_a_full_disk_ends_with_a_sentence_that_holds(
    service: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    """Not one byte is free, nor can be written about it; what arrived goes with the import, so nobody is told to resume."""
    client, context = service
    run = send(client, {"a.bin": DATA})
    folder = context.settings.staging_dir
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"only root mounts a small file system: {mounted.stderr.strip()}")
    try:
        (folder / "fill").write_bytes(b"0" * 64 * 1024)
        monkeypatch.setattr(importing, "load_settings", lambda: context.settings)
        assert importing.main([run["id"]]) == 2
        assert f"::error {tus.NO_ROOM.detail} {tus.NO_ROOM.fix}" in capsys.readouterr().out
    finally:
        subprocess.run(["umount", str(folder)], check=True)
