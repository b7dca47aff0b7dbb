"""What to do with a cluster next: a pure function of its row, of what its driver sees, and of its owner's servers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .base import ClusterObservation

Action = Literal["wait", "create", "close", "move", "finish"]

LOST = "It was ended from outside: its supervisor is gone, and its processes with it. Create a new cluster."
SERVER_GONE = "Closed with the notebook server that it belonged to."
KERNEL_GONE = "Closed because its notebook's kernel ended."
IDLE = "Closed because nothing was computed for {}."
LEFT_PROJECT = "Closed because its owner has lost access to a project that it can read."
PIN_OVER = "Closed because its end time is over and the notebook server that it belonged to is gone."


@dataclass(frozen=True)
class ClusterView:
    """The columns that decide."""

    state: str
    wanted: str
    reason: str
    has_server: bool
    pinned_until: datetime | None
    kept: bool = False  # by a notebook's kernel, with which it ends


@dataclass(frozen=True)
class Around:
    """What is known of its owner now. None: the hub did not say, and nothing follows from that."""

    server_lives: bool | None = None
    may_read: bool | None = None  # every project that its workers see
    silence: float = 0.0  # seconds in which no kernel kept it although one could have been heard (listening.py)


@dataclass(frozen=True)
class Step:
    """`state` and `reason` are those that the row gets by `move`, `finish` and `close`."""

    action: Action
    state: str = ""
    reason: str = ""


WAIT = Step("wait")
KEPT = 45.0  # seconds of silence after which its kernel has ended; a living one speaks every ten


def next_step(cluster: ClusterView, seen: ClusterObservation, around: Around, now: datetime, idle: float,
              patience: float = KEPT) -> Step:
    """`idle`: seconds without work after which it is closed; 0 for never. `patience`: of silence, with its kernel."""
    if seen.process == "ended":
        state = "closed" if seen.outcome == "closed" or cluster.wanted == "closed" else "failed"
        return Step("finish", state, seen.reason if seen.outcome != "failed" or cluster.wanted == "open" else cluster.reason)
    if seen.process == "lost":
        return Step("finish", "closed", cluster.reason) if cluster.wanted == "closed" else Step("finish", "failed", LOST)
    if cluster.wanted == "closed":
        if seen.process == "absent":
            return Step("finish", "closed", cluster.reason)
        return Step("close", "closing", cluster.reason) if cluster.state != "closing" or seen.process != "closing" else WAIT
    if reason := _must_close(cluster, seen, around, now, idle, patience):
        return Step("close", "closing", reason)
    if seen.process == "absent":
        return Step("create") if cluster.state == "starting" else Step("finish", "failed", LOST)
    if seen.process == "running" and cluster.state == "starting":
        return Step("move", "running")
    if seen.process == "closing" and cluster.state != "closing":
        return Step("move", "closing", seen.reason)
    return WAIT


def _must_close(
    cluster: ClusterView, seen: ClusterObservation, around: Around, now: datetime, idle: float, patience: float,
) -> str:
    """The sentence that says why it is to end, or an empty one."""
    if around.may_read is False:
        return LEFT_PROJECT
    if cluster.pinned_until is not None and now < cluster.pinned_until:
        return ""
    if cluster.has_server and around.server_lives is False:
        return SERVER_GONE if cluster.pinned_until is None else PIN_OVER
    if cluster.kept and around.silence >= patience:
        return KERNEL_GONE
    if idle and seen.process == "running" and seen.idle >= idle:
        return IDLE.format(_duration(idle))
    return ""


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
