"""What the cgroups around a process allow: the least of its own and of those above it, in either version."""

from __future__ import annotations

from pathlib import Path

import pytest
from voxelhub_sandbox.cgroups import Around, limits_around

GIB = 1024**3


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


@pytest.mark.parametrize(("files", "expected"), [
    ({}, Around(None, None)),
    ({"memory.max": "max", "cpu.max": "max 100000"}, Around(None, None)),
    ({"a/memory.max": str(8 * GIB), "a/b/memory.max": "max", "a/b/cpu.max": "150000 100000"}, Around(8 * GIB, 1.5)),
    ({"a/memory.max": str(2 * GIB), "a/b/memory.max": str(8 * GIB), "a/cpu.max": "400000 100000", "a/b/cpu.max": "max 100000"},
     Around(2 * GIB, 4.0)),
    ({"other/memory.max": "1"}, Around(None, None)),
])
def test_version_2(tmp_path, files, expected):
    (tmp_path / "a/b").mkdir(parents=True)
    root = tree(tmp_path, files)
    assert limits_around({"cgroup2": root}, lambda controller: "/a/b" if controller == "" else None) == expected


def test_version_1(tmp_path):
    memory = tree(tmp_path / "memory", {"memory.limit_in_bytes": str(2**63 - 4096), "a/memory.limit_in_bytes": str(3 * GIB)})
    cpu = tree(tmp_path / "cpu", {"a/cpu.cfs_quota_us": "50000", "a/cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "-1"})
    mounts = {"memory": memory, "cpu": cpu}
    assert limits_around(mounts, lambda controller: "/a" if controller else None) == Around(3 * GIB, 0.5)


def test_here_it_answers():
    found = limits_around()
    assert (found.memory is None or found.memory > 0) and (found.cpus is None or found.cpus > 0)
