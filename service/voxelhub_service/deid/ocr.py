"""The reader of text: a child process of the environment `ocr`, asked over pipes. It needs no network, home or place to write."""

from __future__ import annotations

import contextlib
import os
import select
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from .boxes import Box
from .pixels import FinderFailed

PROGRAM = Path(__file__).with_name("ocr_program.py")
START_S = 120.0
MOST_BOXES = 100_000


class OcrProcess:
    """A `TextFinder`. One child, started at the first question, restarted once when it dies over one; not for several threads."""

    def __init__(self, envs_dir: Path, *, timeout_s: float = 180.0, threads: int = 1) -> None:
        self._python = Path(envs_dir) / "ocr" / "bin" / "python"
        self._timeout_s, self._threads = timeout_s, threads
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def available(self) -> bool:
        return self._python.exists()

    def __enter__(self) -> OcrProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        child.wait()

    def find(self, image: npt.NDArray[Any]) -> list[Box]:
        """`image`: uint8, rows x columns or rows x columns x 3. Raises FinderFailed when the child dies twice or is too slow."""
        samples = 1 if image.ndim == 2 else image.shape[2]
        if image.dtype != np.uint8 or samples not in (1, 3):
            raise ValueError("The reader of text takes bytes with one or three samples a pixel.")
        question = struct.pack("<III", image.shape[0], image.shape[1], samples) + image.tobytes()
        for last in (False, True):
            try:
                return self._asked(question)
            except TimeoutError:
                self.close()
                raise FinderFailed("The reader of text took too long.") from None
            except (OSError, EOFError):
                self.close()
                if last:
                    raise FinderFailed("The reader of text stopped.") from None
        raise AssertionError("not reached")

    def _asked(self, question: bytes) -> list[Box]:
        if self._child is None:
            self._child = self._started()
            self._answer(self._child, time.monotonic() + START_S)
        until = time.monotonic() + self._timeout_s
        self._tell(self._child, question, until)
        boxes = self._answer(self._child, until)
        if boxes is None:
            raise FinderFailed("The reader of text could not read this picture.")
        return boxes

    def _started(self) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [self._python, "-I", "-B", PROGRAM, str(self._threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", bufsize=0,
            env={"OMP_NUM_THREADS": str(self._threads), "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        for stream in (child.stdin, child.stdout):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
        return child

    def _tell(self, child: subprocess.Popen[bytes], question: bytes, until: float) -> None:
        assert child.stdin is not None
        rest = memoryview(question)
        while rest:
            _, ready, _ = select.select([], [child.stdin], [], _left(until))
            if ready:
                rest = rest[os.write(child.stdin.fileno(), rest[: 1 << 16]) :]

    def _answer(self, child: subprocess.Popen[bytes], until: float) -> list[Box] | None:
        (count,) = struct.unpack("<i", self._read(child, 4, until))
        if count < 0:
            return None
        if count > MOST_BOXES:
            raise EOFError
        numbers = struct.unpack(f"<{4 * count}i", self._read(child, 16 * count, until))
        return [Box(*numbers[at : at + 4]) for at in range(0, 4 * count, 4)]

    def _read(self, child: subprocess.Popen[bytes], size: int, until: float) -> bytes:
        assert child.stdout is not None
        got = b""
        while len(got) < size:
            ready, _, _ = select.select([child.stdout], [], [], _left(until))
            if ready:
                part = os.read(child.stdout.fileno(), size - len(got))
                if not part:
                    raise EOFError
                got += part
        return got


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
