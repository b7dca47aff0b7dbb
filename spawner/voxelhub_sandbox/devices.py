"""When we run as root, the sandbox's process owns the machine's device files: it may not change their mode or times.

bubblewrap binds /dev/null and its like writable, because a bind that it makes read-only also loses the device. So they are
made read-only one level outside, in a mount namespace of the child's own, before bubblewrap starts.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_NOSUID, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 1, 2, 32, 4096, 16384, 1 << 19
SHARED = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")]


def shield_devices(more: list[str] | None = None) -> None:
    """Called in the child before it becomes bubblewrap (`preexec_fn`). `more` are leased device files. Root only: else nothing.

    Raises OSError where root may not do this, so that nothing starts unshielded.
    """
    if os.geteuid() != 0:
        return  # the kernel's owner check already refuses
    _check(LIBC.unshare(CLONE_NEWNS))
    _check(LIBC.mount(None, b"/", None, MS_REC | MS_SLAVE, None))
    for path in [*SHARED, *(more or [])]:
        if Path(path).exists():
            device = os.fsencode(path)
            _check(LIBC.mount(device, device, None, MS_BIND, None))
            _check(LIBC.mount(None, device, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, None))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
