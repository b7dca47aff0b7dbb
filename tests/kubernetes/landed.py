"""The chart that was installed before this one: that of the last landed state.

LANDED is the one place that says which. After a landing, put its commit here (`git rev-parse --short main`). That chart gets
VALUES of release.py too, and refuses one that it does not know.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from support.helm import CHART
from support.installation import ROOT

LANDED = "e2c5e26"


def landed_chart(folder: Path) -> Path:
    """Unpacked there; this chart, where the clone has no such commit."""
    name = CHART.relative_to(ROOT)
    done = subprocess.run(["git", "-C", str(ROOT), "archive", LANDED, str(name)], capture_output=True, check=False)
    if done.returncode:
        print(f"This clone has no commit {LANDED}: the upgrade is from this chart to itself, with other values.")
        return CHART
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / name
