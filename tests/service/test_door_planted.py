"""The planted corpus through the whole door: API, worker, sandboxed cleaners, publisher; then every byte left is searched.

Only quarantine may hold what was planted: it keeps originals, mode 0600, for the people who may decide."""

from __future__ import annotations

import json
import logging
import sqlite3
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread
from support.cleaned import text_of
from support.lab_server import LAB
from support.live import live_service
from support.planted import Corpus, Hunt, make_corpus
from support.service import bearer
from support.uploads import open_project, send
from support.workplace import _working
from voxelhub_service.context import Context

PLACES = ("projects", "service", "staging", "uploads", "derived", "runs", "audit", "trash")


@dataclass
class Imported:
    context: Context
    corpus: Corpus
    api: httpx.Client
    run: dict[str, Any]
    said: str  # by the service and the worker


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    folder = tmp_path_factory.mktemp("door")
    corpus = make_corpus(folder / "corpus", seed=21)
    logs = logging.FileHandler(folder / "service.log")
    logging.getLogger().addHandler(logs)
    try:
        with live_service(folder, envs_dir=LAB.parent, min_free=0) as live, _working(live.context, folder / "worker.log", {}):
            open_project(live.context, open=False)
            with httpx.Client(base_url=live.url, headers=bearer("alice"), timeout=60, trust_env=False) as api:
                files = {file.path: (corpus.root / file.path).read_bytes() for file in corpus.files}
                run = wait(api, send(api, files, title="A study")["id"])  # type: ignore[arg-type]
                closed(live.context.settings.runs_dir / run["id"])
                yield Imported(live.context, corpus, api, run, "")
    finally:
        logging.getLogger().removeHandler(logs)


def wait(api: httpx.Client, run_id: str) -> dict[str, Any]:
    until = time.monotonic() + 240
    while True:
        run: dict[str, Any] = api.get(f"/runs/{run_id}").raise_for_status().json()
        if run["state"] in ("succeeded", "failed", "cancelled"):
            return run
        assert time.monotonic() < until, run
        time.sleep(0.3)


def closed(folder: Path) -> None:
    """The worker has put away what the run no longer needs."""
    until = time.monotonic() + 60
    while (folder / "open").exists():
        assert time.monotonic() < until
        time.sleep(0.1)


def files_of(context: Context) -> list[Path]:
    """All files of the installation but quarantine."""
    kept = context.settings.quarantine_dir
    return [path for path in sorted(context.settings.state_dir.rglob("*")) if path.is_file() and kept not in path.parents]


def test_what_could_be_cleaned_is_a_version_and_the_rest_is_held(imported: Imported) -> None:
    assert imported.run["state"] == "succeeded", imported.run
    held = imported.api.get("/quarantine", params={"project": "demo", "limit": 200}).raise_for_status().json()
    codes = {item["code"] for item in held["items"]}
    report = [path for path in files_of(imported.context) if path.name.startswith("deidentification-")]
    assert len(report) == 1
    lines = [json.loads(line) for line in report[0].read_text().splitlines()]
    print(f"{len(imported.corpus.files)} files: {len(lines)} released, {held['total']} held for {sorted(codes)}")
    assert len(lines) > 55
    assert {"burned_in", "document", "free_text"} <= codes
    assert len(lines) + held["total"] >= len(imported.corpus.files)  # archives were opened: what is in them counts, too


def test_nothing_planted_is_in_any_file(imported: Imported) -> None:
    hunt = Hunt(imported.corpus.plants)
    dates = [plant for plant in imported.corpus.plants if plant.is_date]
    assert dates
    found, looked = [], 0
    for path in files_of(imported.context):
        data = path.read_bytes()
        looked += len(data)
        places = hunt.leaks(data)
        if data[128:132] == b"DICM":
            places += hunt.leaks(text_of(dcmread(path)))
        found += [f"{path.relative_to(imported.context.settings.state_dir)}: {place}" for place in places]
        found += [f"a name of a file or folder: {place}" for place in hunt.leaks(str(path).encode())]
    print(f"{len(files_of(imported.context))} files, {looked / 1e6:.1f} MB searched for {len(imported.corpus.plants)} words")
    assert not found, "\n".join(found[:60])


def test_nothing_planted_is_in_the_database_or_the_audit(imported: Imported) -> None:
    """As text, so that no page boundary of SQLite hides a word; the files themselves are searched above."""
    hunt = Hunt(imported.corpus.plants)
    with sqlite3.connect(f"file:{imported.context.settings.database_file}?mode=ro", uri=True) as connection:
        rows = "\n".join(connection.iterdump())
    assert "import" in rows
    assert not hunt.leaks(rows.encode())


def test_nothing_planted_is_told(imported: Imported) -> None:
    """By the API to one who may see all, and by the logs of service and worker."""
    hunt = Hunt(imported.corpus.plants)
    run = f"/runs/{imported.run['id']}"
    paths = ("/quarantine?limit=200", "/entries?limit=200", run, f"{run}/log", f"{run}/crate",
             f"{run}/lineage", "/runs?limit=50", "/datasets?limit=50", "/uploads")
    answers = {path: imported.api.get(path) for path in paths}
    assert sum(answer.status_code == 200 for answer in answers.values()) >= 4, {p: a.status_code for p, a in answers.items()}
    told = {path: hunt.leaks(answer.content) for path, answer in answers.items()}
    folder = imported.context.settings.state_dir.parent
    told |= {name: hunt.leaks((folder / name).read_bytes()) for name in ("service.log", "worker.log")}
    assert not any(told.values()), told


def test_quarantine_is_closed_to_others(imported: Imported) -> None:
    """And the hunt finds the words there, where they are: the search above was not blind."""
    hunt = Hunt(imported.corpus.plants)
    kept = imported.context.settings.quarantine_dir
    paths = [path for path in kept.rglob("*") if path.is_file()]
    assert paths
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in paths)
    assert stat.S_IMODE(kept.stat().st_mode) & 0o077 == 0
    assert sum(bool(hunt.leaks(path.read_bytes())) for path in paths) > 10


def test_what_the_door_did_is_told_in_counts(imported: Imported) -> None:
    run = imported.run["id"]
    nodes = imported.api.get(f"/runs/{run}/lineage").raise_for_status().json()["nodes"]
    (told,) = (node["report"] for node in nodes if node["key"] == f"run:{run}")
    held = imported.api.get("/quarantine", params={"project": "demo", "limit": 200}).raise_for_status().json()["items"]
    kept = json.loads((imported.context.settings.runs_dir / run / "run.json").read_text())["door"]
    assert sum(kept["held"].values()) == len(held) == kept["arrived"] - kept["released"]
    assert kept["held"] == {code: sum(one["code"] == code for one in held) for code in {one["code"] for one in held}}
    assert kept["clinical"] and not kept["scanned"] and kept["actions"]["removed"] > 100 and "113100" in kept["codes"]
    text = " ".join(told)
    assert f"{kept['arrived']} files arrived" in text and "profile research" in text and "No virus scanner" in text
    crate = imported.api.get(f"/runs/{run}/crate").raise_for_status().json()
    values = {one["name"]: one["value"] for one in crate["@graph"] if one["@type"] == "PropertyValue"}
    assert values["door: arrived"] == kept["arrived"]
