"""A service with a worker beside it, a probe tool, and one project with data: what tests of evidence stand on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.probe import write_probe
from support.service import bearer, make_service
from support.world import ROOT, add_project, add_version, run_row, until
from voxelhub_service.models import TERMINAL_STATES, Run
from voxelhub_service.runs.worker import Worker

CSV = b"a,b\n1,2\n"


class Bench:
    def __init__(self, folder: Path, **settings: Any) -> None:
        self.tools = write_probe(folder / "tools", **settings.pop("tool", {}))
        self.client, self.context = make_service(folder, tools_dir=str(self.tools), envs_dir=ROOT / ".envs", **settings)
        self.demo, self.alpha = add_project(self.context, "demo"), add_project(self.context, "alpha")
        self.entries = add_version(self.context, self.demo, "data", {
            "table.csv": ("table", "table", "csv", {"table.csv": CSV}),
            "scan": ("series", "ct-image", "dicom", {"ct/1.dcm": b"one", "ct/2.dcm": b"two"}),
        })
        self.worker: Worker | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self.worker = Worker(self.context)
        self._thread = threading.Thread(target=self.worker.run)
        self._thread.start()

    def stop(self) -> None:
        if self.worker is not None and self._thread is not None:
            self.worker.stop()
            self._thread.join(120)
            self.worker.executor.shutdown()

    def submit(self, *entries: str, project: str = "demo", user: str = "alice", **arguments: Any) -> str:
        ids = [self.entries.get(one, one) for one in entries or ("table.csv",)]
        body = {"tool": "probe", "project": project, "inputs": {"volume": ids}, "arguments": arguments}
        answer = self.client.post("/runs", json=body, headers=bearer(user))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def end(self, run_id: str) -> Run:
        until(lambda: run_row(self.context, run_id).state in TERMINAL_STATES)
        until(lambda: not (self.folder(run_id) / "open").exists())
        return run_row(self.context, run_id)

    def run(self, *entries: str, **more: Any) -> Run:
        return self.end(self.submit(*entries, **more))

    def again(self, run_id: str) -> Run:
        answer = self.client.post(f"/runs/{run_id}/rerun", headers=bearer("alice"))
        assert answer.status_code == 201, answer.text
        return self.end(answer.json()["id"])

    def outputs(self, run: Run) -> dict[str, str]:
        """Entry ids of what a run made, by name."""
        dataset = self.get(f"/runs/{run.id}")["output_dataset_id"]
        return {one["name"]: one["id"] for one in self.get("/entries", dataset=dataset)["items"]}

    def get(self, path: str, user: str = "alice", status: int = 200, **query: Any) -> Any:
        answer = self.client.get(path, params=query, headers=bearer(user))
        assert answer.status_code == status, answer.text
        return answer.json()

    def folder(self, run_id: str) -> Path:
        return self.context.settings.runs_dir / run_id

    def crate(self, run_id: str) -> dict[str, Any]:
        """The stored one."""
        found: dict[str, Any] = json.loads((self.folder(run_id) / "crate/ro-crate-metadata.json").read_text())
        return found


@contextmanager
def bench(folder: Path, *, working: bool = True, **settings: Any) -> Iterator[Bench]:
    made = Bench(folder, **settings)
    try:
        if working:
            made.start()
        yield made
    finally:
        made.stop()


def by_type(document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in document["@graph"] if one["@type"] == kind]
