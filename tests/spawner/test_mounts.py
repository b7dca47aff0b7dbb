"""What a server sees, under which names, with which environment and options."""

from __future__ import annotations

from pathlib import Path

from voxelhub_spawner.mounts import (
    ROOT,
    Places,
    ensure_home,
    installed_kernels,
    only_user,
    read_only_mounts,
    server_arguments,
    server_environ,
)


def places(folder: Path) -> Places:
    for env in ("lab", "imaging", "core", "test", "keycloak-26"):
        (folder / "envs" / env / "bin").mkdir(parents=True)
        (folder / "envs" / env / "bin" / "python").touch()
    return Places(folder / "envs", folder / "homes", folder / "projects")


def test_only_the_users_zone_is_mounted(tmp_path: Path) -> None:
    mounts = dict(read_only_mounts(places(tmp_path), ["demo", "home-ada"]))
    inside = set(mounts.values())
    assert {"/projects/demo", "/projects/home-ada"} == {name for name in inside if name.startswith("/projects")}
    assert mounts[str(tmp_path / "projects/demo")] == "/projects/demo"
    assert {str(tmp_path / "envs/lab"), str(tmp_path / "envs/imaging")} <= inside
    assert {str(ROOT / "extensions/lab"), str(ROOT / "kernels")} <= inside
    trusted = ("hub_config", "service", "spawner", ".git", "envs/core", "envs/test", "envs/keycloak")
    assert not [source for source in mounts if any(f"/{part}" in source for part in trusted)]
    assert str(ROOT) not in mounts and str(tmp_path / "envs") not in mounts


def test_a_home_is_private_and_reaches_its_projects(tmp_path: Path) -> None:
    there = places(tmp_path)
    home = ensure_home(there, "ada")
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "projects").readlink() == Path("/projects")
    (home / "examples").unlink()
    (home / "examples").mkdir()
    ensure_home(there, "ada")
    assert not (home / "examples").is_symlink(), "what the user made of a name stays"


def test_the_environment_is_a_list() -> None:
    hub = {"JUPYTERHUB_API_TOKEN": "t", "JUPYTERHUB_USER": "ada", "JPY_API_TOKEN": "t", "PATH": "/hub/bin", "LD_PRELOAD": "x",
           "CONFIGPROXY_AUTH_TOKEN": "secret", "CPU_LIMIT": "1"}
    environ = server_environ(hub, {"VOXELHUB_PROJECTS": "demo"}, home="/home/ada", lab_bin=Path("/envs/lab/bin"))
    assert environ == {
        "JUPYTERHUB_API_TOKEN": "t", "JUPYTERHUB_USER": "ada", "CPU_LIMIT": "1", "VOXELHUB_PROJECTS": "demo", "HOME": "/home/ada",
        "SHELL": "/bin/bash", "LANG": "C.UTF-8", "TMPDIR": "/tmp", "PATH": "/envs/lab/bin:/usr/local/bin:/usr/bin:/bin",
        "JUPYTER_RUNTIME_DIR": "/tmp/jupyter-runtime",
    }


def test_the_options_a_server_depends_on() -> None:
    options = server_arguments("/home/ada", ["imaging"])
    assert "--HubOAuth.cache_max_age=5" in options, "revoked rights must be noticed within the bound"
    assert "--LabApp.extension_manager=readonly" in options and "--LabApp.news_url=None" in options
    assert "--KernelSpecManager.allowed_kernelspecs=imaging" in options


def test_kernels_are_those_that_are_installed(tmp_path: Path) -> None:
    there = places(tmp_path)
    assert installed_kernels(there, ["imaging", "imaging-torch"]) == ["imaging"]
    assert installed_kernels(there, ["imaging-torch"]) == ["imaging-torch"]


def test_without_isolation_there_is_one_user(tmp_path: Path) -> None:
    there = places(tmp_path)
    assert only_user(there, "ada") and only_user(there, "ada")
    assert not only_user(there, "ben")
