"""voxelhub.fetch against the real API: what it asks for, and how it follows. The import itself: tests/service/test_fetch.py."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import voxelhub
from sqlalchemy import select
from support.live import LiveService, live_service
from support.uploads import open_project
from voxelhub import VoxelHubError, fetching
from voxelhub_service.database import reading, writing
from voxelhub_service.models import Run, Upload
from voxelhub_service.runs.endings import end_run

URL = "https://data.example/far%20study.zip"


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveService]:
    with live_service(tmp_path, min_free=0) as service:
        open_project(service.context)
        monkeypatch.setenv("VOXELHUB_API_URL", service.url)
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "token-of-alice")
        yield service


def in_a_thread(**more: Any) -> Future[Any]:
    return ThreadPoolExecutor(1).submit(lambda: voxelhub.fetch(URL, project="demo", **more))


def runs(live: LiveService, count: int) -> list[Run]:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with reading(live.context.engine) as session:
            if len(found := list(session.scalars(select(Run).order_by(Run.number)))) == count:
                return found
        threading.Event().wait(0.05)
    raise AssertionError("no run appeared")


def end(live: LiveService, run: Run, reason: str) -> None:
    with writing(live.context.engine) as session:
        end_run(live.context, session, session.get_one(Run, run.id), "failed", reason)


def test_a_failed_import_says_why_and_can_be_asked_for_again(live: LiveService, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    begin = fetching._begin
    monkeypatch.setattr(fetching, "_begin", lambda body: asked.append(body) or begin(body))
    first = in_a_thread(mode="add")
    (run,) = runs(live, 1)
    assert [begin(asked[0])["id"] for _ in range(2)] == [run.id, run.id]  # the cell runs again: the same import
    with reading(live.context.engine) as session:
        upload = session.get_one(Upload, run.upload_id)
        assert (upload.title, upload.mode, upload.source, upload.origin) == ("far study.zip", "add", "url", "data.example")
    end(live, run, "data.example has no file at this address.")
    with pytest.raises(VoxelHubError, match="has no file at this address"):
        first.result(20)
    third = in_a_thread(mode="add")
    end(live, runs(live, 2)[1], "Again not.")
    with pytest.raises(VoxelHubError, match="Again not"):
        third.result(20)


def test_what_is_refused_at_once(live: LiveService) -> None:
    with pytest.raises(VoxelHubError, match="user name or password"):
        voxelhub.fetch("https://me:word@data.example/x", project="demo")


def test_a_clinical_dataset_is_not_named_after_a_file(live: LiveService) -> None:
    open_project(live.context, "alpha", open=False)
    with pytest.raises(VoxelHubError, match="title that you choose"):
        voxelhub.fetch("https://data.example/MUSTER_ERIKA.zip", project="alpha")
    assert runs(live, 0) == []
