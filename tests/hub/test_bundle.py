"""The offline archive: `make up` from it, where there is no route to anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.installation import ENVS, ROOT, VOXELHUB
from voxelhub_sandbox import bubblewrap


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a system without network in which sandboxes still work")
@pytest.mark.timeout(3600)
def test_make_up_from_the_bundle_with_no_network(tmp_path: Path) -> None:
    """As on the other machine: an empty home, no cache, a network that is loopback alone."""
    archive = tmp_path / "bundle.tar"
    environ = {**os.environ, "VOXELHUB_ENVS_DIR": str(ENVS), "VOXELHUB_STATE_DIR": str(tmp_path / "none")}
    subprocess.run([*VOXELHUB, "bundle", str(archive)], env=environ, cwd=ROOT, check=True, timeout=1800)
    subprocess.run(["tar", "x", "-C", str(tmp_path), "-f", str(archive)], check=True)
    archive.unlink()
    (tmp_path / "home").mkdir()
    base = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run(
        [str(bubblewrap.bwrap_path()), "--ro-bind", "/", "/", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp",
         "--tmpfs", "/run", "--bind", str(tmp_path), "/mnt", "--unshare-net", "--unshare-pid", "--cap-add", "ALL",
         "--die-with-parent", "--clearenv", "--setenv", "PATH", f"{Path(base).parent}:/usr/bin:/bin",
         "--setenv", "HOME", "/mnt/home", "--chdir", "/mnt/voxelhub",
         "sh", "-ec", "mount -t proc proc /proc; exec $0 tests/fresh/smoke.py", base],
        capture_output=True, text=True, timeout=1500,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "a notebook server answers" in done.stdout and "0 processes left" in done.stdout
