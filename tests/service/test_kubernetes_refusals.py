"""What does not run on Kubernetes yet is refused in a sentence, wherever somebody asks; imports and previews run, confined."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from support.probe import write_probe
from support.service import bearer, make_service
from support.uploads import bring_in, open_project, send
from support.world import ROOT, add_project, add_version
from voxelhub_sandbox import bubblewrap, landlock
from voxelhub_service.database import writing
from voxelhub_service.datasets import derived
from voxelhub_service.datasets.phantom import write_phantom
from voxelhub_service.imports import job as jobs
from voxelhub_service.imports.workshop import Worker
from voxelhub_service.models import Batch
from voxelhub_service.runs import staging
from voxelhub_service.tools.environments import NO_RUNS

KUBERNETES = {"platform": "kubernetes", "min_free": 0, "door_workers": 1, "door_text": False, "envs_dir": ROOT / ".envs"}


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As in a pod: whoever looks for bubblewrap there is at fault."""

    def never() -> str:
        raise AssertionError("bubblewrap was asked for")

    for module in (bubblewrap, derived):
        monkeypatch.setattr(module, "unavailable", never)
    return make_service(tmp_path, tools_dir=str(write_probe(tmp_path / "tools")), **KUBERNETES)


def entry(context: Any) -> str:
    given = {"table.csv": ("table", "table", "csv", {"table.csv": b"a\n"})}
    return add_version(context, add_project(context), "data", given)["table.csv"]


def test_a_run_is_refused_and_the_panel_says_so_before(service: Any) -> None:
    client, context = service
    body = {"tool": "probe", "project": "demo", "inputs": {"volume": [entry(context)]}, "arguments": {}}
    (tool,) = client.get("/tools", params={"entries": body["inputs"]["volume"][0]}, headers=bearer("alice")).json()["items"]
    assert not tool["eligible"] and tool["reason"] == f"This tool cannot run yet. {NO_RUNS}"
    answer = client.post("/runs", json=body, headers=bearer("alice"))
    assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (409, "no_runs_on_kubernetes", NO_RUNS)
    assert client.post("/runs", json=body, headers=bearer("mallory")).status_code == 404, "a stranger learns of the project"
    assert client.get("/runs", params={"kind": "tool"}, headers=bearer("alice")).json()["total"] == 0


def test_a_batch_is_refused_and_leaves_nothing(service: Any) -> None:
    client, context = service
    body = {"tool": "probe", "project": "demo", "title": "All", "arguments": {}, "items": [
        {"label": "1", "inputs": {"volume": [entry(context)]}}]}
    answer = client.post("/batches", json=body, headers=bearer("alice"))
    assert (answer.status_code, answer.json()["code"]) == (409, "no_runs_on_kubernetes")
    with writing(context.engine) as session:
        assert session.query(Batch).count() == 0


def test_a_run_that_came_with_a_backup_ends_with_the_sentence(service: Any) -> None:
    """The environment is what a run asks for first, in the worker too."""
    _, context = service
    manifest = staging.catalogue.registry(context.settings).get("probe")
    assert staging.missing(context.settings, manifest) == NO_RUNS


def test_a_cluster_is_refused_and_the_panel_says_so_before(service: Any) -> None:
    client, context = service
    add_project(context)
    said = client.get("/clusters/choices", headers=bearer("alice")).json()["unavailable"]
    assert said.startswith("On Kubernetes there are no Dask clusters yet")
    answer = client.post("/clusters", json={"project": "demo", "title": "Mine"}, headers=bearer("alice"))
    assert (answer.status_code, answer.json()["code"]) == (503, "no_clusters") and said in answer.json()["detail"]


@pytest.mark.parametrize("text", [False, pytest.param(True, marks=pytest.mark.skipif(
    not (ROOT / ".envs/ocr").is_dir(), reason="the environment ocr is not here"))])
def test_a_clinical_import_comes_in(service: Any, tmp_path: Path, text: bool) -> None:
    """Where text is looked for in pixels, too: its program is a child of the confined worker."""
    client, context = service
    object.__setattr__(context.settings, "door_text", text)
    open_project(context, "alpha", open=False)
    write_phantom(tmp_path)
    files = {path.name: path.read_bytes() for path in sorted((tmp_path / "chest-ct").iterdir())[:4]}
    version = bring_in(client, context, files, project="alpha")
    assert version.n_files == 5


@pytest.mark.skipif(not (ROOT / ".envs" / derived.ENVIRONMENT / "bin/dcm2niix").is_file(), reason="dcm2niix is not here")
def test_a_series_is_shown(service: Any, tmp_path: Path) -> None:
    client, context = service
    open_project(context)
    write_phantom(tmp_path)
    bring_in(client, context, {path.name: path.read_bytes() for path in sorted((tmp_path / "chest-ct").iterdir())})
    (one,) = [one for one in client.get("/entries", params={"project": "demo"}, headers=bearer("alice")).json()["items"]
              if one["kind"] == "series"]
    shown = client.get(f"/entries/{one['id']}/content", headers=bearer("alice"))
    assert shown.status_code == 200 and shown.content[:2] == b"\x1f\x8b", shown.text


PROGRAM = """
import json, os, sys, tempfile
sys.stdin.readline()
print("{}", flush=True)
for line in sys.stdin:
    request, told = json.loads(line), {}
    for name, path in request["paths"].items():
        try:
            open(path).read()
            told[name] = True
        except OSError:
            told[name] = False
    with tempfile.NamedTemporaryFile() as file:
        told["scratch"] = os.path.dirname(file.name)
    print(json.dumps(told), flush=True)
"""


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_a_door_worker_sees_its_own_files_and_no_secret(service: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the real bench of an import, as the coordinator makes it."""
    client, context = service
    open_project(context, "alpha", open=False)
    (context.settings.projects_dir / "beta").mkdir()
    (context.settings.projects_dir / "beta" / "scan").write_text("another project's")
    run = send(client, {"notes.txt": b"hello"}, project="alpha")
    job = jobs.read_job(context, run["id"])
    job.work.mkdir(parents=True)
    bench = job.bench(context.settings)
    assert bench.landlock and not bench.isolation
    monkeypatch.setattr(Worker, "_command", lambda self: [sys.executable, "-c", PROGRAM])
    own = next(path for path in job.source.rglob("*") if path.is_file() and path.suffix == ".part")
    worker = Worker(bench)
    try:
        told = worker.ask({"paths": {
            "its upload": str(own), "a secret": str(context.settings.secrets_dir / "deid-key"),
            "another project": str(context.settings.projects_dir / "beta" / "scan"), "passwords": "/etc/passwd",
            "the worker's environment": f"/proc/{os.getpid()}/environ"}}, 60)
    finally:
        worker.end()
    scratch = Path(told.pop("scratch"))
    assert told == {"its upload": True, "a secret": False, "another project": False, "passwords": False,
                    "the worker's environment": False}, json.dumps(told)
    assert scratch.name.startswith("voxelhub-door-") and not scratch.exists()
