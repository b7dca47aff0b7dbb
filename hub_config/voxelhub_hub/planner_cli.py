"""`voxelhub plan | split | seal | open | attack | calibrate`: the planner, run in the environment of its tool.

The planner belongs to no zone of ours: it is a program that this one starts and never imports.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from voxelhub_service.settings import load_settings

from .children import ROOT
from .refusal import Refusal

ENVIRONMENT = "tool-plan-slides"
NEEDED = ("numpy", "scipy", "voxelhub_planner")


def main(arguments: list[str]) -> int:
    """`arguments`: the planner's command first."""
    python = planner_python(load_settings().envs_dir)
    sources = ROOT / "extensions" / "planner"
    environ = dict(os.environ)
    if sources.is_dir():  # a checkout's own are newer than the copy in the environment
        environ["PYTHONPATH"] = str(sources)
    # -P: what lies in the folder where somebody works is none of the program
    return subprocess.run([str(python), "-P", "-m", "voxelhub_planner", *arguments], env=environ).returncode


def planner_python(envs: Path) -> Path:
    own = envs / ENVIRONMENT / "bin" / "python"
    if own.exists():
        return own.absolute()
    if all(importlib.util.find_spec(name) for name in NEEDED):  # installed together, by pip
        return Path(sys.executable)
    raise Refusal(f"The planner's environment is not installed here. Make it with "
                  f"`python3 hub_config/bootstrap.py {ENVIRONMENT}` (0.3 GB), or `pip install voxelhub[planner-slides]`.")
