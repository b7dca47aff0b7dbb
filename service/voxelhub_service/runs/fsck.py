"""Checks of runs for `voxelhub fsck`."""

from __future__ import annotations

import shutil
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..context import Context
from ..database import reading, writing
from ..executors.folder import read_json
from ..executors.local import LocalExecutor
from ..fsck.base import Check, Finding
from ..models import TERMINAL_STATES, AuditEvent, Batch, DatasetVersion, Lease, Run, RunCounter, utcnow
from . import crate, joining
from .lease import NAME, RENEW

HEARTBEAT = 60.0  # seconds without a word of a supervisor after which it hangs
PATIENCE = timedelta(seconds=60)  # within which a worker takes a step that is due


def owners(context: Context, deep: bool) -> list[Finding]:
    """A run on its way is somebody's: queued for a worker, or carried by a supervisor that gives signs of life.

    Without a worker, runs wait; that is no finding. With one, a run whose process is gone does not stay so.
    """
    executor, findings = LocalExecutor(context.settings.runs_dir), []
    with reading(context.engine) as session:
        lease = session.get(Lease, NAME)
        working = lease is not None and lease.expires_at > utcnow()
        going = list(session.scalars(select(Run).where(Run.state.in_(("staging_in", "running", "staging_out")))))
    for run in going:
        seen = executor.observe(run.id)
        status = executor.folder(run.id).status
        if seen.process == "running" and time.time() - status.stat().st_mtime > HEARTBEAT:
            findings.append(Finding(f"The supervisor of {run.label} ({run.id}) lives but has said nothing for a minute."))
        since = run.started_at or run.created_at
        if working and run.state == "running" and seen.process in ("absent", "lost") and utcnow() - since > PATIENCE:
            findings.append(Finding(f"{run.label} ({run.id}) is said to be running, but nobody carries it."))
    return findings


def results(context: Context, deep: bool) -> list[Finding]:
    """Each success has its one version, and each version of a run its success."""
    findings = []
    with reading(context.engine) as session:
        made = dict(session.execute(select(DatasetVersion.run_id, DatasetVersion.id)).all())
        for run in session.scalars(select(Run).where(Run.state.in_(TERMINAL_STATES))):
            version = made.get(run.id)
            if run.state != "succeeded" and version is not None:
                findings.append(Finding(f"{run.label} ({run.id}) is {run.state} and yet has a dataset version."))
            if run.output_version_id is not None and run.output_version_id != version:
                findings.append(Finding(f"{run.label} ({run.id}) names a dataset version that it did not make."))
            if run.state == "succeeded" and run.output_version_id is None and not _was_published(session, run.id):
                findings.append(Finding(f"{run.label} ({run.id}) has succeeded and yet has no dataset version."))
            if run.ended_at is None or (run.state != "succeeded" and not run.reason):
                findings.append(Finding(f"{run.label} ({run.id}) ended without saying when or why."))
        for run in session.scalars(select(Run).where(Run.state.not_in(TERMINAL_STATES))):
            if run.id in made:
                findings.append(Finding(f"{run.label} ({run.id}) is {run.state} and yet has a dataset version."))
    return findings


def _was_published(session: Session, run_id: str) -> bool:
    """A version that was purged from the trash since leaves its audit record."""
    known = select(AuditEvent.seq).where(AuditEvent.action == "dataset.publish", AuditEvent.detail["run"].as_string() == run_id)
    return session.scalar(known.limit(1)) is not None


def numbers(context: Context, deep: bool) -> list[Finding]:
    """The counter of a project is ahead of every number given."""
    with reading(context.engine) as session:
        highest = session.execute(select(Run.project_id, func.max(Run.number)).group_by(Run.project_id)).all()
        counters = {one.project_id: one.next_number for one in session.scalars(select(RunCounter))}
    return [Finding(f"The next run number of project {project} is {counters.get(project, 1)}, but {number} was given already.")
            for project, number in highest if counters.get(project, 1) <= number]


def folders(context: Context, deep: bool) -> list[Finding]:
    """No run folder without a row, no staged input after the end."""
    findings = []
    with reading(context.engine) as session:
        states = dict(session.execute(select(Run.id, Run.state)).all())
        lease = session.get(Lease, NAME)
        working = lease is not None and lease.expires_at > utcnow()
    for path in sorted(context.settings.runs_dir.iterdir()):
        if path.name not in states:
            findings.append(Finding(f"There is a run folder {path.name} without a run.", "delete it", partial(_drop, path)))
        elif states[path.name] in TERMINAL_STATES and (path / "open").exists():
            old = time.time() - path.stat().st_mtime > PATIENCE.total_seconds()
            if old and working:
                findings.append(Finding(f"The folder of the ended run {path.name} was never closed."))
        elif states[path.name] in TERMINAL_STATES and (path / "run.json").exists() and not read_json(path / "run.json"):
            findings.append(Finding(f"The record of run {path.name} cannot be read."))
    return findings


def crates(context: Context, deep: bool) -> list[Finding]:
    """Each run that a worker of this version closed has its record; older ones get theirs when somebody asks."""
    findings = []
    with reading(context.engine) as session:
        ended = {run.id: run.label for run in session.scalars(select(Run).where(Run.state.in_(TERMINAL_STATES)))}
    for path in sorted(context.settings.runs_dir.iterdir()):
        closed = path.name in ended and not (path / "open").exists() and "phases" in read_json(path / "run.json")
        if closed and not crate.stored(context, path.name):
            findings.append(Finding(f"{ended[path.name]} ({path.name}) has no record that can be read.", "write it anew",
                                    partial(_record, context, path.name)))
    return findings


def supervisors(context: Context, deep: bool) -> list[Finding]:
    """No process goes on for a run that has ended."""
    executor = LocalExecutor(context.settings.runs_dir)
    with reading(context.engine) as session:
        states = dict(session.execute(select(Run.id, Run.state)).all())
    return [
        Finding(f"A supervisor still works for run {run_id}, which {'has ended' if run_id in states else 'does not exist'}.",
                "end it", partial(_end, executor, run_id))
        for run_id in executor.live_supervisors() if states.get(run_id, "succeeded") in TERMINAL_STATES
    ]


def _record(context: Context, run_id: str) -> str:
    crate.write(context, run_id)
    return "wrote it"


def batches(context: Context, deep: bool) -> list[Finding]:
    """Each item of a batch has its run; when all have ended and one succeeded, there is one table for each time that was so."""
    findings = []
    with reading(context.engine) as session:
        for batch in session.scalars(select(Batch).order_by(Batch.created_at)):
            where = f"The batch “{batch.title}” ({batch.id})"
            newest = joining.newest_runs(session, batch.id)
            joins = list(session.scalars(select(Run).where(Run.batch_id == batch.id, Run.kind == "join").order_by(Run.number)))
            if [run.batch_item for run in newest] != list(range(1, len(batch.items) + 1)):
                findings.append(Finding(f"{where} has {len(batch.items)} items and runs for {len(newest)} of them."))
                continue
            if len(joins) != batch.joined:
                findings.append(Finding(f"{where} was joined {batch.joined} times and has {len(joins)} runs for its table."))
            over = all(run.state in TERMINAL_STATES for run in newest)
            last = max(run.number for run in newest)
            due = over and any(run.state == "succeeded" for run in newest)
            if due and not any(join.number > last for join in joins):
                findings.append(Finding(f"All items of {where[0].lower()}{where[1:]} have ended, but nothing makes their table.",
                                        "make it", partial(_join, context, batch.id)))
            live = [join for join in joins if join.number > last and join.state not in ("failed", "cancelled")]
            if len(live) > 1:
                findings.append(Finding(f"{where} has {len(live)} tables of the same items."))
    return findings


def _join(context: Context, batch_id: str) -> str:
    with writing(context.engine) as session:
        made = joining.make_join(context, session, session.get_one(Batch, batch_id))
        return f"{made.label} makes it" if made is not None else "nothing was to be made"


def _drop(path: Path) -> str:
    shutil.rmtree(path, ignore_errors=True)
    return "deleted the folder"


def _end(executor: LocalExecutor, run_id: str) -> str:
    executor.cancel(run_id)
    deadline = time.monotonic() + 2 * RENEW
    while run_id in executor.live_supervisors() and time.monotonic() < deadline:
        time.sleep(0.1)
    return "asked it to end"


CHECKS = [
    Check("run-owners", "runs that nobody carries", owners),
    Check("run-results", "successes with their one version, ends with their reason", results),
    Check("run-numbers", "run numbers that could be given twice", numbers),
    Check("run-folders", "run folders without a run", folders),
    Check("run-crates", "ended runs without their record for other programs", crates),
    Check("run-supervisors", "processes of ended runs", supervisors),
    Check("run-batches", "batches with their runs, and one table for each time that all had ended", batches),
]
