"""kernels/voxelhub belongs to the user zone: it needs nothing of the trusted packages, and knows its version."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import voxelhub

ROOT = Path(__file__).resolve().parents[2]
TRUSTED = ("voxelhub_service", "voxelhub_hub", "voxelhub_spawner", "voxelhub_sandbox")
BLOCKED = f"""
import sys, importlib, pkgutil
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {TRUSTED!r}:
            raise ImportError("the user zone imports " + name)
sys.meta_path.insert(0, Block())
import voxelhub
for module in pkgutil.iter_modules(voxelhub.__path__):
    importlib.import_module("voxelhub." + module.name)
print("whole")
"""


def test_imports_with_the_trusted_packages_blocked():
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True)
    assert done.stdout.strip() == "whole", done.stderr


def test_no_module_names_a_trusted_package():
    for path in (ROOT / "kernels/voxelhub").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [getattr(node, "module", None) or ""]
            assert not any(name.split(".")[0] in TRUSTED for name in names), path.name


def test_the_imaging_environment_cannot_import_them():
    python = Path(os.environ.get("VOXELHUB_ENVS_DIR", ROOT / ".envs")) / "imaging/bin/python"
    if not python.exists():
        pytest.skip("the environment imaging is not installed")
    for name in TRUSTED:
        assert subprocess.run([python, "-c", f"import {name}"], capture_output=True).returncode == 1, name


def test_version_is_that_of_the_distribution():
    assert voxelhub.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_everything_public_is_documented_and_there():
    assert sorted(voxelhub.__all__) == voxelhub.__all__
    for name in voxelhub.__all__:
        assert getattr(voxelhub, name).__doc__, name


def test_import_is_light():
    """A kernel starts with it: no viewer, no DICOM or NIfTI library, no Dask before someone asks."""
    heavy = {"ipyniivue", "nibabel", "pydicom", "SimpleITK", "scipy", "matplotlib", "dask", "torch"}
    code = f"import sys, voxelhub; print(sorted({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_everything_public_is_in_the_guide():
    guide = (ROOT / "docs/notebooks.md").read_text()
    assert [name for name in voxelhub.__all__ if f"voxelhub.{name}" not in guide and f"`{name}`" not in guide] == []
