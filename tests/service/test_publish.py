"""One version per run, whole or not at all, whatever dies in between."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from support.service import bearer, make_service
from support.uploads import bring_in, open_project, project_row, publish_import, send
from voxelhub_service.database import reading, writing
from voxelhub_service.datasets import fsck, manifest
from voxelhub_service.datasets.publish import publish, undo
from voxelhub_service.errors import Problem
from voxelhub_service.imports.importing import stage
from voxelhub_service.models import AuditEvent, DatasetVersion, Entry, File, Project, Run

FILES = {"a.csv": b"x,y\n1,2\n3,4\n", "deep/er/b.bin": b"\0\1\2" * 1000, "we\\ird.txt": b"odd\n"}


@pytest.fixture
def service(tmp_path: Path) -> Any:
    client, context = make_service(tmp_path, min_free=0)
    open_project(context)
    return client, context


def findings(context: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(fsck, "YOUNG", -1.0)
    return [finding.sentence for check in fsck.CHECKS for finding in check.run(context, True)]


def count(context: Any, table: Any) -> int:
    with reading(context.engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_version_is_read_only_and_its_manifest_is_sha256sums(service: Any) -> None:
    client, context = service
    version = bring_in(client, context, FILES)
    folder = context.settings.projects_dir / "demo/data/v1"
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o555 if path.is_dir() else 0o444)
    assert folder.stat().st_mode & 0o777 == 0o555
    done = subprocess.run(["sha256sum", "--strict", "-c", "../v1.sha256"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": OK") == len(FILES)
    listing = (folder.parent / "v1.sha256").read_bytes()
    assert manifest.digest(listing) == version.digest
    assert {path for path, _ in manifest.parse(listing)} == set(FILES)


def test_a_title_that_exists_gets_a_new_version_of_hard_links(service: Any) -> None:
    client, context = service
    bring_in(client, context, FILES)
    used = project_row(context).used_bytes
    version = bring_in(client, context, {**FILES, "new.txt": b"12345"})
    assert version.number == 2
    folder = context.settings.projects_dir / "demo/data"
    for name in FILES:
        assert (folder / "v1" / name).samefile(folder / "v2" / name)
    assert project_row(context).used_bytes == used + 5
    with reading(context.engine) as session:
        visible = session.scalars(select(Entry.version_id).where(Entry.visible.is_(True))).all()
    assert set(visible) == {version.id} and len(visible) == 4


def test_a_run_publishes_once(service: Any) -> None:
    client, context = service
    run = send(client, FILES)
    first = publish_import(context, run["id"])
    again = publish(
        context,
        run["id"],
        context.settings.staging_dir / run["id"],
        project_id=first.dataset_id,
        title="other",
        created_by="x",
        execution="",
        finish=lambda session, version: pytest.fail("finish ran twice"),
    )
    assert again.id == first.id
    assert count(context, DatasetVersion) == 1


def test_what_finish_raises_undoes_everything(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, context = service
    run = send(client, FILES)
    folder = stage(context, run["id"], lambda fraction, text: None)
    project = project_row(context)

    def finish(session: Any, version: Any) -> None:
        raise RuntimeError("lost the lease")

    with pytest.raises(RuntimeError):
        publish(context, run["id"], folder, project_id=project.id, title="Data", created_by="alice", execution="", finish=finish)
    assert count(context, DatasetVersion) == count(context, File) == 0
    assert list((context.settings.projects_dir / "demo").iterdir()) == []
    assert findings(context, monkeypatch) == []
    assert publish_import(context, run["id"]).number == 1


def test_quota_is_checked_when_it_counts(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, context = service
    run = send(client, FILES)
    with writing(context.engine) as session:
        session.execute(update(Project).values(quota_bytes=100))
    with pytest.raises(Problem, match="quota"):
        publish_import(context, run["id"])
    undo(context, run["id"])
    assert count(context, DatasetVersion) == 0
    assert project_row(context).used_bytes == 0


CHILD = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from dataclasses import replace
from voxelhub_service.settings import Settings
from voxelhub_service.context import make_context
from support.uploads import publish_import
publish_import(make_context(replace(Settings(), state_dir=Path({state!r}), database_url={url!r}, min_free=0)), {run!r})
"""


@pytest.mark.parametrize("point", ["import.staged", "publish.hashed", "publish.renamed", "publish.registered"])
@pytest.mark.parametrize("after", ["tried again", "given up"])
def test_a_kill_at_each_commit_point(
    service: Any, tmp_path: Path, point: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, context = service
    bring_in(client, context, {"a.csv": FILES["a.csv"]})
    run = send(client, FILES)
    trigger = tmp_path / "kill-at"
    trigger.write_text(point)
    code = CHILD.format(tests=str(Path(__file__).parents[1]), state=str(context.settings.state_dir), run=run["id"],
                        url=context.settings.database_url)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "VOXELHUB_KILL_AT": str(trigger)}, capture_output=True, text=True
    )
    assert done.returncode == -9, done.stderr
    if after == "tried again":
        assert publish_import(context, run["id"]).number == 2
        undo(context, run["id"])
    else:
        undo(context, run["id"])
        with writing(context.engine) as session:
            session.execute(update(Run).where(Run.id == run["id"]).values(state="failed"))
    expected = 2 if after == "tried again" or point == "publish.registered" else 1
    assert count(context, DatasetVersion) == expected
    left = sorted(path.name for path in (context.settings.projects_dir / "demo/data").iterdir())
    assert left == ["v1", "v1.sha256", "v2", "v2.sha256"][: 2 * expected]
    assert [sentence for sentence in findings(context, monkeypatch) if not sentence.startswith("The bytes of upload")] == []
    with reading(context.engine) as session:
        assert list(session.scalars(select(AuditEvent.action))).count("dataset.publish") == expected


@pytest.mark.parametrize(
    ("title", "folder"),
    [
        ("Thorax  CT", "thorax-ct"),
        ("../../etc", "etc"),
        ("胸部", "胸部"),
        ("///", "dataset"),
        (".", "dataset"),
        ("A" * 200, "a" * 60),
        ("v1.sha256", "v1.sha256"),
    ],
)
def test_folder_names_of_datasets(service: Any, title: str, folder: str) -> None:
    client, context = service
    bring_in(client, context, {"a": b"x"}, title=title)
    assert [path.name for path in (context.settings.projects_dir / "demo").iterdir()] == [folder]
    bring_in(client, context, {"a": b"x"}, title=f"{title[:199]}!")
    assert len(list((context.settings.projects_dir / "demo").iterdir())) == 2


BREAK = {
    "a missing file": (lambda folder: (folder / "v1/a.csv").unlink(), "missing"),
    "a changed file": (lambda folder: (folder / "v1/a.csv").write_bytes(b"x,y\n1,2\n3,5\n"), "SHA-256"),
    "a shorter file": (lambda folder: (folder / "v1/a.csv").write_bytes(b""), "size"),
    "a stray file": (lambda folder: (folder / "v1/z").write_bytes(b""), "in no row"),
    "a stray version": (lambda folder: (folder / "v7").mkdir(), "belongs to no version"),
    "a missing version": (lambda folder: (folder / "v1").rename(folder.parents[2] / "away"), "folder is missing"),
    "a changed manifest": (lambda folder: (folder / "v1.sha256").unlink(), "manifest"),
    "a writable folder": (lambda folder: (folder / "v1").chmod(0o755), "written to"),
}


@pytest.mark.parametrize(("harm", "sentence"), BREAK.values(), ids=BREAK.keys())
def test_fsck_finds(service: Any, harm: Any, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client, context = service
    bring_in(client, context, FILES)
    for left in context.settings.uploads_dir.iterdir():
        fsck._remove(left)
    assert findings(context, monkeypatch) == []
    folder = context.settings.projects_dir / "demo/data"
    if os.getuid() != 0:
        (folder / "v1").chmod(0o755)
        (folder / "v1/a.csv").chmod(0o644)
    harm(folder)
    found = [finding for check in fsck.CHECKS for finding in check.run(context, True)]
    assert any(sentence in finding.sentence for finding in found), found
    for finding in found:
        if finding.repair:
            assert finding.repair()
    left = findings(context, monkeypatch)
    assert left == [] or all(finding.repair is None for finding in found if finding.sentence in left)


def test_datasets_are_found_by_a_part_of_their_title(service: Any) -> None:
    client, context = service
    for title in ("Chest CT", "50 % dose"):
        bring_in(client, context, {"a.csv": b"a,b\n1,2\n"}, title=title)
    for q, found in {"": 2, "CHEST": 1, "50 %": 1, "%": 1, "_": 0, "no such": 0}.items():
        answer = client.get("/datasets", params={"q": q}, headers=bearer("alice"))
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == len(answer.json()["items"]) == found, q
