"""How many imports load from the same host at the same time: one file lock each, which ends with the process that holds it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE = 0.5  # seconds between two looks


@contextmanager
def slot(folder: Path, host: str, count: int, waiting: Callable[[], None], pause: float = PAUSE) -> Iterator[None]:
    """Waits for one of `count` places of this host; `waiting` is called at each look in vain."""
    folder.mkdir(exist_ok=True)
    stem = hashlib.sha256(host.encode()).hexdigest()[:16]
    while True:
        for number in range(max(count, 1)):
            descriptor = os.open(folder / f"{stem}-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            try:
                yield
            finally:
                os.close(descriptor)
            return
        waiting()
        time.sleep(pause)
