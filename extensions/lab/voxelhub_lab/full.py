"""A full home, said as a person can use it: Jupyter's own words are an error's number and a path."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Any

from jupyter_server.utils import ensure_async
from tornado.web import HTTPError

FULL = ("Your home is full, so this was not saved. Make room in a terminal, then save again: what the file browser deletes is "
        "kept in ~/.local/share/Trash, and counts.")


def explain(contents: Any) -> None:
    """Of a contents manager: whatever it saves."""
    for name in ("save", "create_checkpoint"):
        setattr(contents, name, _told(getattr(contents, name)))


def _told(act: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def told(*arguments: Any, **options: Any) -> Any:
        try:
            return await ensure_async(act(*arguments, **options))
        except (OSError, HTTPError) as error:
            if not _of_full_disk(error):
                raise
        raise HTTPError(507, FULL, reason="Insufficient Storage")

    return told


def _of_full_disk(error: BaseException | None) -> bool:
    """Jupyter meets the full disk first, and then a second error when it wants to put back the file of before."""
    while error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False
