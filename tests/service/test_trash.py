"""Delete, bring back, delete for good; and files that leave by download."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from support.service import bearer, make_service
from support.uploads import bring_in, open_project, project_row
from voxelhub_service.database import reading, writing
from voxelhub_service.datasets.trash import purge_trash
from voxelhub_service.models import AuditEvent, Dataset, Entry, Project, utcnow

FILES = {"a.txt": b"hello\n", "sub/b.bin": bytes(range(256)) * 5000}


@pytest.fixture
def service(tmp_path: Path) -> Any:
    client, context = make_service(tmp_path, min_free=0)
    open_project(context)
    open_project(context, "alpha")
    return client, context, bring_in(client, context, FILES).dataset_id


def actions(context: Any) -> list[str]:
    with reading(context.engine) as session:
        return list(session.scalars(select(AuditEvent.action).order_by(AuditEvent.seq)))


def test_to_the_trash_and_back(service: Any) -> None:
    client, context, dataset = service
    before = client.get("/entries", headers=bearer("bob")).json()
    assert client.delete(f"/datasets/{dataset}", headers=bearer("bob")).status_code == 204
    assert client.get("/entries", headers=bearer("bob")).json()["total"] == 0
    assert client.get(f"/entries/{before['items'][0]['id']}", headers=bearer("bob")).status_code == 404
    assert client.get("/datasets", headers=bearer("bob")).json()["total"] == 0
    trashed = client.get("/trash", headers=bearer("bob")).json()["items"]
    assert [one["id"] for one in trashed] == [dataset] and trashed[0]["purge_at"] > trashed[0]["trashed_at"]
    assert client.get("/trash", headers=bearer("mallory")).json()["total"] == 0
    assert client.delete(f"/datasets/{dataset}", headers=bearer("bob")).status_code == 404
    assert client.post(f"/datasets/{dataset}/restore", headers=bearer("bob")).status_code == 200
    assert client.get("/entries", headers=bearer("bob")).json() == before
    assert actions(context)[-2:] == ["dataset.trash", "dataset.restore"]


def test_a_title_is_free_while_its_dataset_is_in_the_trash(service: Any) -> None:
    client, context, dataset = service
    client.delete(f"/datasets/{dataset}", headers=bearer("bob"))
    other = bring_in(client, context, {"c.txt": b"x"})
    assert (other.number, other.dataset_id != dataset) == (1, True)
    assert client.post(f"/datasets/{dataset}/restore", headers=bearer("bob")).json()["code"] == "title_taken"


def test_purge_needs_role_title_and_trash(service: Any) -> None:
    client, context, _ = service
    dataset = bring_in(client, context, {"c.txt": b"12345"}, project="alpha", title="Mine").dataset_id
    address = f"/datasets/{dataset}"

    def purge(confirm: str) -> int:
        return client.delete(address, params={"purge": True, "confirm": confirm}, headers=bearer("alice")).status_code

    assert purge("Mine") == 404, "only from the trash"
    client.delete(address, headers=bearer("alice"))
    assert purge("") == 422
    assert purge("Mine") == 204
    assert not (context.settings.projects_dir / "alpha/mine").exists()
    assert project_row(context, "alpha").used_bytes == 0
    with reading(context.engine) as session:
        last = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc())).first()
    assert last.action == "dataset.purge" and len(last.detail["versions"][0]["digest"]) == 64


def test_a_member_cannot_purge(service: Any) -> None:
    client, _, dataset = service
    client.delete(f"/datasets/{dataset}", headers=bearer("bob"))
    answer = client.delete(f"/datasets/{dataset}", params={"purge": True, "confirm": "Data"}, headers=bearer("bob"))
    assert answer.status_code == 403


def test_the_trash_empties_itself(service: Any) -> None:
    client, context, dataset = service
    shared = bring_in(client, context, FILES, title="Again")
    client.delete(f"/datasets/{dataset}", headers=bearer("bob"))
    assert purge_trash(context) == 0
    with writing(context.engine) as session:
        session.execute(update(Dataset).where(Dataset.trashed_at.is_not(None)).values(trashed_at=utcnow().replace(year=2020)))
    assert purge_trash(context) == 1
    assert not (context.settings.projects_dir / "demo/data").exists()
    assert (context.settings.projects_dir / "demo/again/v1/a.txt").read_bytes() == FILES["a.txt"], "links of others stay"
    assert project_row(context).used_bytes == shared.size


def test_downloads(service: Any) -> None:
    client, context, dataset = service
    listed = client.get(f"/datasets/{dataset}/versions/1/files", headers=bearer("bob")).json()
    file = next(f for f in listed["items"] if f["path"] == "sub/b.bin")
    address = f"/files/{file['id']}/content"
    whole = client.get(address, headers=bearer("bob"))
    assert whole.content == FILES["sub/b.bin"]
    assert whole.headers["etag"] == f'"{file["sha256"]}"' and whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-disposition"].startswith("attachment")
    part = client.get(address, headers={**bearer("bob"), "Range": "bytes=1000-1999", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, FILES["sub/b.bin"][1000:2000])
    assert client.get(address, headers={**bearer("bob"), "If-None-Match": whole.headers["etag"]}).status_code == 304
    archive = client.get(f"/datasets/{dataset}/versions/1/archive", headers=bearer("bob"))
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == {
            f"data-v1/{path}": data for path, data in FILES.items()
        }
    assert actions(context).count("file.download") == 3, "a resumed part is not written down again"


def test_clinical_files_stay_inside(service: Any) -> None:
    client, context, dataset = service
    listed = client.get(f"/datasets/{dataset}/versions/1/files", headers=bearer("bob")).json()
    entry = next(e for e in client.get("/entries", headers=bearer("bob")).json()["items"] if e["name"] == "a.txt")
    with writing(context.engine) as session:
        session.execute(update(Project).where(Project.name == "demo").values(open=False))
    for address in (f"/files/{listed['items'][0]['id']}/content", f"/datasets/{dataset}/versions/1/archive"):
        assert client.get(address, headers=bearer("bob")).status_code == 403
        assert client.get(address, headers=bearer("mallory")).status_code == 404
    assert client.get(f"/entries/{entry['id']}/content", headers=bearer("bob")).content == b"hello\n"
    assert "file.view" in actions(context)


def test_text_is_never_run_by_a_browser(service: Any) -> None:
    client, context, _ = service
    bring_in(
        client,
        context,
        {"page.html": b"<script>alert(1)</script>\nline\n", "big.csv": b"a,b\n" + b"1,2\n" * 500_000},
        title="Page",
    )
    for entry in client.get("/entries", params={"q": "page"}, headers=bearer("bob")).json()["items"]:
        answer = client.get(f"/entries/{entry['id']}/content", headers=bearer("bob"))
        assert answer.headers["content-type"].startswith("text/plain")
        assert "sandbox" in answer.headers["content-security-policy"] and answer.headers["x-content-type-options"] == "nosniff"
    big = client.get("/entries", params={"q": "big"}, headers=bearer("bob")).json()["items"][0]
    sent = client.get(f"/entries/{big['id']}/content", headers=bearer("bob")).content
    assert 1024**2 - 10 < len(sent) <= 1024**2 and sent.endswith(b"1,2\n")
    with writing(context.engine) as session:
        session.execute(update(Entry).where(Entry.id == big["id"]).values(data_type="plan"))
    whole = client.get(f"/entries/{big['id']}/content", headers=bearer("bob"))
    assert len(whole.content) == big["size"] and whole.headers["content-type"].startswith("text/plain"), "a plan comes whole"
