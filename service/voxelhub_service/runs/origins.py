"""What a run is made of besides its inputs, as it is when the run begins: the tool's manifest, and its environment."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

LOCK = "voxelhub.lock"  # the set-up leaves a copy of the lock file in each environment that it makes from one


def recorded(tool: Path, environment: Path) -> dict[str, Any]:
    """What goes into run.json before a tool starts. `digest` is that of the lock file, as `sha256sum locks/<name>.lock` gives
    it; of an environment that an older set-up made, that of its stamp; None where nobody knows."""
    manifest = json.loads((tool / "tool.json").read_text("utf-8"))
    digest = lock_digest(environment) or _own_lock(tool, manifest, environment)
    return {"manifest": manifest,
            "environment": {"name": environment.name, "digest": digest, "python": python_version(environment)}}


def lock_digest(environment: Path) -> str | None:
    for path in (environment / LOCK, environment.parent / "stamps" / environment.name):
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            continue
    return None


def _own_lock(tool: Path, manifest: dict[str, Any], environment: Path) -> str | None:
    """Of an environment that was made for this tool alone; its name ends with the beginning of the lock's digest."""
    try:
        digest = hashlib.sha256((tool / str(manifest.get("lock", ""))).read_bytes()).hexdigest()
    except OSError:
        return None
    return digest if environment.name.endswith(f"-{digest[:12]}") else None


def python_version(environment: Path) -> str:
    """As `pyvenv.cfg` says it, "3.11.7"; "" where it does not."""
    try:
        lines = (environment / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return ""
    values = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    return values.get("version_info") or values.get("version") or ""
