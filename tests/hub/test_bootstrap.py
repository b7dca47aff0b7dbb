"""The set-up: what it leaves after a kill, two at once, no network, a bundle for another Python."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from support.installation import ROOT, until
from voxelhub_hub import keycloak

SCRIPT = ROOT / "hub_config" / "bootstrap.py"


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, with an empty folder of environments."""
    monkeypatch.setenv("VOXELHUB_ENVS_DIR", str(tmp_path / "envs"))
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_step_runs_once_for_the_same_inputs_and_again_for_others(bootstrap: ModuleType) -> None:
    made: list[str] = []
    for inputs in ("a", "a", "b"):
        bootstrap.once("step", inputs, lambda inputs=inputs: made.append(inputs))
    assert made == ["a", "b"]


def test_a_step_that_was_cut_off_is_made_again_even_with_its_old_inputs(bootstrap: ModuleType) -> None:
    def cut_off() -> None:
        raise KeyboardInterrupt

    made: list[str] = []
    bootstrap.once("step", "a", lambda: made.append("first"))
    with pytest.raises(KeyboardInterrupt):
        bootstrap.once("step", "b", cut_off)
    bootstrap.once("step", "a", lambda: made.append("again"))  # what cut_off left is not what "a" made
    assert made == ["first", "again"]


def test_two_set_ups_take_turns(bootstrap: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    entered = threading.Event()

    def second() -> None:
        with bootstrap.alone():
            entered.set()

    waiting = threading.Thread(target=second)
    with bootstrap.alone():
        waiting.start()
        until(lambda: "another set-up is at work" in capsys.readouterr().out, 120)
        assert not entered.is_set()
    assert entered.wait(120)
    waiting.join()


def test_without_a_registry_it_names_the_step_and_the_way_out(tmp_path: Path) -> None:
    environ = {**os.environ, "VOXELHUB_ENVS_DIR": str(tmp_path), "PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0",
               "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": "/dev/null"}
    environ.pop("PIP_FIND_LINKS", None)
    done = subprocess.run([sys.executable, str(SCRIPT), "imaging"], env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "The step imaging failed" in done.stdout and "make bundle" in done.stdout and "Traceback" not in done.stderr


def test_a_bundle_for_another_python_says_which(bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "VENDOR", tmp_path)
    (tmp_path / "python-version").write_text("3.99\n")
    with pytest.raises(bootstrap.SetupError, match=r"made with Python 3\.99.*make up PYTHON=python3\.99"):
        bootstrap.only_wheels()


def test_a_changed_keycloak_archive_is_not_unpacked(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    (vendor / "python-version").write_text(f"{sys.version_info[0]}.{sys.version_info[1]}\n")
    (vendor / f"keycloak-{keycloak.VERSION}.tar.gz").write_bytes(b"something else")
    monkeypatch.setattr(bootstrap, "VENDOR", vendor)
    monkeypatch.setattr(bootstrap, "environment", lambda name: None)
    monkeypatch.setattr(bootstrap, "python_of", lambda name: Path("/bin/true"))
    with pytest.raises(bootstrap.SetupError, match="another SHA-256"):
        bootstrap.keycloak()
    assert not (bootstrap.ENVS / f"keycloak-{keycloak.VERSION}").exists()


def test_installed_environments_get_a_kernel_and_no_other(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "environment", lambda name: None)
    python = bootstrap.ENVS / "imaging" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    default = bootstrap.ENVS / "lab/share/jupyter/kernels/python3"
    default.mkdir(parents=True)
    bootstrap.kernelspecs()
    kernels = default.parent
    assert [path.name for path in kernels.iterdir()] == ["imaging"]
    assert json.loads((kernels / "imaging" / "kernel.json").read_text())["argv"][0] == str(python)


def test_set_up_and_start_mean_the_same_keycloak(bootstrap: ModuleType) -> None:
    assert bootstrap.KEYCLOAK_VERSION == keycloak.VERSION


def test_a_copied_package_follows_its_source_and_its_environment(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tool's sandbox sees no checkout; what is gone from the source is gone from the copy."""
    package, home = tmp_path / "ours", tmp_path / "envs" / "tool-x"
    site = home / "lib/python3.11/site-packages"
    for folder in (package, site, home / "bin"):
        folder.mkdir(parents=True)
    (home / "pyvenv.cfg").touch()
    (home / "bin/python").symlink_to(sys.executable)
    (package / "__init__.py").write_text("ANSWER = 1\n")
    (package / "old.json").write_text("{}")
    bootstrap.copied("tool-x", package)
    assert (site / "ours/__init__.py").read_text() == "ANSWER = 1\n" and (site / "ours/old.json").exists()
    said: list[str] = []
    monkeypatch.setattr(bootstrap, "say", said.append)
    bootstrap.copied("tool-x", package)
    assert said == []  # nothing has changed
    (package / "old.json").unlink()
    (package / "__init__.py").write_text("ANSWER = 2\n")
    bootstrap.copied("tool-x", package)
    assert (site / "ours/__init__.py").read_text() == "ANSWER = 2\n" and not (site / "ours/old.json").exists()
    (site / "ours/__init__.py").unlink()
    os.utime(home / "pyvenv.cfg", ns=(1, 1))  # the environment was made anew
    bootstrap.copied("tool-x", package)
    assert (site / "ours/__init__.py").exists()
    assert all(folder.startswith("extensions/planner") for folders in bootstrap.COPIES.values() for folder in folders)
