"""What a program says to VoxelHub. None of it may hold what identifies a patient."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

_log_file: Path | None = None


def progress(fraction: float, text: str = "") -> None:
    """`fraction` of 1 is done; `text` is shown beside the bar."""
    share = min(1.0, max(0.0, float(fraction)))
    _say(f"::progress {share:.3f} {_line(text)}".rstrip())


def error(sentence: str) -> NoReturn:
    """End the run as failed; `sentence` is what people read: what is wrong, and what to do."""
    tell_error(sentence)
    raise SystemExit(1)


def tell_error(sentence: str) -> None:
    _say("::error " + (_line(sentence) or "The tool failed."))


def log(text: str) -> None:
    """A line of the run's log, and of the log file that was asked for."""
    _say(text)
    note(text)


def note(text: str) -> None:
    """A line of the log file alone."""
    if _log_file:
        with _log_file.open("a", encoding="utf-8", errors="replace") as file:
            file.write(text + "\n")


def log_to(path: str) -> None:
    global _log_file
    _log_file = Path(path)
    _log_file.parent.mkdir(parents=True, exist_ok=True)


def _say(text: str) -> None:
    print(text, flush=True)


def _line(text: str) -> str:
    return " ".join(str(text).split())
