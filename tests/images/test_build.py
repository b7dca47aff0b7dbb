"""images/build.py, as far as it goes without podman; and what it takes along into a build."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "images"))

import machine  # noqa: E402
from catalogue import IMAGES, USUAL, context, left_out, tracked, version  # noqa: E402


def program(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(ROOT / "images" / "build.py"), *arguments], capture_output=True, text=True,
                          env={**os.environ, **environ})


def test_an_unknown_image_is_refused_with_the_names_of_all() -> None:
    done = program("hub", "jupyter", "lab")
    assert done.returncode == 1
    assert done.stderr.strip() == f"[images] There is no image called jupyter, lab. The images are: {', '.join(IMAGES)}."
    assert not done.stdout


def test_without_podman_it_says_what_to_install(tmp_path: Path) -> None:
    done = program("hub", "--store", str(tmp_path), PATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (
        1, "[images] podman is missing. On Debian: apt-get install podman runc mmdebstrap\n")


def test_help_names_every_image() -> None:
    said = program("--help").stdout
    assert all(f"  {name} " in said for name in IMAGES)
    assert "notebook-gpu" not in USUAL


def test_the_context_holds_what_git_tracks_and_nothing_else() -> None:
    stray = ROOT / "images" / "a-password-left-lying-about"
    stray.write_text("hunter2")
    try:
        assert "images/a-password-left-lying-about" in left_out(), "it is said that it is not in an image"
        with context() as folder:
            names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
            modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
            assert (folder / "voxelhub").stat().st_mode & 0o111, "a program stays one"
    finally:
        stray.unlink()
    assert names == set(tracked())
    assert {"locks/core.lock", "hub_config/bootstrap.py", "package-lock.json", ".npmrc"} <= names
    assert not [name for name in names if name.startswith((".envs", ".git/", "node_modules", "tests/"))]
    assert modes <= {0o644, 0o755}


def test_a_sites_settings_come_along_and_go_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".config/pip").mkdir(parents=True)
    (home / ".config/pip/pip.conf").write_text("[global]\nindex-url = https://pypi.example/simple\n")
    (home / ".npmrc").write_text("registry=https://npm.example/\n")
    bundle = tmp_path / "ca.pem"
    bundle.write_text("a certificate")
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://pypi.example/simple?a=b c'd")
    monkeypatch.setenv("npm_config_userconfig", "/elsewhere")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for the build")
    with machine.site_folder(tmp_path) as (site, cache):
        assert cache == tmp_path / "cache" and (cache / "uv").is_dir()
        assert (site / "certificates").read_text() == "a certificate"
        said = subprocess.run(["sh", "-c", f". {site}/environment; env -0"], capture_output=True, text=True, check=True,
                              env={"PATH": os.environ["PATH"]}).stdout
        there = dict(line.split("=", 1) for line in said.split("\0") if "=" in line)
        assert site.stat().st_mode & 0o077 == 0, "an npmrc may hold a password"
    assert not site.exists()
    assert there["UV_DEFAULT_INDEX"] == "https://pypi.example/simple?a=b c'd"
    assert {there[name] for name in machine.CERTIFICATES} == {"/mnt/certificates"}
    assert there["PIP_CONFIG_FILE"] == "/mnt/pip.conf"
    assert there["npm_config_userconfig"] == "/mnt/npmrc"
    assert "AWS_SECRET_ACCESS_KEY" not in there


def test_limits_of_containers_are_not_above_ours() -> None:
    import resource

    said = machine.containers_conf()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert f"nofile={min(hard, 1024**2)}:" in said
    assert 'cgroup_manager = "cgroupfs"' in said


def test_the_tag_is_the_version_of_the_project() -> None:
    import voxelhub_service

    assert version() == voxelhub_service.__version__


PODMAN = """#!/bin/sh
echo "$@" >>"$VOXELHUB_TEST_CALLS"
case "$1 $2" in
"image exists") exit "${VOXELHUB_TEST_BASE:-0}" ;;
"build "*)
    site=$(echo "$@" | sed 's/.*--volume=\\([^:]*\\):.mnt.*/\\1/')
    cp -r "$site" "$VOXELHUB_TEST_SITE"
    echo "the compiler is away"
    exit 7 ;;
"pull "*) exit 125 ;;
esac
"""


@pytest.fixture
def fake(tmp_path: Path) -> dict[str, str]:
    """A podman that writes down what it is asked, and fails at what takes long."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/podman").write_text(PODMAN)
    (tmp_path / "bin/podman").chmod(0o755)
    return {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "VOXELHUB_TEST_CALLS": str(tmp_path / "calls"),
            "VOXELHUB_TEST_SITE": str(tmp_path / "seen")}


def test_a_build_leaves_the_machines_network_alone_and_fetches_no_base(fake: dict[str, str], tmp_path: Path) -> None:
    done = program("hub", "--store", str(tmp_path / "store"), "--base", "site/debian:12", **fake)
    call = next(line for line in Path(fake["VOXELHUB_TEST_CALLS"]).read_text().splitlines() if line.startswith("build "))
    for option in ("--network=host", "--pull=never", "--target=hub", "--build-arg=BASE=site/debian:12",
                   f"--tag=localhost/voxelhub-hub:{version()}", ":/mnt:ro"):
        assert option in call
    assert (tmp_path / "seen/environment").read_text().startswith("export ")
    assert not list((tmp_path / "store").glob(".site-*")), "the site's settings are gone after a failure too"
    assert done.returncode == 1
    assert done.stderr.startswith(f"[images] localhost/voxelhub-hub:{version()} could not be built. The end of ")
    assert done.stderr.rstrip().endswith("the compiler is away")


def test_a_base_that_cannot_be_had_is_said_with_the_ways_out(fake: dict[str, str], tmp_path: Path) -> None:
    done = program("hub", "--store", str(tmp_path / "store"), "--base", "site/debian:12", VOXELHUB_TEST_BASE="1", **fake)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "[images] The base image site/debian:12 is not here and cannot be fetched. Name another with --base, or run this as root "
        "with mmdebstrap installed, which makes one from Debian's packages.")
