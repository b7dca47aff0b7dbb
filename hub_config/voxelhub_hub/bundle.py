"""`voxelhub bundle`: one archive from which `make up` works on a machine without internet.

The sources at HEAD and, in vendor/, what the set-up otherwise asks of PyPI, npm and Maven Central. The other machine
needs Linux of the same architecture and the same minor version of Python, with venv and make.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import voxelhub_service
from voxelhub_service.settings import Settings, load_settings

from .children import ROOT
from .keycloak import VERSION
from .refusal import Refusal

TOOLS = (
    "tool-base", "tool-dicom-to-nifti", "tool-fastq-qc", "tool-notebook", "tool-plan-slides", "tool-radiomics-ibsi",
    "tool-segment-otsu")
ENVIRONMENTS = ("core", "lab", "imaging", *TOOLS, "ocr")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="voxelhub bundle", description="An archive from which `make up` works without internet (about 1.2 GB).")
    name = f"voxelhub-{voxelhub_service.__version__}-offline.tar"
    parser.add_argument("file", type=Path, nargs="?", default=ROOT / "dist" / name, help=f"default: dist/{name}")
    parser.add_argument("--torch", action="store_true", help="with the kernel imaging-torch, about 3 GB more")
    wanted = parser.parse_args(arguments)
    target = wanted.file.resolve()
    environments = [*ENVIRONMENTS, *(["imaging-torch"] if wanted.torch else [])]
    write(load_settings(), target, environments)
    print(f"{target}: {target.stat().st_size / 1024**2:.0f} MiB. On the other machine: unpack it, and `make up` in its folder.")
    return 0


def write(settings: Settings, target: Path, environments: list[str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=target.parent) as scratch:
        folder = Path(scratch) / "voxelhub"
        _sources(folder)
        vendor = folder / "vendor"
        vendor.mkdir()
        (vendor / "python-version").write_text(f"{sys.version_info[0]}.{sys.version_info[1]}\n")
        _wheels(settings, vendor / "wheels", environments)
        _keycloak(settings, vendor)
        with tarfile.open(vendor / "node_modules.tar", "w") as tar:
            tar.add(ROOT / "node_modules", "node_modules")
        part = target.with_name(f".{target.name}.{os.getpid()}")
        with tarfile.open(part, "w") as tar:
            tar.add(folder, "voxelhub")
        part.replace(target)


def _sources(folder: Path) -> None:
    done = subprocess.run(["git", "-C", str(ROOT), "archive", "--format=tar", "--prefix=voxelhub/", "HEAD"], capture_output=True)
    if done.returncode:
        raise Refusal("A bundle is made from a git clone: its sources are those of HEAD.")
    subprocess.run(["tar", "x", "-C", str(folder.parent)], input=done.stdout, check=True)


def _wheels(settings: Settings, folder: Path, environments: list[str]) -> None:
    """Every wheel of the lock files, digests checked, and uv, which the set-up installs first."""
    uv = re.search(r'^UV_VERSION = "(.+)"', (ROOT / "hub_config" / "bootstrap.py").read_text(), re.MULTILINE)
    assert uv is not None
    pip = [str(settings.envs_dir / "boot" / "bin" / "python"), "-m", "pip", "download", "-q", "--disable-pip-version-check",
           "--only-binary=:all:", "--no-deps", "-d", str(folder)]
    for what in ([f"uv=={uv[1]}"], *(["--require-hashes", "-r", str(ROOT / "locks" / f"{name}.lock")] for name in environments)):
        print(f"fetching {Path(what[-1]).name}", flush=True)
        if subprocess.run([*pip, *what]).returncode:
            raise Refusal("pip could not fetch a wheel; its message is above. A bundle is made on a machine with internet.")


def _keycloak(settings: Settings, vendor: Path) -> None:
    """The archive that the set-up fetched and checked."""
    archive = settings.envs_dir / "downloads" / f"keycloak-{VERSION}.tar.gz"
    if not archive.exists():
        raise Refusal(f"{archive} is missing. Remove {settings.envs_dir / 'stamps' / 'keycloak'} and run `make up` again.")
    shutil.copyfile(archive, vendor / archive.name)
