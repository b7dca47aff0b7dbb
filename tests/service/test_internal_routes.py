"""What the hub of a cluster asks: folders before they are mounted, and the ledger for pods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.service import bearer, make_service
from support.world import add_project
from voxelhub_service.context import Context
from voxelhub_service.database import reading
from voxelhub_service.executors.folder import read_json, write_json
from voxelhub_service.executors.local import LocalExecutor
from voxelhub_service.keeping.keeper import Keeper
from voxelhub_service.models import LedgerEntry
from voxelhub_service.runs.lease import WorkerLease
from voxelhub_service.secrets import read_secret

BEGUN = datetime(2026, 11, 30, 10, 0, 0, 123000, tzinfo=UTC)
BEN = {"id": "b" * 32, "user": "ben"}


def ended(seconds: float) -> dict[str, object]:
    return {"ended_at": (BEGUN + timedelta(seconds=seconds)).isoformat()}


def door(context: Context, secret: str = "events-token") -> dict[str, str]:
    return {"Authorization": f"Bearer {read_secret(context.settings.secrets_dir, secret)}"}


def use(seconds: float, **changes: object) -> dict[str, object]:
    return {"id": "a" * 32, "user": "ada", "server": "", "profile": "small", "cpu": 2, "gpus": 1,
            "started_at": BEGUN.isoformat(), "seconds": seconds} | changes


def test_folders_of_projects_are_there_before_a_pod_mounts_them(tmp_path) -> None:
    client, context = make_service(tmp_path)
    add_project(context, "alpha")
    for _ in range(2):
        answer = client.post("/internal/projects", json={"projects": ["alpha", "home-alice"]}, headers=door(context))
        assert answer.status_code == 204
    folders = {path.name: path.stat() for path in context.settings.projects_dir.iterdir()}
    assert set(folders) == {"alpha", "home-alice"}
    assert all(stat.st_mode & 0o777 == 0o755 for stat in folders.values())


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "/etc", "A", "a" * 64, "a\0", ".hidden", 7])
def test_a_name_that_is_none_makes_nothing(tmp_path, name: object) -> None:
    client, context = make_service(tmp_path)
    answer = client.post("/internal/projects", json={"projects": ["alpha", name]}, headers=door(context))
    assert answer.status_code == 422 and list(context.settings.projects_dir.iterdir()) == []


@pytest.mark.parametrize(("path", "body"), [
    ("/internal/projects", {"projects": ["alpha"]}), ("/internal/servers", {"servers": [use(1)]})])
def test_only_the_hub_may_ask(tmp_path, path: str, body: dict[str, object]) -> None:
    client, context = make_service(tmp_path)
    for headers in ({}, bearer("admin"), door(context, "metrics-token")):
        assert client.post(path, json=body, headers=headers).status_code == 401
    assert list(context.settings.projects_dir.iterdir()) == [] and not context.settings.servers_dir.exists()


def tell(client, context: Context, *told: dict[str, object]) -> int:
    code: int = client.post("/internal/servers", json={"servers": list(told)}, headers=door(context)).status_code
    return code


def charged(context: Context) -> list[LedgerEntry]:
    with reading(context.engine) as session:
        return session.query(LedgerEntry).filter_by(kind="server").order_by(LedgerEntry.owner).all()


def test_pods_are_charged_as_the_hub_tells_of_them(tmp_path) -> None:
    """Told twice, out of order, or again after its end: no second is lost and none is doubled."""
    client, context = make_service(tmp_path)
    lease = WorkerLease(context)
    assert lease.take()
    keeper = Keeper(context, LocalExecutor(context.settings.runs_dir), lease)
    assert tell(client, context, use(100), use(50, **BEN)) == 204
    keeper.look()
    assert tell(client, context, use(110), use(60, **BEN, **ended(60))) == 204
    assert tell(client, context, use(90)) == tell(client, context, use(65, **BEN)) == 204
    keeper.look()
    ada, ben = charged(context)
    assert (ada.owner, ada.seconds, ada.core_seconds, ada.gpu_seconds, ada.ended_at) == ("ada", 100, 200, 100, None)
    assert (ben.owner, ben.seconds) == ("ben", 60) and ben.ended_at is not None
    assert ada.subject == "ada/@2026-11-30T10:00:00.123+00:00"
    for _ in range(2):
        assert tell(client, context, use(120, **ended(120))) == 204
        keeper.look()
    assert [(row.owner, row.seconds, row.ended_at is None) for row in charged(context)] == [
        ("ada", 120, False), ("ben", 60, False)]
    assert list(context.settings.servers_dir.iterdir()) == []


def test_a_pod_of_which_nobody_tells_for_a_day_has_ended(tmp_path) -> None:
    client, context = make_service(tmp_path)
    lease = WorkerLease(context)
    assert lease.take()
    keeper = Keeper(context, LocalExecutor(context.settings.runs_dir), lease)
    assert tell(client, context, use(100)) == 204
    path = context.settings.servers_dir / f"{'a' * 32}.json"
    for age, running in ((86000, True), (86500, False)):
        write_json(path, {**read_json(path), "told_at": read_json(path)["told_at"] - age} if running else
                   {**read_json(path), "told_at": read_json(path)["told_at"] - 500})
        keeper.look()
        (row,) = charged(context)
        assert (row.seconds, row.ended_at is None, path.exists()) == (100, running, running)


@pytest.mark.parametrize("changes", [
    {"id": "../../etc/x"}, {"seconds": -1}, {"user": ""}, {"started_at": "2026-11-30T10:00:00"}, {"cpu": "many"}, {"more": 1}])
def test_what_is_no_record_is_refused(tmp_path, changes: dict[str, object]) -> None:
    client, context = make_service(tmp_path)
    assert tell(client, context, use(1) | changes) == 422
    assert not context.settings.servers_dir.exists()
