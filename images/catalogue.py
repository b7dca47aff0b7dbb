"""Which images there are, and what goes into their building."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_NEEDED = ("docs/", "tests/", "helm/", ".ci/")
EPOCH = 1_700_000_000  # of every file in the context, so that a new clone finds the layers of another


@dataclass(frozen=True)
class Image:
    """A target of a Dockerfile; the target has the image's name."""

    file: str
    what: str


IMAGES = {
    "hub": Image("Dockerfile", "JupyterHub with sign-in, spawner and culler"),
    "service": Image("Dockerfile", "the service's API, worker and migrations"),
    "proxy": Image("Dockerfile", "configurable-http-proxy"),
    "notebook": Image("notebook.Dockerfile", "JupyterLab with the panels, and the kernel imaging"),
    "postgresql": Image("postgresql.Dockerfile", "a database for evaluations"),
    "keycloak": Image("Dockerfile", "an identity provider for evaluations"),
    "notebook-gpu": Image("notebook.Dockerfile", "notebook with PyTorch and CUDA, about 5.2 GB more"),
}
USUAL = tuple(name for name in IMAGES if name != "notebook-gpu")


def version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def revision() -> str:
    """The commit, with a plus where tracked files differ from it; empty outside of git."""
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
                          capture_output=True, text=True)
    return done.stdout.strip()


def left_out() -> list[str]:
    """Files that look like sources and that git does not track: most often somebody's new module, not yet added."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--others", "--exclude-standard"],
                          capture_output=True, text=True)
    return sorted(name for name in done.stdout.split("\0") if name and not name.startswith(NOT_NEEDED))


def tracked() -> list[str]:
    """What git tracks and is here; in an unpacked bundle, which has no git, what the bundle came with."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True)
    if done.returncode == 0:
        names = done.stdout.split("\0")
    else:
        hidden = {".envs", ".voxelhub", "node_modules", "dist-lab", "dist", "vendor"}
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if not hidden & set(path.relative_to(ROOT).parts)]
    return sorted(name for name in names if name and not name.startswith(NOT_NEEDED) and (ROOT / name).is_file())


@contextlib.contextmanager
def context() -> Iterator[Path]:
    """A folder with the tracked files alone: nothing of .envs, of state or of secrets can get into an image."""
    with tempfile.TemporaryDirectory(prefix="voxelhub-context-") as scratch:
        for name in tracked():
            target = Path(scratch) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
            target.chmod(0o755 if os.access(ROOT / name, os.X_OK) else 0o644)
            os.utime(target, (EPOCH, EPOCH))
        for folder, _, _ in os.walk(scratch, topdown=False):
            Path(folder).chmod(0o755)
            os.utime(folder, (EPOCH, EPOCH))
        yield Path(scratch)
