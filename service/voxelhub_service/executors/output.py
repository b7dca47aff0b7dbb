"""Takes in what a program prints: a log of bounded size, and the lines by which the program speaks to us.

    ::progress 0.5 half of the slices are read       a fraction of 1 and a short text
    ::error Nothing could be converted.              the sentence that people read when the run failed

Such lines do not enter the log.
"""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path

MAX_LOG, TAIL, MAX_LINE, MAX_TEXT = 8 * 1024**2, 128 * 1024, 64 * 1024, 600
_PROGRESS = re.compile(rb"::progress ([01](?:\.\d+)?|\.\d+)(?: (.*))?")
_ERROR = re.compile(rb"::error (.+)")


class Output:
    """Feed it bytes as they come; `close` writes the kept end of a log that was cut."""

    def __init__(self, log: Path, max_log: int = MAX_LOG, tail: int = TAIL) -> None:
        self.progress, self.progress_text, self.error = 0.0, "", ""
        self._file = log.open("ab", buffering=0)
        self._room, self._tail_size = max_log - self._file.tell(), tail
        self._pending = b""
        self._tail: deque[bytes] = deque()
        self._kept = self._dropped = 0

    def feed(self, data: bytes) -> None:
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._line(line + b"\n")
        while len(self._pending) > MAX_LINE:
            self._line(self._pending[:MAX_LINE])
            self._pending = self._pending[MAX_LINE:]

    def note(self, text: str) -> None:
        """A line of our own, beside what the program is in the middle of printing."""
        self._line(f"[VoxelHub: {text}]\n".encode())

    def close(self) -> None:
        if self._pending:
            self._line(self._pending + b"\n")
        if self._dropped or self._tail:
            if self._dropped:
                self._file.write(b"\n[VoxelHub left %d bytes out here: the log was longer than it may be]\n" % self._dropped)
            self._file.write(b"".join(self._tail))
        self._file.close()

    def _line(self, line: bytes) -> None:
        text = line.strip()
        if match := _PROGRESS.fullmatch(text):
            self.progress, self.progress_text = min(1.0, float(match[1])), clean(match[2] or b"")
        elif match := _ERROR.fullmatch(text):
            self.error = clean(match[1])
        elif not self._tail and len(line) <= self._room:
            self._file.write(line)
            self._room -= len(line)
        else:
            self._tail.append(line)
            self._kept += len(line)
            while self._kept > self._tail_size and len(self._tail) > 1:
                gone = len(self._tail.popleft())
                self._kept -= gone
                self._dropped += gone


def clean(data: bytes) -> str:
    """Text of a program as one short printable line."""
    text = data.decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text).strip()[:MAX_TEXT]
