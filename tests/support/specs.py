"""Kernel specifications as an installation writes them, for tests that start kernels."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "kernels/specs"
ENVS = Path(os.environ.get("VOXELHUB_ENVS_DIR", ROOT / ".envs"))


def install(name: str, folder: Path) -> Path:
    """Write folder/kernels/<name>/kernel.json: the template with its environment's Python."""
    target = folder / "kernels" / name
    target.mkdir(parents=True)
    python = ENVS / name / "bin/python"
    (target / "kernel.json").write_text((SPECS / name / "kernel.json").read_text().replace("{python}", str(python)))
    return target
