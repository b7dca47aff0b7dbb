"""One look at one run, and one step: what `next_step` decides is done here, in short transactions under the lease."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from ..checkpoints import reached
from ..context import Context
from ..database import NoAnswer, away, reading
from ..errors import Problem
from ..executors.base import Executor, Observation
from ..executors.folder import read_json, write_json
from ..ledger import of_runs
from ..ledger.prices import known_prices
from ..models import TERMINAL_STATES, Dataset, DatasetVersion, Run, utcnow
from . import crate, endings, join_staging, publishing, staging
from .facts import phases
from .lease import LeaseLost, WorkerLease
from .line import Line
from .next_step import STOPPED, RunView, Seen, Step, Task, next_step
from .results import ResultError

log = logging.getLogger(__name__)
SLOTS = {"import": 2, "join": 2}  # of what the platform does itself; tool runs stand in line (line.py)
HINT = 0.5  # seconds between two hints that progress or log of a run have grown
UNEXPECTED = "Something in VoxelHub failed; an administrator finds it in the worker's log under this run's id."


class Tasks:
    """Long work of the worker itself (linking many files, hashing) beside its loop; one per run, kept until it was read."""

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}
        self._failures: dict[str, BaseException] = {}

    def start(self, run_id: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                self._failures[run_id] = error

        thread = threading.Thread(target=guarded, name=f"run-{run_id}", daemon=True)
        self._threads[run_id] = thread
        thread.start()

    def state(self, run_id: str) -> tuple[Task, BaseException | None]:
        thread = self._threads.get(run_id)
        if thread is not None and thread.is_alive():
            return "busy", None
        error = self._failures.get(run_id)
        return ("failed", error) if error is not None else ("none", None)

    def forget(self, run_id: str) -> None:
        self._threads.pop(run_id, None)
        self._failures.pop(run_id, None)

    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads.values())


class Reconciler:
    def __init__(self, context: Context, executor: Executor, lease: WorkerLease) -> None:
        self.context, self.executor, self.lease = context, executor, lease
        self.tasks, self.line = Tasks(), Line(context, lease)
        self._hinted: dict[str, tuple[datetime, int]] = {}
        self._going: set[str] = set()

    def look(self) -> int:
        """One step for each run that is on its way; how many there are."""
        runs = self._active()
        for run in runs:
            try:
                self.step(run)
            except (LeaseLost, *NoAnswer):  # a database that is busy or gone for long fails no run
                raise
            except Exception:
                log.exception("run %s", run.id)
                self.executor.cancel(run.id)
                self._finish(run, Step("finish", "failed", UNEXPECTED), None)
        going = {run.id for run in runs if run.state != "queued"}
        for run_id in self._going - going:
            self.close(run_id)
        self._going = going
        return len(runs)

    def step(self, run: Run) -> None:
        queued = run.state == "queued"
        process = Observation("absent") if queued else self.executor.observe(run.id)
        task, error = ("none", None) if queued else self.tasks.state(run.id)
        if isinstance(error, LeaseLost):
            raise error
        if isinstance(error, publishing.Cancelled) or away(error):  # then what was under way begins again
            self.tasks.forget(run.id)
            task = "none"
        seen = Seen(
            process, task, sentence(error), staged=not queued and self.executor.prepared(run.id),
            published=run.state == "staging_out" and self._version(run.id) is not None,
        )
        if error is not None and task == "failed" and seen.task_reason == UNEXPECTED:
            log.error("run %s", run.id, exc_info=error)
        self.do(run, next_step(RunView(run.state, run.kind, run.wanted), seen), process)

    def do(self, run: Run, step: Step, process: Observation) -> None:
        match step.action:
            case "wait":
                if run.state == "running":
                    self._progress(run, process)
            case "stage_in":
                stage_in = join_staging.stage_in if run.kind == "join" else staging.stage_in
                self.tasks.start(run.id, lambda: stage_in(self.context, self.executor, run.id))
            case "submit":
                self.executor.submit(run.id)
                reached("run.submitted")
                self._move(run, step, process)
            case "hurry":
                self.executor.hurry(run.id)
            case "retry":
                self._meter(run.id, running=True)
                self.executor.sweep(run.id)
                self.executor.retry(run.id)
                self.executor.submit(run.id)
            case "cancel":
                self.executor.cancel(run.id)
            case "publish":
                self.tasks.start(run.id, lambda: publishing.publish_run(self.context, self.lease, run.id))
            case "move":
                self._move(run, step, process)
            case "finish":
                self._finish(run, step, process)

    def _active(self) -> list[Run]:
        """All that are on their way, all that are to be cancelled, and those of the waiting that may begin."""
        with reading(self.context.engine) as session:
            going = list(session.scalars(select(Run).where(
                Run.state.in_(("staging_in", "running", "staging_out"))).order_by(Run.created_at)))
            cancelled = list(session.scalars(select(Run).where(Run.state == "queued", Run.wanted == "cancel")))
            begun = self.line.begin(session, going)
            for kind, slots in SLOTS.items():
                taken = sum(run.kind == kind and run.state != "staging_out" for run in going)
                if taken < slots:
                    waiting = select(Run).where(Run.state == "queued", Run.wanted == "run", Run.kind == kind)
                    queue = session.scalars(waiting.order_by(Run.created_at, Run.number))
                    begun += _without_rivals(going, queue, slots - taken)
        return going + begun + cancelled

    def _move(self, run: Run, step: Step, process: Observation) -> None:
        if step.state == run.state:
            return
        if step.state == "staging_out":
            reached("run.ended")
        with self.lease.writing() as session:
            row = session.get_one(Run, run.id)
            if row.state != run.state:
                return
            row.state, row.reason = step.state, step.reason
            if step.state == "staging_in":
                row.started_at = utcnow()
            if step.state == "staging_out":
                row.progress, row.progress_text, row.exit_code = 1.0, "Publishing the result", process.exit_code
            if step.state == "running" and run.kind == "tool":
                self._grant(session, row)
            endings.tell(session, row, log=process.log_size)
        self.tasks.forget(run.id)
        if step.state in ("running", "staging_out"):
            reached(f"run.{step.state}")

    def _grant(self, session: Any, run: Run) -> None:
        """One audit record for each version that was handed to this run, and what its environment was made from."""
        record = read_json(self._folder(run.id) / "run.json")
        run.environment_digest = record.get("environment", {}).get("digest")
        versions = {one["version_id"]: one for many in record.get("inputs", {}).values() for one in many}
        for one in versions.values():
            detail = {"to": f"run:{run.id}"} | {key: one[key] for key in ("dataset", "version", "version_digest")}
            self.context.audit.append(session, run.owner, "version.grant", f"version:{one['version_id']}", detail=detail)

    def _progress(self, run: Run, process: Observation) -> None:
        at, size = self._hinted.get(run.id, (run.created_at, 0))
        changed = abs(process.progress - run.progress) >= 0.005 or process.progress_text != run.progress_text
        due = (utcnow() - at).total_seconds() >= HINT
        if process.process != "running" or not due or not (changed or process.log_size > size):
            return
        self._hinted[run.id] = (utcnow(), process.log_size)
        with self.lease.writing() as session:
            row = session.get_one(Run, run.id)
            if row.state == "running":
                row.progress, row.progress_text = process.progress, process.progress_text
                endings.tell(session, row, log=process.log_size)

    def _finish(self, run: Run, step: Step, process: Observation | None) -> None:
        with self.lease.writing() as session:
            row = session.get_one(Run, run.id)
            reason = row.reason if step.state == "cancelled" and row.reason.startswith(STOPPED) else step.reason
            endings.end_run(self.context, session, row, step.state, reason, exit_code=process.exit_code if process else None)
        self._going.discard(run.id)
        self.close(run.id)

    def close(self, run_id: str) -> None:
        """After the end: the record says how it went, and what is no longer needed goes. Idempotent."""
        reached("run.finished")
        self._meter(run_id, running=False)
        self.tasks.forget(run_id)
        self._hinted.pop(run_id, None)
        self.executor.sweep(run_id)
        try:
            self._put_away(run_id)
        except OSError:  # a full disk: what arrived for the run may be the room that is missing
            publishing.drop_bytes(self.context, run_id)
            try:
                self._put_away(run_id)
            except OSError as error:  # the next worker closes it
                log.warning("run %s could not be closed: %s", run_id, error.strerror)

    def _put_away(self, run_id: str) -> None:
        path = self._folder(run_id) / "run.json"
        record = read_json(path)
        if record and record.get("state") not in TERMINAL_STATES:
            write_json(path, record | self._account(run_id))
        crate.try_write(self.context, run_id)
        publishing.tidy(self.context, run_id)

    def _meter(self, run_id: str, *, running: bool) -> None:
        """The last reading of an attempt, before another takes its place or its record is put away."""
        seen = self.executor.observe(run_id)
        if not seen.usage:
            return
        with self.lease.writing() as session:
            if (run := session.get(Run, run_id)) is not None:
                of_runs.meter_run(self.context, session, run, seen, known_prices(self.context.settings), running=running)

    def close_ended(self) -> None:
        """At the start of a worker: the folders of runs that ended before a kill of the last one, and were not closed."""
        left = [path.parent.name for path in self.context.settings.runs_dir.glob("*/open")]
        with reading(self.context.engine) as session:
            ended = [one for one in left if (run := session.get(Run, one)) is not None and run.state in TERMINAL_STATES]
        for run_id in ended:
            self.close(run_id)

    def _account(self, run_id: str) -> dict[str, Any]:
        seen = self.executor.observe(run_id)
        with reading(self.context.engine) as session:
            run = session.get_one(Run, run_id)
            version = self._version(run_id)
            result = None
            if version is not None:
                dataset = session.get_one(Dataset, version.dataset_id)
                result = {"dataset": dataset.name, "dataset_id": dataset.id, "version": version.number, "digest": version.digest}
        return {
            "state": run.state, "reason": run.reason, "exit_code": run.exit_code, "result": result,
            "started_at": seen.started_at, "ended_at": seen.ended_at, "attempts": seen.attempts, "usage": seen.usage,
            "limits_by": seen.method,
            "phases": phases(run, seen.started_at, seen.ended_at),
        }

    def _version(self, run_id: str) -> DatasetVersion | None:
        with reading(self.context.engine) as session:
            return session.scalar(select(DatasetVersion).where(DatasetVersion.run_id == run_id))

    def _folder(self, run_id: str) -> Path:
        return self.context.settings.runs_dir / run_id


def _without_rivals(going: Sequence[Run], waiting: Iterable[Run], slots: int) -> list[Run]:
    """Imports into the same dataset, and tables of the same batch, take turns: each begins with what the one before it made."""
    taken = {(run.project_id, run.output_dataset) for run in going if run.kind in SLOTS}
    found: list[Run] = []
    for run in waiting:
        target = (run.project_id, run.output_dataset)
        if len(found) < slots and target not in taken:
            taken.add(target)
            found.append(run)
    return found


def sentence(error: BaseException | None) -> str:
    """What a user may read about a failure of the worker's own work."""
    if error is None:
        return ""
    if isinstance(error, Problem):
        return f"{error.detail} {error.fix}".strip()
    if isinstance(error, staging.StagingError | ResultError):
        return str(error)
    if isinstance(error, OSError) and error.errno == 28:
        return "The disk is full; an administrator must make room. Then run it again."
    return UNEXPECTED


def count_active(context: Context) -> int:
    with reading(context.engine) as session:
        return session.scalar(select(func.count()).select_from(Run).where(Run.state.not_in(TERMINAL_STATES))) or 0
