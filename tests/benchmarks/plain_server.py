"""A plain file server: PUT writes the body to a file as it arrives, and that is all. `python plain_server.py PORT FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


class PlainFiles:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "PUT":
            await self._store(self.folder / Path(scope["path"]).name, receive)
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _store(self, path: Path, receive: Any) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            more = True
            while more:
                message = await receive()
                os.write(descriptor, message.get("body", b""))
                more = message.get("more_body", False)
        finally:
            os.close(descriptor)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(PlainFiles(Path(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
