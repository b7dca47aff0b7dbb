"""Wakes who keeps the clusters, when one is asked for or has changed, so that nobody waits for the next look.

A named pipe beside the clusters' folders. Whoever rings leaves a byte and waits for nobody; where no pipe can be made or nobody
listens, the looks go on as often as before.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import time
from pathlib import Path

NAME = ".bell"  # no cluster's folder begins with a dot


class Bell:
    """The listener's end; there is one, the worker that holds the lease."""

    def __init__(self, folder: Path) -> None:
        self._pipe = _pipe(folder / NAME)

    def wait(self, seconds: float) -> None:
        """Until somebody rings, no longer than that."""
        if self._pipe is None:
            time.sleep(seconds)
            return
        polled = select.poll()
        polled.register(self._pipe, select.POLLIN)
        if polled.poll(1000 * seconds):
            with contextlib.suppress(BlockingIOError):
                os.read(self._pipe, 1 << 16)

    def close(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def ring(folder: Path) -> None:
    """To be called after what is to be seen can be seen."""
    with contextlib.suppress(OSError):
        pipe = os.open(folder / NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.write(pipe, b".")
        finally:
            os.close(pipe)


def _pipe(path: Path) -> int | None:
    """Open for both ways, so that there is no end of file when the last one who rang has gone."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    if stat.S_ISFIFO(os.fstat(pipe).st_mode):
        return pipe
    os.close(pipe)
    return None
