"""What changed between two versions of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.service import bearer, make_service
from support.uploads import bring_in, open_project

FIRST = {"a.txt": b"a", "b.txt": b"b", "sub/c.txt": b"c", "same.txt": b"same"}
SECOND = {"a.txt": b"changed", "moved/b.txt": b"b", "sub/c.txt": b"c", "same.txt": b"same", "new.txt": b""}
THIRD = {"same.txt": b"same"}


@pytest.fixture
def service(tmp_path: Path) -> Any:
    client, context = make_service(tmp_path, min_free=0)
    open_project(context)
    versions = [bring_in(client, context, files) for files in (FIRST, SECOND, THIRD)]
    assert [one.number for one in versions] == [1, 2, 3]
    return client, versions[0].dataset_id


def diff(service: Any, number: int, user: str = "bob", status: int = 200, **query: Any) -> Any:
    client, dataset = service
    answer = client.get(f"/datasets/{dataset}/versions/{number}/diff", params=query, headers=bearer(user))
    assert answer.status_code == status, answer.text
    return answer.json()


def test_added_removed_changed_and_the_rest(service: Any) -> None:
    found = diff(service, 2)
    assert found["items"] == [
        {"path": "a.txt", "change": "changed", "size_before": 1, "size_after": 7},
        {"path": "b.txt", "change": "removed", "size_before": 1, "size_after": None},
        {"path": "moved/b.txt", "change": "added", "size_before": None, "size_after": 1},
        {"path": "new.txt", "change": "added", "size_before": None, "size_after": 0},
    ]
    counts = {name: found[name] for name in ("before", "after", "added", "removed", "changed", "unchanged", "total")}
    assert counts == {"before": 1, "after": 2, "added": 2, "removed": 1, "changed": 1, "unchanged": 2, "total": 4}


def test_of_a_first_version_all_is_added(service: Any) -> None:
    found = diff(service, 1)
    assert (found["before"], found["added"], found["total"], found["unchanged"]) == (0, 4, 4, 0)
    assert [one["path"] for one in found["items"]] == sorted(FIRST)


def test_any_two_versions_in_either_direction(service: Any) -> None:
    there, back = diff(service, 3, before=1), diff(service, 1, before=3)
    assert (there["added"], there["removed"]) == (0, 3) == (back["removed"], back["added"])
    assert [one["path"] for one in there["items"]] == [one["path"] for one in back["items"]]
    assert diff(service, 2, before=2)["total"] == 0


def test_the_list_is_cut_and_the_counts_are_not(service: Any) -> None:
    found = diff(service, 2, limit=1)
    assert [one["path"] for one in found["items"]] == ["a.txt"] and (found["total"], found["added"]) == (4, 2)


def test_what_is_not_there(service: Any) -> None:
    unknown = diff(service, 9, status=404)
    assert diff(service, 2, status=404, before=9) == unknown == diff(service, 2, user="mallory", status=404)
    assert diff(service, 2, status=422, before=0)["code"] == "invalid_request"


def test_of_the_same_paths_in_another_dataset_nothing_is_counted(service: Any, tmp_path: Path) -> None:
    client, _ = service
    bring_in(client, client.app.state.context, SECOND, title="Other")
    assert diff(service, 2)["total"] == 4
