"""Opening a Unix socket behind which a user's own program answers, wherever that program may write.

Where the folder is in its reach, such a program could put a symbolic link to any other socket of this machine in its place,
and the service, which runs as the installation's user, would follow it. So the folder is opened without following links,
the socket in it likewise, and what is connected to is that very inode (`/proc/self/fd/N`), whatever lies under its name a
moment later.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOLD = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def held_socket(folder: Path, name: str) -> Iterator[str]:
    """A path to connect to while the context lasts, short whatever the folder's is. Raises OSError where there is no socket."""
    inside = os.open(folder, HOLD | os.O_DIRECTORY)
    try:
        held = os.open(name, HOLD, dir_fd=inside)
    finally:
        os.close(inside)
    try:
        if not stat.S_ISSOCK(os.fstat(held).st_mode):
            raise FileNotFoundError(f"{name} is no socket")
        yield f"/proc/self/fd/{held}"
    finally:
        os.close(held)
