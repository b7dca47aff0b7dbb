"""A place with its own worker, in this process or killed and begun again: what tests of runs and batches start from."""

from __future__ import annotations

import threading

from support.probe import write_probe
from support.service import ALICE
from support.world import add_project, add_version, make_world, run_row, until
from voxelhub_service.database import writing
from voxelhub_service.fsck.registry import checks
from voxelhub_service.models import TERMINAL_STATES, Project, Run
from voxelhub_service.runs.store import ask_cancel, create_tool_run
from voxelhub_service.runs.worker import Worker

CSV = b"a,b\n1,2\n"


class Place:
    """A project with one dataset, a probe tool, and workers started as a test wants."""

    def __init__(self, folder, **settings):
        self.context = make_world(folder, tools_dir=str(write_probe(folder / "tools")), **settings)
        self.project = add_project(self.context)
        self.entries = add_version(self.context, self.project, "data", {
            "table.csv": ("table", "table", "csv", {"table.csv": CSV}),
            "scan": ("series", "ct-image", "dicom", {"ct/1.dcm": b"one", "ct/2.dcm": b"two"}),
            "other": ("series", "mr-image", "dicom", {"ct/3.dcm": b"three"}),
        })
        self.threads: list[tuple[Worker, threading.Thread]] = []

    def start(self) -> Worker:
        worker = Worker(self.context)
        thread = threading.Thread(target=worker.run)
        self.threads.append((worker, thread))
        thread.start()
        return worker

    def stop(self) -> None:
        for worker, thread in self.threads:
            worker.stop()
            thread.join(120)
            worker.executor.shutdown()

    def submit(self, *names, **arguments) -> str:
        with writing(self.context.engine) as session:
            run = create_tool_run(
                self.context, session, ALICE, tool="probe", version=None, project="demo",
                inputs={"volume": [self.entries[name] for name in names or ("table.csv",)]}, arguments=arguments,
                output_title=None, request_id=None)
        return run.id

    def cancel(self, run_id: str) -> None:
        with writing(self.context.engine) as session:
            run = session.get_one(Run, run_id)
            ask_cancel(self.context, session, ALICE, run, session.get_one(Project, run.project_id))

    def state(self, run_id: str) -> str:
        return run_row(self.context, run_id).state

    def end(self, run_id: str, seconds: float = 120) -> Run:
        until(lambda: self.state(run_id) in TERMINAL_STATES, seconds)
        until(lambda: not (self.folder(run_id) / "open").exists())
        return run_row(self.context, run_id)

    def folder(self, run_id: str):
        return self.context.settings.runs_dir / run_id

    def findings(self) -> list[str]:
        return [finding.sentence for check in checks() for finding in check.run(self.context, True)]
