"""The archive of images/archive.py, as an administrator without internet has it: made, unpacked, loaded by its own program."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from cluster.running import Cluster
from support.installation import ROOT

sys.path.insert(0, str(ROOT / "images"))

from archive import NAME, chart

FILE = ROOT / "dist" / f"{NAME}.tar"
FOLDER = ROOT / "dist" / NAME


@functools.cache
def unpacked() -> Path:
    """Of the images and the chart of this checkout; with VOXELHUB_IMAGES_BUILD=no of the images that were built before."""
    build = os.environ.get("VOXELHUB_IMAGES_BUILD") != "no"
    if build:
        _images("build.py")
    if build or not _of_this_chart():
        _images("archive.py")
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run(["tar", "-xf", str(FILE), "-C", str(FILE.parent)], check=True)
    return FOLDER


def load(node: Cluster, folder: Path) -> str:
    """What an administrator does on each node."""
    return node.inside([str(folder / "load"), "containerd"]).stdout


def numbers(folder: Path) -> dict[str, str]:
    """Image -> its number, as pods have it in their status."""
    words = [line.split() for line in (folder / "images.txt").read_text().splitlines()]
    return {name.split("/voxelhub-")[1].split(":")[0]: number for name, number, _ in words}


def _of_this_chart() -> bool:
    name, packed = chart()
    try:
        with tarfile.open(FILE) as tar:
            file = tar.extractfile(f"{NAME}/{name}")
            return bool(file) and file.read() == packed  # type: ignore[union-attr]
    except (FileNotFoundError, KeyError, tarfile.TarError):
        return False


def _images(program: str) -> None:
    subprocess.run([sys.executable, str(ROOT / "images" / program)], check=True)
