"""The quarantine: who sees what, names, decisions, and the end of a release."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient
from support import databases
from support.held import NAME, held_files, item_row, publish_held
from support.service import ADMIN, ALICE, BOB, MALLORY, OFFICER
from support.uploads import open_project, project_row, publish_import, sha256
from support.ward import STELLA, WHY, Here
from voxelhub_service.api.feed import Feed
from voxelhub_service.context import Context
from voxelhub_service.database import reading, writing
from voxelhub_service.datasets import order, quarantine
from voxelhub_service.identity.actor import Actor
from voxelhub_service.models import (
    Event,
    File,
    QuarantineItem,
    Reservation,
    Run,
    Upload,
    UploadFile,
    utcnow,
)
from voxelhub_service.runs.endings import end_run


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def test_an_import_leaves_rows_bytes_and_one_audit_record(here: Here) -> None:
    first, second = here.hold(b"one", b"two!")
    row = item_row(here.context, second)
    assert (row.number, row.size, row.state, row.owner, row.title, row.code) == (2, 4, "held", "bob", "Data", "no_region_rule")
    assert timedelta(days=29) < row.expires_at - utcnow() < timedelta(days=30)
    assert here.on_disk() == {f"{row.run_id}/{one}{end}" for one in (first, second) for end in ("", ".json")}
    assert quarantine.folder_of(here.context, row.run_id).stat().st_mode & 0o077 == 0
    (record,) = here.audited("quarantine.hold")
    assert (record.actor, record.resource) == ("bob", f"run:{row.run_id}")
    assert record.detail["codes"] == {"no_region_rule": 2} and record.detail["project"] == "demo"
    assert here.findings() == []


def test_who_sees_what(here: Here) -> None:
    bobs, alices = here.hold(b"one"), here.hold(b"two", user="alice")
    seen = {user: {one["id"] for one in here.get("", user)["items"]}
            for user in ("bob", "alice", "stella", "admin", "olga", "mallory", "root")}
    assert seen == {"bob": {*bobs}, "alice": {*alices}, "stella": {*bobs, *alices}, "admin": set(), "olga": set(),
                    "mallory": set(), "root": set()}
    unknown = here.get(f"/{'0' * 32}", "bob", 404)
    for user in ("alice", "admin", "olga", "mallory", "root"):
        assert here.get(f"/{bobs[0]}", user, 404) == unknown
        for verb, body in (("name", None), ("release", WHY), ("reject", WHY)):
            assert here.post(f"/{bobs[0]}/{verb}", user, 404, body) == unknown
    assert here.get(f"/{bobs[0]}", "bob")["may_decide"] is False and here.get(f"/{bobs[0]}")["may_decide"] is True
    assert item_row(here.context, bobs[0]).state == "held"
    assert len([one for one in here.audited("quarantine.read_others") if one.outcome == "denied"]) >= 8


def test_who_brought_it_in_is_told_that_stewards_decide(here: Here) -> None:
    (item,) = here.hold(b"one")
    for verb in ("release", "reject"):
        refused = here.post(f"/{item}/{verb}", "bob", 403, WHY)
        assert "steward" in refused["detail"]
    assert [one.detail["code"] for one in here.audited("quarantine.decide")] == ["forbidden"] * 2


def test_lists_are_newest_first_counted_filtered_and_paged(here: Here) -> None:
    old, new, other = here.hold(b"1", b"2", b"3"), here.hold(b"4", b"5"), here.hold(b"6", user="alice", project="alpha")
    with writing(here.context.engine) as session:
        session.execute(update(QuarantineItem).where(QuarantineItem.id.in_(old)).values(created_at=utcnow() - timedelta(days=1)))
    page = here.get("")
    assert [one["id"] for one in page["items"]] == [*new, *old] and (page["total"], page["held"]) == (5, 5)
    here.post(f"/{old[0]}/reject", body=WHY)
    assert [here.get("")[name] for name in ("total", "held")] == [5, 4]
    assert [one["id"] for one in here.get("", state="rejected")["items"]] == [old[0]]
    assert here.get("", state="rejected")["held"] == 0
    assert [one["id"] for one in here.get("", run=item_row(here.context, new[0]).run_id)["items"]] == new
    assert [one["id"] for one in here.get("", offset=1, limit=2)["items"]] == [new[1], old[0]]
    assert here.get("", "alice", project="alpha")["items"][0]["id"] == other[0]
    assert here.get("", "bob", 404, project="alpha") == here.get("", "bob", 404, project="no-such-project")
    assert here.get("", status=422, state="nonsense")["code"] == "invalid_request"
    shown = page["items"][0]
    assert shown["run"] == "run002" and shown["project"] == "demo"
    assert shown["findings"] == [{"code": "text", "where": "(0028,0301)", "count": 1}]


def test_a_name_is_told_once_asked_and_stands_nowhere_else(here: Here) -> None:
    (item,) = here.hold(b"one")
    assert here.post(f"/{item}/name", "bob") == {"name": f"1-{NAME}"} == here.post(f"/{item}/name")
    assert [(one.actor, one.resource) for one in here.audited("quarantine.reveal")] == [
        ("bob", f"quarantine:{item}"), ("stella", f"quarantine:{item}")]
    here.post(f"/{item}/release", body=WHY)
    assert NAME not in json.dumps([here.get(""), here.get(f"/{item}")])
    assert NAME.encode() not in databases.everything(here.context)


def test_rejected_is_gone_for_good_and_its_record_stays(here: Here) -> None:
    item, other = here.hold(b"one", b"two")
    done = here.post(f"/{item}/reject", body={"reason": "  It is not of this study. "})
    assert (done["state"], done["decided_by"], done["decision"], done["may_decide"]) == (
        "rejected", "stella", "It is not of this study.", False)
    assert {path.rpartition("/")[2] for path in here.on_disk()} == {other, f"{other}.json"}
    (record,) = here.audited("quarantine.reject")
    assert (record.actor, record.detail["reason"], record.detail["code"]) == ("stella", done["decision"], "no_region_rule")
    assert here.post(f"/{item}/reject", "steve", body=WHY) == done and len(here.audited("quarantine.reject")) == 1
    assert here.post(f"/{item}/release", status=409, body=WHY)["code"] == "left_quarantine"
    assert here.post(f"/{item}/name", status=409)["code"] == "left_quarantine"
    assert here.audited("quarantine.reveal") == [] and here.findings() == []
    here.post(f"/{other}/reject", body=WHY)
    assert list(here.context.settings.quarantine_dir.iterdir()) == []


@pytest.mark.parametrize("reason", ["short", "          x          ", "", None, "x" * 2001])
def test_a_decision_needs_a_written_reason(here: Here, reason: Any) -> None:
    (item,) = here.hold(b"one")
    for verb in ("release", "reject"):
        here.post(f"/{item}/{verb}", status=422, body={"reason": reason})
    assert item_row(here.context, item).state == "held"


@pytest.mark.parametrize("open", [False, True], ids=["clinical", "open"])
def test_a_release_is_an_import_of_its_own(tmp_path: Path, open: bool) -> None:
    here = Here(tmp_path, open)
    item, _ = here.hold(b"bytes of it", b"other")
    done = here.post(f"/{item}/release", body=WHY)
    assert (done["state"], done["decided_by"], done["decision"]) == ("releasing", "stella", WHY["reason"])
    with reading(here.context.engine) as session:
        run = session.get_one(Run, done["release_run_id"])
        upload = session.get_one(Upload, run.upload_id or "")
        (file,) = session.scalars(select(UploadFile).where(UploadFile.upload_id == upload.id))
        (reserved,) = session.scalars(select(Reservation))
    assert (run.kind, run.state, run.owner, run.output_dataset) == ("import", "queued", "stella", "Data")
    assert (upload.source, upload.mode, upload.clinical, upload.title, upload.state, upload.unpack, upload.run_id) == (
        "release", "add", not open, "Data", "importing", False, run.id)
    assert (file.size, file.committed, file.sha256) == (11, 11, sha256(b"bytes of it"))
    assert file.path == (f"1-{NAME}" if open else order.number(1))
    assert (reserved.holder, reserved.size) == (f"upload:{upload.id}", 11)
    folder = here.context.settings.uploads_dir / upload.id
    part = folder / f"{file.id}.part"
    assert part.read_bytes() == b"bytes of it"
    assert part.samefile(quarantine.bytes_path(here.context, item_row(here.context, item)))
    wanted = order.read(folder)
    assert wanted.waived and wanted.names[file.path] == f"1-{NAME}"
    assert folder.stat().st_mode & 0o077 == 0 == (folder / order.FILE).stat().st_mode & 0o077
    assert here.audited("quarantine.release")[0].detail == {
        "project": "demo", "code": "no_region_rule", "reason": WHY["reason"], "run": run.id}
    assert here.findings() == []


def test_what_arrived_as_clinical_is_released_as_clinical(here: Here) -> None:
    item, _ = here.hold(b"bytes of it", b"other")
    open_project(here.context, open=True)
    run_id = here.post(f"/{item}/release", body=WHY)["release_run_id"]
    with reading(here.context.engine) as session:
        (upload,) = session.scalars(select(Upload).where(Upload.run_id == run_id))
        (file,) = session.scalars(select(UploadFile).where(UploadFile.upload_id == upload.id))
    assert upload.clinical and file.path == order.number(1)


def test_asked_again_it_is_the_same_release(here: Here) -> None:
    (item,) = here.hold(b"one")
    done = here.post(f"/{item}/release", body=WHY)
    assert here.post(f"/{item}/release", "steve", body={"reason": "Another reason of mine."}) == done
    with reading(here.context.engine) as session:
        assert len(list(session.scalars(select(Upload).where(Upload.source == "release")))) == 1
    assert len(list(here.context.settings.uploads_dir.iterdir())) == 1
    assert here.post(f"/{item}/reject", status=409, body=WHY)["code"] == "being_released"


def test_nobody_waives_what_may_not_be_waived(here: Here) -> None:
    (item,) = here.hold(b"one", code="virus", reason="The virus scanner recognised X in it.", releasable=False)
    refused = here.post(f"/{item}/release", status=409, body=WHY)
    assert refused["code"] == "not_releasable" and "recognised X" in refused["detail"]
    assert list(here.context.settings.uploads_dir.iterdir()) == [] and here.audited("quarantine.release") == []
    assert here.post(f"/{item}/reject", body=WHY)["state"] == "rejected"


def test_without_room_or_bytes_nothing_is_begun(here: Here) -> None:
    item, lost = here.hold(b"one", b"two")
    with writing(here.context.engine) as session:
        session.get_one(type(project_row(here.context)), project_row(here.context).id).quota_bytes = 2
    assert here.post(f"/{item}/release", status=413, body=WHY)["code"] == "quota_exceeded"
    quarantine.bytes_path(here.context, item_row(here.context, lost)).unlink()
    assert here.post(f"/{lost}/release", status=409, body=WHY)["code"] == "left_quarantine"
    assert list(here.context.settings.uploads_dir.iterdir()) == []
    assert {item_row(here.context, one).state for one in (item, lost)} == {"held"}


def test_released_when_its_version_is_there(here: Here) -> None:
    item, other = here.hold(b"one", b"two")
    run = here.post(f"/{item}/release", body=WHY)["release_run_id"]
    here.end(run, "succeeded", version=True)
    shown = here.get(f"/{item}")
    assert (shown["state"], shown["decided_by"], shown["decision"]) == ("released", "stella", WHY["reason"])
    assert {path.rpartition("/")[2] for path in here.on_disk()} == {other, f"{other}.json"} and here.findings() == []
    assert here.post(f"/{item}/release", body=WHY)["state"] == "released"
    assert here.audited("quarantine.settle")[0].detail == {"state": "released", "run": run}


def test_a_release_comes_to_a_version_by_the_way_of_every_import(tmp_path: Path) -> None:
    """Through the import's own process and the publisher; what the version holds is what was held."""
    here = Here(tmp_path, open=True)
    item, _ = here.hold(b"a,b\n1,2\n", b"other", code="too_large", reason="It is too large.")
    run = here.post(f"/{item}/release", body=WHY)["release_run_id"]
    version = publish_import(here.context, run)
    quarantine.forget(here.context, run)
    assert here.get(f"/{item}")["state"] == "released" and len(here.on_disk()) == 2
    with reading(here.context.engine) as session:
        (file,) = session.scalars(select(File).where(File.version_id == version.id))
    assert (file.sha256, version.created_by, version.run_id) == (sha256(b"a,b\n1,2\n"), "stella", run)
    assert here.findings() == []


@pytest.mark.parametrize("state", ["failed", "cancelled", "succeeded"])
def test_held_again_when_its_import_came_to_nothing(here: Here, state: str) -> None:
    (item,) = here.hold(b"one")
    run = here.post(f"/{item}/release", body=WHY)["release_run_id"]
    with writing(here.context.engine) as session:
        session.execute(update(QuarantineItem).values(expires_at=utcnow() - timedelta(days=2)))
    for _ in range(2):
        here.end(run, state, "The disk is full.")
    shown = here.get(f"/{item}")
    assert (shown["state"], shown["decided_by"], shown["decision"], shown["may_decide"]) == ("held", None, "", True)
    assert shown["reason"].splitlines() == [
        "Nobody knows where its text lies.", "Its release ended without a result. The disk is full."]
    assert quarantine.sweep_quarantine(here.context) == 0 and len(here.on_disk()) == 2  # not at once expired
    again = here.post(f"/{item}/release", body=WHY)
    assert again["release_run_id"] != run and again["reason"] == "Nobody knows where its text lies."
    here.end(again["release_run_id"], "failed", "Again.")
    assert len(here.get(f"/{item}")["reason"].splitlines()) == 2


def test_a_release_that_is_cancelled_before_it_begins(here: Here) -> None:
    """Through the route, and the one place where runs end."""
    (item,) = here.hold(b"one")
    run = here.post(f"/{item}/release", body=WHY)["release_run_id"]
    with writing(here.context.engine) as session:
        end_run(here.context, session, session.get_one(Run, run), "cancelled", "It was cancelled before it started.")
    assert here.get(f"/{item}")["state"] == "held" and "cancelled" in here.get(f"/{item}")["reason"]


def test_what_the_door_holds_once_more_goes_back_to_its_row(here: Here) -> None:
    """The virus scanner has learnt meanwhile: the same file, now for a reason that nobody may waive."""
    (item,) = here.hold(b"one")
    run = here.post(f"/{item}/release", body=WHY)["release_run_id"]
    found = held_files(here.context, run, [b"one"], code="virus", reason="A virus.", releasable=False)
    publish_held(here.context, run, found)
    here.end(run, "succeeded")
    row = item_row(here.context, item)
    assert (row.state, row.code, row.reason, row.releasable) == ("held", "virus", "A virus.", False)
    assert here.get("")["total"] == 1 and {path.rpartition("/")[2] for path in here.on_disk()} == {item, f"{item}.json"}
    assert here.findings() == []


def test_events_go_to_stewards_and_to_who_brought_it_in(here: Here) -> None:
    (item,) = here.hold(b"one")
    here.post(f"/{item}/reject", body=WHY)

    def seen(actor: Actor) -> list[tuple[str, dict[str, Any]]]:
        _, events = Feed(here.context.engine)._after(actor, 0)
        return [(one.event.subject, one.event.payload) for one in events if one.event.topic == "quarantine"]

    told = [(item_row(here.context, item).run_id, {"held": 1}), (item, {"state": "rejected"})]
    assert {actor.name: seen(actor) for actor in (BOB, STELLA, ALICE, ADMIN, OFFICER, MALLORY)} == {
        "bob": told, "stella": told, "alice": [], "admin": [], "olga": [], "mallory": []}
    with reading(here.context.engine) as session:
        assert NAME not in json.dumps([one.payload for one in session.scalars(select(Event))])


def test_nobody_gets_in_without_a_token(here: Here) -> None:
    (item,) = here.hold(b"one")
    client: TestClient = here.client
    context: Context = here.context
    assert {client.post(f"/quarantine/{item}/{verb}", json=WHY).status_code for verb in ("name", "release", "reject")} == {401}
    assert item_row(context, item).state == "held"
