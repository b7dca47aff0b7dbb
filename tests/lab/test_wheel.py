"""The one wheel carries every import package and the prebuilt Lab extension, where JupyterLab looks for it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "dist-lab" / "@voxelhub" / "lab"


def test_the_wheel_is_complete(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True,
                   capture_output=True)
    wheel = next(tmp_path.glob("*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    data = f"voxelhub-{version}.data/data"
    extension = f"{data}/share/jupyter/labextensions/@voxelhub/lab"
    wanted = {f"{extension}/{path.relative_to(BUILT)}" for path in BUILT.rglob("*") if path.is_file()}
    wanted |= {f"{extension}/install.json", f"{data}/etc/jupyter/jupyter_server_config.d/voxelhub_lab.json"}
    for package in ("hub_config/voxelhub_hub", "spawner/voxelhub_spawner", "spawner/voxelhub_sandbox",
                    "service/voxelhub_service", "extensions/lab/voxelhub_lab", "extensions/planner/voxelhub_planner",
                    "extensions/planner/voxelhub_planner_widgets", "kernels/voxelhub"):
        folder = ROOT / package
        wanted |= {f"{folder.name}/{path.relative_to(folder)}" for path in folder.rglob("*")
                   if path.is_file() and "__pycache__" not in path.parts}
    assert "voxelhub_planner_widgets/static/planner-views.js" in wanted
    assert wanted - names == set()


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for package in ("package.json", "extensions/lab/package.json", "extensions/planner/widgets/package.json"):
        assert json.loads((ROOT / package).read_text())["version"] == version
    for module in ("service/voxelhub_service", "kernels/voxelhub"):
        assert f'__version__ = "{version}"' in (ROOT / module / "__init__.py").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
