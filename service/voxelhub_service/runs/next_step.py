"""What to do next about one run: a pure function from what is written and what is seen to one step.

    queued → staging_in → running → staging_out → succeeded | failed | cancelled
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..executors.base import Observation

Task = Literal["none", "busy", "failed"]
Action = Literal[
    "wait",      # nothing to do now
    "move",      # to `state`
    "stage_in",  # begin to bring the inputs together (a thread of the worker)
    "submit",    # hand it to the executor
    "retry",     # let the executor begin another attempt
    "cancel",    # ask the executor to end it
    "hurry",     # ask the executor to let it finish now
    "publish",   # begin to publish what it wrote (a thread of the worker)
    "finish",    # a terminal `state` with `reason`
]
MAX_ATTEMPTS = 3  # of an import or a join, which can be begun anew; a tool is never run twice


@dataclass(frozen=True)
class RunView:
    """The row, as far as the decision needs it."""

    state: str
    kind: str
    wanted: str


@dataclass(frozen=True)
class Seen:
    """What the worker sees: the executor's observation, its own threads, and what is on disk and in the catalogue."""

    process: Observation
    task: Task = "none"
    task_reason: str = ""
    staged: bool = False
    slot: bool = True
    published: bool = False


@dataclass(frozen=True)
class Step:
    action: Action
    state: str = ""
    reason: str = ""


WAIT = Step("wait")
NEVER_STARTED = "Cancelled before it started."
STOPPED = "Stopped at its budget."  # how the reason of such a run begins; the figures follow
LOST = "The process that supervised this run ended unexpectedly, and the run with it; run it again."


def next_step(run: RunView, seen: Seen) -> Step:
    decide = {"queued": _queued, "staging_in": _staging_in, "running": _running, "staging_out": _staging_out}.get(run.state)
    return WAIT if decide is None else decide(run, seen)


def _queued(run: RunView, seen: Seen) -> Step:
    if run.wanted == "cancel":
        return Step("finish", "cancelled", NEVER_STARTED)
    return Step("move", "staging_in", "Its inputs are brought together.") if seen.slot else WAIT


def _staging_in(run: RunView, seen: Seen) -> Step:
    process = seen.process.process
    if run.wanted == "cancel":
        if seen.task == "busy":
            return WAIT
        if process in ("starting", "running"):
            return Step("cancel")
        return Step("finish", "cancelled", NEVER_STARTED if process == "absent" else "Cancelled while it was running.")
    if seen.task == "failed":
        return Step("finish", "failed", seen.task_reason)
    if seen.task == "busy":
        return WAIT
    if process != "absent":  # submitted before a kill
        return Step("move", "running", "It runs.")
    return Step("submit", "running", "It runs.") if seen.staged else Step("stage_in")


def _running(run: RunView, seen: Seen) -> Step:
    process = seen.process
    if process.process == "ended":
        return _ended(run, process)
    if run.wanted == "cancel":
        if process.process in ("starting", "running"):
            return Step("cancel")
        return Step("finish", "cancelled", "Cancelled while it was running.")
    if process.process == "absent":
        return Step("submit", "running", "It runs.") if seen.staged else Step("finish", "failed", LOST)
    if process.process == "lost":
        if _may_begin_anew(run, process):
            return Step("retry")
        return Step("finish", "failed", LOST)
    return Step("hurry") if run.wanted == "finish" and process.process == "running" else WAIT


def _ended(run: RunView, process: Observation) -> Step:
    if run.wanted == "cancel" or process.outcome == "cancelled":
        return Step("finish", "cancelled", "Cancelled while it was running.")
    if process.crashed and _may_begin_anew(run, process):
        return Step("retry")
    if process.outcome == "ok":
        return Step("move", "staging_out", "Its result is checked and published.")
    return Step("finish", "failed", process.reason or "The program failed; its log says more.")


def _may_begin_anew(run: RunView, process: Observation) -> bool:
    return run.kind in ("import", "join") and process.attempts < MAX_ATTEMPTS


def _staging_out(run: RunView, seen: Seen) -> Step:
    if seen.published:
        return Step("finish", "succeeded", "")
    if seen.task == "busy":
        return WAIT
    if run.wanted == "cancel":
        return Step("finish", "cancelled", "Cancelled before its result was published.")
    if seen.task == "failed":
        return Step("finish", "failed", seen.task_reason)
    return Step("publish")
