"""Who holds how much of a project; what the trash and the quarantine hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.held import hold, item_row
from support.service import bearer, make_service
from support.uploads import bring_in, open_project, project_row
from voxelhub_service.database import writing
from voxelhub_service.models import QuarantineItem


@pytest.fixture
def service(tmp_path: Path) -> Any:
    client, context = make_service(tmp_path, min_free=0)
    open_project(context)
    open_project(context, "alpha")
    return client, context


def storage(client: Any, user: str = "bob", project: str = "demo", status: int = 200) -> Any:
    answer = client.get(f"/projects/{project}/storage", headers=bearer(user))
    assert answer.status_code == status, answer.text
    return answer.json()


def users(client: Any) -> dict[str, tuple[int, int]]:
    return {one["user"]: (one["bytes"], one["datasets"]) for one in storage(client)["users"]}


def test_an_empty_project(service: Any) -> None:
    client, _ = service
    assert storage(client) == {"project": "demo", "quota_bytes": 10**9, "used_bytes": 0, "reserved_bytes": 0, "trash_bytes": 0,
                               "quarantine_bytes": 0, "users": []}


def test_equal_files_count_once_and_for_the_first(service: Any) -> None:
    client, context = service
    bring_in(client, context, {"a": b"x" * 100, "again": b"x" * 100, "b": b"y" * 10}, user="alice", title="A")
    bring_in(client, context, {"a": b"x" * 100, "c": b"z" * 1000}, user="bob", title="B")
    bring_in(client, context, {"d": b"w" * 5}, user="alice", title="B")
    assert users(client) == {"bob": (1000, 1), "alice": (115, 2)}
    assert [one["user"] for one in storage(client)["users"]] == ["bob", "alice"]
    assert sum(size for size, _ in users(client).values()) == storage(client)["used_bytes"] == project_row(context).used_bytes
    bring_in(client, context, {"a": b"x" * 100}, user="alice", title="C", project="alpha")
    assert users(client) == {"bob": (1000, 1), "alice": (115, 2)}  # another project's files are its own


def test_who_brought_in_nothing_new_is_listed_with_nothing(service: Any) -> None:
    client, context = service
    bring_in(client, context, {"a": b"x" * 100}, user="alice", title="A")
    bring_in(client, context, {"a": b"x" * 100}, user="bob", title="B")
    assert users(client) == {"alice": (100, 1), "bob": (0, 1)}


def test_the_trash_counts_what_emptying_it_would_free(service: Any) -> None:
    client, context = service
    bring_in(client, context, {"a": b"x" * 100, "b": b"y" * 10}, user="alice", title="Kept")
    gone = bring_in(client, context, {"a": b"x" * 100, "c": b"z" * 1000}, user="bob", title="Gone")
    assert storage(client)["trash_bytes"] == 0
    client.delete(f"/datasets/{gone.dataset_id}", headers=bearer("bob"))
    assert storage(client)["trash_bytes"] == 1000
    before = storage(client)["used_bytes"]
    client.delete(f"/datasets/{gone.dataset_id}?purge=true&confirm=Gone", headers=bearer("alice"))
    assert storage(client)["used_bytes"] == before  # a member does not purge
    with writing(context.engine) as session:
        session.get_one(type(project_row(context)), project_row(context).id).quota_bytes = 10**6
    assert storage(client)["quota_bytes"] == 10**6


def test_what_waits_in_quarantine_and_what_uploads_set_aside(service: Any) -> None:
    client, context = service
    first, second = hold(context, "demo", "alice", [b"12345", b"1234567"])
    hold(context, "alpha", "alice", [b"x"])
    client.post("/uploads", headers=bearer("bob"), json={"project": "demo", "title": "T", "files": [{"path": "a", "size": 77}]})
    found = storage(client)
    assert (found["quarantine_bytes"], found["reserved_bytes"], found["used_bytes"]) == (12, 77, 0)
    with writing(context.engine) as session:
        session.get_one(QuarantineItem, first).state = "rejected"
        session.get_one(QuarantineItem, second).state = "releasing"
    assert storage(client)["quarantine_bytes"] == 7 == item_row(context, second).size


def test_members_and_administrators_may_look(service: Any) -> None:
    client, _ = service
    assert storage(client, "admin", "alpha")["project"] == "alpha"
    assert storage(client, "mallory", status=404) == storage(client, "mallory", "no-such-project", 404)
    assert storage(client, "bob", "alpha", 404)["code"] == "not_found"
