"""Run a program that gets SIGTERM when the process that started it dies, even by SIGKILL (prctl(2), Linux).

    python -I -S die_with_parent.py <pid of the parent> <program> <argument>…

Standard library alone: it is run as a file, before the program replaces it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):  # it died before the line above
        sys.exit(143)
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606
