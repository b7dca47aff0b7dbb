"""What a notebook server sees, and under which names: pure functions from places to mounts and environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the checkout: extensions, kernels, built panels, example notebooks
KERNEL_ENVS = ("imaging", "imaging-torch")
# The parts of the checkout that the user's zone may see, at the same place inside.
USER_ZONE = ("extensions/lab", "extensions/planner", "kernels", "dist-lab")


@dataclass(frozen=True)
class Places:
    """Folders of one installation."""

    envs: Path
    homes: Path
    projects: Path

    def home(self, slug: str) -> Path:
        return self.homes / slug


def read_only_mounts(places: Places, projects: Iterable[str]) -> list[tuple[str, str]]:
    """Environments, the user zone's code, examples, and the granted project folders."""
    folders = [places.envs / "lab", *(places.envs / env for env in KERNEL_ENVS), *(ROOT / part for part in USER_ZONE)]
    mounts = [(str(folder), str(folder)) for folder in folders if folder.is_dir()]
    if (ROOT / "notebooks").is_dir():
        mounts.append((str(ROOT / "notebooks"), "/examples"))
    return mounts + [(str(places.projects / project), f"/projects/{project}") for project in projects]


def ensure_home(places: Places, slug: str) -> Path:
    """The user's home (mode 0700) with links to what lies outside it, so that Lab's file browser reaches them."""
    home = places.home(slug)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("projects", "examples"):
        link = home / name
        if not link.is_symlink() and not link.exists():
            link.symlink_to(f"/{name}")
    return home


def ensure_projects(places: Places, projects: Iterable[str]) -> None:
    for project in projects:
        (places.projects / project).mkdir(parents=True, exist_ok=True)


def only_user(places: Places, slug: str) -> bool:
    """Whether this is the one person whom an installation without isolation serves: the first who asked."""
    places.homes.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark = places.homes / ".only-user"
    try:
        with mark.open("x") as file:
            file.write(slug)
    except FileExistsError:
        return mark.read_text() == slug
    return True


def server_environ(hub_variables: Mapping[str, str], ours: Mapping[str, str], *, home: str, lab_bin: Path) -> dict[str, str]:
    """The whole environment of a server: what JupyterHub made for it and this list. Nothing of the hub's own."""
    kept = {k: v for k, v in hub_variables.items() if k.startswith("JUPYTERHUB_") or k in {"CPU_LIMIT", "MEM_LIMIT"}}
    return {
        **kept, **ours,
        "HOME": home, "SHELL": "/bin/bash", "LANG": "C.UTF-8", "TMPDIR": "/tmp",  # noqa: S108
        "PATH": f"{lab_bin}:/usr/local/bin:/usr/bin:/bin",
        "JUPYTER_RUNTIME_DIR": "/tmp/jupyter-runtime" if home.startswith("/home/") else f"{home}/.local/share/jupyter/runtime",  # noqa: S108
    }


def installed_kernels(places: Places, kernels: Sequence[str]) -> list[str]:
    """Those of a profile's kernels whose environment is here; never none, so that a missing one is said by its name."""
    return [k for k in kernels if (places.envs / k / "bin" / "python").exists()] or list(kernels[:1])


def server_arguments(home: str, kernels: Sequence[str]) -> list[str]:
    """Options of jupyterhub-singleuser: no news, no installing, only our kernels, and revoked rights noticed at once."""
    return [
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--HubOAuth.cache_max_age=5",
        f"--ServerApp.root_dir={home}",
        "--ServerApp.default_url=/lab",
        "--ServerApp.terminado_settings=shell_command=['/bin/bash']",
        "--KernelSpecManager.ensure_native_kernel=False",
        *(f"--KernelSpecManager.allowed_kernelspecs={kernel}" for kernel in kernels),
        f"--MultiKernelManager.default_kernel_name={kernels[0]}",
    ]
