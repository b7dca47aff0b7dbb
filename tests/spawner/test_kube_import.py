"""One machine needs no Kubernetes: the package is imported, and its own spawner, where the client's packages are not there."""

from __future__ import annotations

import subprocess
import sys

BLOCK = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"kubespawner", "kubernetes_asyncio", "kubernetes", "aiohttp"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BLOCK + code], capture_output=True, text=True, timeout=60, check=False)


def test_the_package_and_everything_pure() -> None:
    pure = ("chart", "gpus", "life", "limits", "objects", "plan", "progress", "reasons", "watch")
    done = run("import voxelhub_spawner\n" + "\n".join(f"import voxelhub_spawner.kube_{name}" for name in pure)
               + "\nassert set(voxelhub_spawner.__all__) == {'LocalIsolatedSpawner', 'VoxelHubKubeSpawner'}; print('all')")
    assert done.stdout == "all\n", done.stderr


def test_the_spawner_says_what_is_missing_when_it_is_asked_for() -> None:
    done = run("import voxelhub_spawner\nvoxelhub_spawner.VoxelHubKubeSpawner")
    assert done.returncode == 1 and "No module named" in done.stderr.splitlines()[-1]


def test_without_asking_nothing_of_kubernetes_is_loaded() -> None:
    code = ("import sys, voxelhub_spawner\nassert not [m for m in sys.modules if m.startswith(('kubespawner', 'kubernetes'))]\n"
            "print(voxelhub_spawner.VoxelHubKubeSpawner.__name__)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "VoxelHubKubeSpawner\n"


def test_another_name_is_no_attribute() -> None:
    done = run("import voxelhub_spawner\nassert not hasattr(voxelhub_spawner, 'KubeSpawner'); print('so')")
    assert done.stdout == "so\n", done.stderr
