"""What docs/kubernetes.md says is to be run: the blocks of a section, as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from cluster.client import Failed
from release import Release
from support.installation import ROOT

PAGE = ROOT / "docs" / "kubernetes.md"


def section(title: str) -> str:
    text = PAGE.read_text().split(f"\n## {title}\n")[1]
    return text.split("\n## ")[0]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", section(title), re.DOTALL)


def run(release: Release, lines: str, folder: Path, namespace: str = "") -> str:
    """With `bash -eu`, in a folder of its own: the namespace is this one, the chart ours, `yours.yaml` the tests' values."""
    chart, evaluation = str(release.chart), str(release.evaluation)
    yours = [evaluation, str(release.folder / "values-0.yaml"), str(release.folder / "values-1.yaml")]
    lines = re.sub(r"(--namespace|create namespace|label namespace) voxelhub\b", rf"\1 {namespace or release.namespace}", lines)
    lines = lines.replace(" helm/voxelhub ", f" {shlex.quote(chart)} ")
    lines = lines.replace("--values yours.yaml", shlex.join([f"--values={name}" for name in yours]))
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", lines], cwd=folder, env=os.environ | release.node.environ,
                          capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        raise Failed(f"{lines}\n{done.stdout}\n{done.stderr}")
    return done.stdout
