"""The environment that a tool runs in: one that an administrator installed, or the one made from the tool's own lock.

The latter is named after the lock's digest: versions with the same lock share it, and a changed lock never meets it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..settings import Settings
from .manifest import Manifest
from .registry import default_folder

NO_RUNS = "On Kubernetes no tool runs yet: each run needs a Job of its own, which comes with the next version."


def own_environment(manifest: Manifest) -> str:
    """`tool-<name>-<first 12 digits of the lock's SHA-256>`; "" without a lock that can be read."""
    lock = getattr(manifest, "lock", "")
    path = manifest.folder / lock if lock else None
    if path is None or not path.is_file() or path.is_symlink():
        return ""
    return f"tool-{manifest.name}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def environment_of(settings: Settings, manifest: Manifest) -> Path:
    """The folder that a run uses; it need not exist. A tool's own lock comes before the environment that it names."""
    own = "" if shipped(settings, manifest) else own_environment(manifest)
    return settings.envs_dir / (own or manifest.environment)


def shipped(settings: Settings, manifest: Manifest) -> bool:
    """Whether it is one of the tools that ship, whose environments the set-up makes."""
    folder = Path(settings.tools_dir) if settings.tools_dir else default_folder()
    return manifest.folder.is_relative_to(folder)


def installed(settings: Settings, manifest: Manifest) -> bool:
    return (environment_of(settings, manifest) / "bin").is_dir()


def missing(settings: Settings, manifest: Manifest) -> str:
    """"" where the environment is there, else what an administrator does about it."""
    if settings.on_kubernetes:
        return NO_RUNS
    folder = environment_of(settings, manifest)
    if (folder / "bin").is_dir():
        return ""
    absent = f"Its environment {folder.name} is not installed here."
    if shipped(settings, manifest):
        return f"{absent} An administrator installs it with `python3 hub_config/bootstrap.py {folder.name}`."
    if folder.name == manifest.environment:
        return f"{absent} An administrator must make it, or the tool must name another one or bring a lock."
    return f"{absent} An administrator installs it with `voxelhub tool install {manifest.name} {manifest.version}`."
