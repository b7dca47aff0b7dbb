"""`voxelhub kernel …`: further kernels, made on first use."""

from __future__ import annotations

import argparse
import subprocess
import sys

from voxelhub_service.settings import load_settings

from .children import ROOT
from .refusal import Refusal

KERNELS = {"imaging-torch": "PyTorch with its CUDA libraries: about 5.2 GB on disk; it also works without a GPU"}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="voxelhub kernel", description="Kernels beside `imaging`, which is always there.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="install a kernel; its size is said first")
    add.add_argument("name", choices=sorted(KERNELS))
    add.add_argument("--yes", action="store_true", help="do not ask")
    commands.add_parser("list", help="kernels and whether they are installed")
    wanted = parser.parse_args(arguments)
    envs = load_settings().envs_dir
    if "name" not in wanted:
        for name in ("imaging", *KERNELS):
            print(f"{name:<16} {'installed' if (envs / name / 'bin' / 'python').exists() else 'not installed'}")
        return 0
    print(f"{wanted.name}: {KERNELS[wanted.name]}.")
    if not wanted.yes and (not sys.stdin.isatty() or input("Install it? [y/N] ").strip().lower() not in {"y", "yes"}):
        raise Refusal("Nothing was installed. `--yes` installs without asking.")
    python = getattr(sys, "_base_executable", sys.executable)  # the one that environments are made from
    done = subprocess.run([python, str(ROOT / "hub_config" / "bootstrap.py"), wanted.name, "kernelspecs"])
    if done.returncode == 0:
        print("It is in the launcher of each notebook server from its next start on.")
    return done.returncode
