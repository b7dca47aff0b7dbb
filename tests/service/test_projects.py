"""Projects through the API, and the quota: reserved, released, never promised twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from support.service import ADMIN, ALICE, BOB, bearer, make_service, make_test_context
from voxelhub_service.database import reading, writing
from voxelhub_service.errors import Problem
from voxelhub_service.models import AuditEvent, Event, Project, Reservation, utcnow
from voxelhub_service.projects.quota import human, release, reserve, room
from voxelhub_service.projects.store import ensure_project, project_by_name, projects_of

LATER = timedelta(hours=1)


def test_groups_make_projects_once(tmp_path):
    context = make_test_context(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda _: [p.name for p in projects_of(context, ALICE)], range(8)))
    assert names == [["home-alice", "alpha", "demo"]] * 8
    with reading(context.engine) as session:
        assert session.query(Project).count() == 3
        home = project_by_name(session, "home-alice")
        assert (home.kind, home.owner, home.open, home.quota_bytes) == (
            "personal",
            "alice",
            False,
            context.settings.project_quota,
        )


def test_ensure_project_keeps_what_was_set_unless_told(tmp_path):
    context = make_test_context(tmp_path)
    with writing(context.engine) as session:
        ensure_project(session, "p", title="P", quota_bytes=10, open=True)
        assert ensure_project(session, "p", title="Other", quota_bytes=99).open is True
        assert ensure_project(session, "p", title="Other", quota_bytes=99, open=False).open is False
        assert (project_by_name(session, "p").title, project_by_name(session, "p").quota_bytes) == ("P", 10)


def test_strangers_see_neither_project_nor_a_difference(tmp_path):
    client, context = make_service(tmp_path)
    projects_of(context, ALICE)
    there = client.get("/projects/alpha", headers=bearer("mallory"))
    nowhere = client.get("/projects/no-such", headers=bearer("mallory"))
    assert there.status_code == 404
    assert there.content == nowhere.content
    assert client.get("/projects/home-alice", headers=bearer("bob")).status_code == 404
    assert client.get("/projects/alpha", headers=bearer("alice")).json()["role"] == "owner"


def test_administrators_see_all_in_projects_and_their_own_in_me(tmp_path):
    client, context = make_service(tmp_path)
    projects_of(context, ALICE)
    assert {p["name"] for p in client.get("/me", headers=bearer("admin")).json()["projects"]} == {"home-admin", "demo"}
    everything = {p["name"]: p["role"] for p in client.get("/projects", headers=bearer("admin")).json()}
    assert everything == {"home-admin": "owner", "demo": "member", "alpha": "administrator", "home-alice": "administrator"}


def test_an_administrator_configures_and_it_leaves_a_trace(tmp_path):
    client, context = make_service(tmp_path)
    projects_of(context, ALICE)
    changed = client.patch("/projects/alpha", json={"open": True, "title": "Alpha trial"}, headers=bearer("admin"))
    assert (changed.status_code, changed.json()["open"], changed.json()["title"]) == (200, True, "Alpha trial")
    client.patch("/projects/alpha", json={"open": True}, headers=bearer("admin"))  # changes nothing: no second record
    assert client.patch("/projects/alpha", json={"open": False}, headers=bearer("alice")).status_code == 403
    with reading(context.engine) as session:
        records = [
            (e.actor, e.action, e.resource, e.outcome, e.detail) for e in session.query(AuditEvent).order_by(AuditEvent.seq)
        ]
        assert records == [
            ("admin", "project.configure", "project:alpha", "success", {"open": True, "title": "Alpha trial"}),
            ("alice", "project.configure", "project:alpha", "denied", {"code": "forbidden"}),
        ]
        assert [(e.topic, e.project_id) for e in session.query(Event)] == [("project", project_by_name(session, "alpha").id)]


def _project(context, quota: int = 100, used: int = 0) -> Project:
    with writing(context.engine) as session:
        project = ensure_project(session, "p", title="P", quota_bytes=quota)
        project.used_bytes = used
        return project


def test_what_is_reserved_cannot_be_reserved_again(tmp_path):
    context = make_test_context(tmp_path)
    _project(context, 100, 30)
    with writing(context.engine) as session:
        project = project_by_name(session, "p")
        reserve(session, project, "upload:a", 50, utcnow() + LATER)
        assert room(session, project) == 20
        with pytest.raises(Problem) as refused:
            reserve(session, project, "upload:b", 21, utcnow() + LATER)
        assert (refused.value.status, refused.value.code) == (413, "quota_exceeded")
        assert "room for 20 bytes; this needs 21 bytes" in refused.value.detail
        reserve(session, project, "upload:a", 70, utcnow() + LATER)  # its own 50 count as free for it
        assert room(session, project) == 0
        release(session, "upload:a")
        release(session, "upload:a")
        assert room(session, project) == 70


def test_an_expired_reservation_holds_nothing(tmp_path):
    context = make_test_context(tmp_path)
    _project(context)
    with writing(context.engine) as session:
        project = project_by_name(session, "p")
        reserve(session, project, "upload:a", 100, utcnow() - LATER)
        assert room(session, project) == 100
        with pytest.raises(Problem):
            reserve(session, project, "upload:a", 101, utcnow() + LATER)


def test_a_quota_below_what_is_there_leaves_no_negative_room(tmp_path):
    context = make_test_context(tmp_path)
    _project(context, 10, 30)
    with writing(context.engine) as session:
        assert room(session, project_by_name(session, "p")) == 0
        with pytest.raises(Problem):
            reserve(session, project_by_name(session, "p"), "run:a", 1, utcnow() + LATER)


def test_many_at_once_never_reserve_more_than_there_is(tmp_path):
    context = make_test_context(tmp_path)
    _project(context, 100)

    def attempt(number: int) -> bool:
        try:
            with writing(context.engine) as session:
                reserve(session, project_by_name(session, "p"), f"upload:{number}", 30, utcnow() + LATER)
        except Problem:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 3
    with reading(context.engine) as session:
        assert session.query(Reservation).count() == 3


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (5 * 1024**3, "5.0 GiB"), (3 * 1024**5, "3072.0 TiB")],
)
def test_sizes_in_human_units(size, text):
    assert human(size) == text


def test_actors_of_the_tests_are_what_their_names_say():
    assert (ALICE.project_roles["alpha"], BOB.project_roles["demo"], ADMIN.admin) == ("owner", "member", True)
