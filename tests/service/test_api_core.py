"""Health, me and projects through the whole application."""

from __future__ import annotations

from support.service import bearer, make_service


def test_health_is_open_and_says_whether_a_worker_is_there(tmp_path):
    client, _ = make_service(tmp_path)
    assert client.get("/health").json() == {"status": "ok", "version": "0.1.0", "worker": False}


def test_me_shows_the_personal_project_first_and_it_is_clinical(tmp_path):
    client, _ = make_service(tmp_path)
    me = client.get("/me", headers=bearer("alice")).json()
    assert (me["name"], me["roles"], me["admin"]) == ("alice", ["researcher", "tool-developer"], False)
    assert [(p["name"], p["role"], p["open"]) for p in me["projects"]] == [
        ("home-alice", "owner", False), ("alpha", "owner", False), ("demo", "member", False)]
