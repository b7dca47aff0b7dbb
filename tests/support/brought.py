"""A tool as a developer brings it: the template with what a test changes, as files and as an archive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from voxelhub_service.tools import template
from voxelhub_service.tools.package import zipped


def tool_files(name: str = "rows", version: str = "1.0.0", *, add: Mapping[str, bytes | str] | None = None,
               drop: tuple[str, ...] = (), **changes: Any) -> dict[str, bytes]:
    """`changes` replace fields of the manifest; None takes one out."""
    files = template.files("python", name)
    raw = {**json.loads(files["tool.json"]), "version": version, **changes}
    files["tool.json"] = json.dumps({key: value for key, value in raw.items() if value is not None}).encode()
    files |= {path: data.encode() if isinstance(data, str) else data for path, data in (add or {}).items()}
    return {path: data for path, data in files.items() if path not in drop}


def tool_zip(name: str = "rows", version: str = "1.0.0", **changes: Any) -> bytes:
    return zipped(tool_files(name, version, **changes))
