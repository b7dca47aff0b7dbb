"""Makes the environment of a tool's own lock, with the uv that the set-up installed. It appears whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ..errors import Problem
from ..settings import Settings

LOCK = "voxelhub.lock"  # a copy of the lock in each environment: what a run names as its environment
# What uv may know of the outside: where packages come from, and how to get there.
PASSED = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
          *(name for word in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") for name in (word, word.lower())))
PREFIXES = ("UV_", "PIP_")


def install(settings: Settings, lock: Path, target: Path) -> None:
    """Raises Problem. A kill leaves a hidden folder, which the next attempt replaces."""
    uv = settings.envs_dir / "boot" / "bin" / "uv"
    if not uv.exists():
        raise Problem(503, "no_uv", "The set-up's uv is not there.", "Run `python3 hub_config/bootstrap.py core`.")
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    environ = {name: value for name, value in os.environ.items() if name in PASSED or name.startswith(PREFIXES)}
    environ |= {"UV_COMPILE_BYTECODE": "1", "UV_COMPILE_BYTECODE_TIMEOUT": "1200"}  # a busy machine starts Python slowly
    commands = (
        [str(uv), "venv", "-q", "--relocatable", "--python", sys.executable, str(part)],
        [str(uv), "pip", "install", "-q", "--require-hashes", "--no-deps", "--only-binary", ":all:", *_vendored(),
         "-r", str(lock), "--python", str(part / "bin" / "python")],
    )
    try:
        for command in commands:
            if subprocess.run(command, env=environ).returncode:
                raise Problem(502, "not_installed", "The packages could not be installed; uv's message is above.",
                              "A package without a wheel for this Python, or with other bytes than the lock says, is not taken.")
        shutil.copyfile(lock, part / LOCK)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _vendored() -> list[str]:
    """From the bundle of an installation without internet, where there is one."""
    wheels = Path(os.path.realpath(__file__)).parents[3] / "vendor" / "wheels"
    return ["--no-index", "--find-links", str(wheels)] if wheels.is_dir() else []
