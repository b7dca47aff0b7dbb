"""A progress bar that needs no widget: plain HTML in a notebook, a line on a terminal, nothing for a script."""

from __future__ import annotations

import html
import sys
import time
from types import TracebackType
from typing import Any


class Progress:
    """Shows what is going on. Use as a context manager; `update` may be called as often as one likes.

        with Progress("Saving Result") as progress:
            progress.update(0.5, "12 MB of 24 MB")
    """

    EVERY_S = 0.1

    def __init__(self, title: str) -> None:
        self.title, self.fraction, self.text = title, 0.0, ""
        self._shown = 0.0
        self._handle: Any = None

    def update(self, fraction: float, text: str = "") -> None:
        self.fraction, self.text = min(max(fraction, 0.0), 1.0), text
        if time.monotonic() - self._shown >= self.EVERY_S:
            self._show()

    def finish(self, text: str) -> None:
        self.fraction, self.text = 1.0, text
        self._show()

    def _repr_html_(self) -> str:
        return (
            f"<div role='status'>{html.escape(self.title)} "
            f"<progress value='{self.fraction:.3f}' max='1' aria-label='{html.escape(self.title, quote=True)}'></progress> "
            f"{self.fraction:.0%} <span>{html.escape(self.text)}</span></div>"
        )

    def __repr__(self) -> str:
        return f"{self.title}: {self.fraction:.0%} {self.text}".rstrip()

    def _show(self) -> None:
        self._shown = time.monotonic()
        if _in_notebook():
            from IPython.display import display

            if self._handle is None:
                self._handle = display(self, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._handle.update(self)
        elif sys.stderr.isatty():
            print(f"\r{self!r:<100}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        self._show()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self.text = "stopped"
        self._show()
        if sys.stderr.isatty() and not _in_notebook():
            print(file=sys.stderr)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def size_text(size: float) -> str:
    """Bytes for people: decimal units, as the panels show them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
