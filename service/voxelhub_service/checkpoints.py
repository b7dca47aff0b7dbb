"""Named commit points at which the fault tests kill a process.

`reached("publish.renamed")` does nothing, unless VOXELHUB_KILL_AT names a file whose text is that name: then the file is
removed (so that the restarted process lives) and this process dies by SIGKILL. Every name is listed here, so that the
table of kill × state can prove that it has no empty cell.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

NAMES = (
    "upload.created",            # row and reservation committed, answer not sent
    "upload.bytes_written",      # bytes in the part file, not yet fsynced
    "upload.bytes_synced",       # fsynced, offset not yet committed
    "upload.offset_committed",
    "upload.completed",          # import run committed, answer not sent
    "fetch.bytes_written",       # part of a URL is on disk, its record not yet
    "fetch.complete",            # the whole file is there, nothing else happened
    "import.unpacked",           # archives are unpacked, nothing was looked at
    "import.cleaned",            # every file was looked at and cleaned; released ones not yet at their places
    "import.staged",             # unpacked and verified in the staging folder
    "publish.hashed",            # entries and manifest known
    "publish.renamed",           # version folder in place, nothing registered
    "publish.registered",        # transaction committed
    "quarantine.placed",         # held files lie in the quarantine, their rows are not there yet
    "release.created",           # the run of a release is committed, answer not sent
    "run.created",
    "run.staged_in",
    "run.submitted",             # supervisor started, state not yet committed
    "run.running",
    "run.ended",                 # supervisor wrote its result, worker has not read it
    "run.staging_out",
    "run.finished",
    "batch.created",             # all its runs are committed, answer not sent
    "batch.retried",             # the new runs of its failed items are committed, answer not sent
    "join.staged_in",            # tables of its items lie together
    "join.publishing",           # joined, nothing published
    "join.renamed",              # version folder in place, transaction open
    "join.published",            # transaction committed
    "supervisor.started",        # before the tool
    "supervisor.tool_started",
    "supervisor.tool_ended",     # before the result is written
    "cluster.created",           # its row is committed, answer not sent
    "cluster.started",           # its processes run, nobody was told yet
    "cluster.running",
    "cluster.closing",
    "cluster.finished",
    "tool.placed",               # the folder of a submitted tool is there, its row is not
    "tool.submitted",            # the row is committed, answer not sent
    "tool.decided",              # a decision about it is committed, answer not sent
)


def reached(name: str) -> None:
    trigger = os.environ.get("VOXELHUB_KILL_AT")
    if not trigger:
        return
    assert name in NAMES, name
    path = Path(trigger)
    try:
        if path.read_text().strip() != name:
            return
        path.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
